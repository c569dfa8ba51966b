#!/usr/bin/python3
"""What an idle three-node `meridian local` costs: processor time over a minute, after a minute in which it settled, and
its memory (PSS). Fails over 2 % of one core or 300 MiB.

    idle_test.py BUILD_DIR [--short] [-o json]      --short: 10 s after 10 s
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from cluster import free_ports, http, wait_until

CPU_LIMIT_PERCENT = 2.0
# Of the short variant, on machines that do other things as well: it finds a loop that spins, and judges nothing finer.
SHORT_CPU_LIMIT_PERCENT = 8.0
PSS_LIMIT_MIB = 300


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return int(re.search(r"^Pss: +(\d+) kB", f.read(), re.M).group(1)) / 1024


def wait_seconds(seconds):
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "time passes", seconds + 10)


def measure(build, seconds):
    directory = tempfile.mkdtemp(prefix="meridian_idle_")
    port = free_ports(1)[0]
    with open(f"{directory}/log", "wb") as log:
        local = subprocess.Popen([f"{build}/server/meridian", "local", "--dir", f"{directory}/data", "--port", str(port)],
                                 stdout=log, stderr=log)
        try:
            for p in range(port + 100, port + 104):
                wait_until(lambda p=p: http(f"127.0.0.1:{p}", "/readyz")[0] == 200, "the cluster is ready")
            wait_seconds(seconds)
            before, began = cpu_seconds(local.pid), time.monotonic()
            wait_seconds(seconds)
            percent = 100 * (cpu_seconds(local.pid) - before) / (time.monotonic() - began)
            return percent, pss_mib(local.pid)
        finally:
            local.terminate()
            local.wait(30)
            shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    seconds = 10 if options.short else 60
    percent, mib = measure(os.path.abspath(options.build), seconds)
    if options.output == "json":
        print(json.dumps({"cpu_percent": round(percent, 2), "pss_mib": round(mib, 1), "seconds": seconds}))
    else:
        print(f"idle for {seconds} s after {seconds} s: {percent:.2f} % of one core, {mib:.1f} MiB (PSS)")
    limit = SHORT_CPU_LIMIT_PERCENT if options.short else CPU_LIMIT_PERCENT
    if percent >= limit or mib >= PSS_LIMIT_MIB:
        sys.exit(f"FAILED: the limits are {limit} % and {PSS_LIMIT_MIB} MiB")


if __name__ == "__main__":
    main()
