"""What compare-etcd and regress share: programs run to their last line of JSON, one load against a fresh cluster,
durations, progress. Whatever was started is gone when a call returns or raises."""

import argparse
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
STARTED = time.monotonic()
CLUSTER_PROGRAMS = {"server/meridian": "meridian", "tools/ctl/meridianctl": "meridianctl",
                    "tools/bench/meridian-bench": "meridian-bench"}


class UsageError(Exception):
    """What was asked for cannot be done: exit code 2."""


class MeasuringError(Exception):
    """A program failed or did not end."""


def progress(text):
    print(f"[{time.monotonic() - STARTED:6.0f} s] {text}", file=sys.stderr, flush=True)


def duration(text):
    """Seconds of "500ms", "30s", "2m"; for argparse."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    seconds = float(match.group(1)) * {"ms": 0.001, "s": 1, "m": 60}[match.group(2)] if match else 0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration between 100ms and 60m, such as 30s")
    return seconds


def at_least(least):
    """A whole number, for argparse."""
    def parse(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least}")
        return int(text)
    return parse


def require_programs(build, programs):
    """programs: path in the build directory → target. UsageError if one is not built."""
    if not os.path.isdir(build):
        raise UsageError(f"{build} is no build directory")
    missing = {path: target for path, target in programs.items() if not os.access(os.path.join(build, path), os.X_OK)}
    if missing:
        raise UsageError(f"in {build} are not built: {', '.join(missing)}\n"
                         f"  cmake --build {build} --target {' '.join(dict.fromkeys(missing.values()))}")


def require_real_disk():
    """UsageError where temporary directories are in memory: an fsync there costs nothing."""
    directory, best = os.path.realpath(tempfile.gettempdir()), ("", "")
    with open("/proc/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, mount, kind = line.split()[:3]
            if os.path.commonpath((mount, directory)) == mount and len(mount) >= len(best[0]):
                best = mount, kind
    if best[1] in ("tmpfs", "ramfs"):
        raise UsageError(f"{directory} is in memory ({best[1]} on {best[0]}), where fsync costs nothing: "
                         "set TMPDIR to a directory on a disk")


def start(argv, environment=None):
    # A group of its own, so that whatever the program starts can be ended with it.
    try:
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True, env={**os.environ, **(environment or {})})
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be run: {error.strerror}") from None


def end(popen):
    if popen.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(popen.pid, number)
        try:
            popen.communicate(timeout=10)
            return
        except subprocess.TimeoutExpired:
            pass


def result_of(popen, timeout):
    """The last line of JSON that a started program prints. A program that counts errors in it may end with code 1."""
    name = " ".join(popen.args)
    try:
        out, err = popen.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise MeasuringError(f"{name}: no end after {timeout:.0f} s") from None
    finally:
        end(popen)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    result = json.loads(lines[-1]) if lines else None
    if result is None or popen.returncode not in ((0, 1) if result.get("errors") else (0,)):
        raise MeasuringError(f"{name}: exit code {popen.returncode}\n{out}{err}".rstrip())
    return result


def run_json(argv, timeout, environment=None):
    return result_of(start(argv, environment), timeout)


def cluster_module():
    """tests/process/cluster.py makes stubs when it is imported, so it is imported when it is needed."""
    sys.path.insert(0, os.path.join(ROOT, "tests/process"))
    try:
        return importlib.import_module("cluster")
    except ImportError as error:
        raise UsageError(f"{error}: tools/setup installs what is missing; run this with /usr/bin/python3") from None
    finally:
        sys.path.pop(0)


def cluster_class():
    return cluster_module().Cluster


# A peer's operations that meridian-bench calls otherwise.
MERIDIAN_OPS = {"txn": ["--op", "batch", "--batch", 2]}


def load_arguments(op, clients, seconds, keys, value_bytes, names=None):
    """The part of the command line that meridian-bench has in common with a peer's load. names: op → its words for it."""
    return [*(names or {}).get(op, ["--op", op]), "--clients", clients, "--duration", f"{round(seconds * 1000)}ms", "--keys", keys,
            "--value-bytes", value_bytes, "--preload", keys]


def load_meridian(build, arguments, timeout):
    """One load against a fresh cluster of three nodes, through one proxy."""
    try:
        with cluster_class()(build) as cluster:
            cluster.form()
            return run_json([cluster.program("tools/bench/meridian-bench"), "--proxy", cluster.proxy.address,
                             "-o", "json", *arguments], timeout)
    except AssertionError as error:
        raise MeasuringError(f"the cluster of {build}: {error}") from None


def run_main(main, could_not_measure=1):
    """Calls main() and exits with its code; errors are said in one line. SIGTERM unwinds, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = os.path.basename(sys.argv[0])
    try:
        sys.exit(main())
    except UsageError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except MeasuringError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(could_not_measure)
    except KeyboardInterrupt:
        sys.exit(130)
