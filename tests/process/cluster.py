"""A cluster of real processes for the tests beside this file: nodes and proxies on free ports, in a directory that
goes away with them. What they log is printed when a test fails.

    with Cluster(BUILD) as c:
        c.form()
        c.nodes[0].kill()
"""

import contextlib
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
PROTOS = os.path.join(ROOT, "client/proto")
REGIONS = ("us-east", "us-west", "eu-west")
ELECTION_TIMEOUT_S = 0.5  # T, as nodes have it by default
TIMEOUT_S = 60


def _stubs():
    spec = importlib.util.spec_from_file_location("python_unary", os.path.join(ROOT, "tests/client/python_unary.py"))
    unary = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unary)
    with tempfile.TemporaryDirectory() as out:
        return unary.make_stubs(PROTOS, out), unary.error_of


(kv, kv_grpc, admin, admin_grpc), error_of = _stubs()


PORTS_GIVEN = set()  # they are free until whoever got them listens


def free_ports(count):
    """Ports below those that the kernel gives to clients, so that a node can come back to its own."""
    ports = []
    while len(ports) < count:
        port = random.randrange(12000, 20000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            if port not in PORTS_GIVEN:
                PORTS_GIVEN.add(port)
                ports.append(port)
    return ports


def wait_until(condition, what, timeout=TIMEOUT_S):
    """Polls; answers what the condition answered. The only place that sleeps."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {timeout} s: {what}")
        time.sleep(0.02)


def http(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Process:
    """A program that is started, killed and started again; its output goes to one file."""

    def __init__(self, name, log, argv):
        self.name, self.log, self.argv = name, log, [str(a) for a in argv]
        self.environment = {}  # on top of this process's
        self.popen = None

    def start(self):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                          env={k: v for k, v in os.environ.items() if not k.startswith("MERIDIAN")}
                                          | self.environment)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """SIGKILL. When it returns, the process is gone. Answers when it was given (monotonic)."""
        at = time.monotonic()
        if self.running():
            self.popen.kill()
            self.popen.wait()
        return at

    def terminate(self, timeout=TIMEOUT_S):
        self.popen.terminate()
        return self.popen.wait(timeout)

    def wait(self, timeout=TIMEOUT_S):
        return self.popen.wait(timeout)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()


class Node(Process):
    def __init__(self, cluster, name, region, directory, ports, arguments=()):
        self.address, self.http = (f"127.0.0.1:{port}" for port in ports)
        self.region, self.dir = region, directory
        super().__init__(name, f"{cluster.dir}/{name}.log",
                         [cluster.meridian, "node", "--dir", directory, "--listen", self.address, "--http", self.http,
                          "--region", region, *cluster.node_arguments, *arguments])

    def listens(self):
        return self.running() and http(self.http, "/livez")[0] == 200

    def ready(self):
        return http(self.http, "/readyz")[0] == 200


class Cluster:
    def __init__(self, build, nodes=3, node_arguments=(), dirs=None):
        self.build = build
        self.meridian = self.program("server/meridian")
        self.node_arguments = node_arguments
        self.dir = tempfile.mkdtemp(prefix="meridian_process_")
        self.nodes, self.extra = [], []
        for i in range(nodes):
            self.nodes.append(self.make_node(f"n{i + 1}", REGIONS[i % 3], (dirs or {}).get(i)))
        self.proxy = self.make_proxy("proxy", [n.address for n in self.nodes])
        self.channel = None

    def program(self, path):
        program = os.path.join(self.build, path)
        if not os.path.exists(program):
            raise AssertionError(f"{program} is not built")
        return program

    def make_node(self, name, region, directory=None, arguments=()):
        node = Node(self, name, region, directory or f"{self.dir}/{name}", free_ports(2), arguments)
        self.extra.append(node)
        return node

    def make_proxy(self, name, nodes, *arguments):
        port, http_port = free_ports(2)
        proxy = Process(name, f"{self.dir}/{name}.log",
                        [self.meridian, "proxy", "--listen", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{http_port}",
                         "--nodes", ",".join(nodes), "--region", REGIONS[0], *arguments])
        proxy.address, proxy.http = f"127.0.0.1:{port}", f"127.0.0.1:{http_port}"
        self.extra.append(proxy)
        return proxy

    # ---- Life

    def form(self):
        """Starts everything and makes a cluster of the nodes, with meridianctl."""
        for process in [*self.nodes, self.proxy]:
            process.start()
        for node in self.nodes:
            wait_until(node.listens, f"{node.name} listens")
        wait_until(lambda: http(self.proxy.http, "/livez")[0] == 200, "the proxy listens")
        # It waits for a leader, for which a busy machine may take longer than the default of 10 s.
        self.ctl("--timeout", f"{TIMEOUT_S}s", "cluster", "init", *[f"--node={n.region}={n.address}" for n in self.nodes])
        self.wait_healthy()
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.channel is not None:
            self.channel.close()
        for process in self.extra:
            if process.popen is not None:
                if process.running():
                    process.signal(signal.SIGCONT)
                process.kill()
        if kind is not None:
            self.print_logs()
        shutil.rmtree(self.dir, ignore_errors=True)

    def print_logs(self, lines=40):
        for process in self.extra:
            if process.popen is not None:
                tail = process.text().splitlines()[-lines:]
                print(f"---- {process.name}, code {process.popen.returncode}: {' '.join(process.argv)}", *tail,
                      sep="\n", file=sys.stderr)
        if os.environ.get("KEEP"):
            kept = shutil.copytree(self.dir, f"{self.dir}.kept")
            print(f"---- all is kept in {kept}", file=sys.stderr)

    # ---- Questions

    def stub(self, service=kv_grpc.KeyValueStub):
        if self.channel is None:
            self.channel = grpc.insecure_channel(self.proxy.address)
        return service(self.channel)

    def status(self):
        return self.stub(admin_grpc.AdminStub).GetStatus(admin.GetStatusRequest(), timeout=10)

    def try_status(self):
        try:
            return self.status()
        except grpc.RpcError:
            return None

    def healthy(self, nodes=None):
        """All nodes that should run do, follow one leader, and have applied what it has."""
        status = self.try_status()
        if status is None or not status.healthy or status.leader_node_id == 0:
            return None
        active = [n for n in status.nodes if n.state == admin.NODE_STATE_ACTIVE]
        if len(active) != (nodes or len(self.nodes)) or not all(n.reachable and not n.trouble for n in active):
            return None
        leader = [n for n in active if n.id == status.leader_node_id]
        if not leader or any(n.term != leader[0].term or n.applied_index + 5000 < leader[0].applied_index for n in active):
            return None
        return status

    def wait_healthy(self, nodes=None, timeout=TIMEOUT_S):
        try:
            return wait_until(lambda: self.healthy(nodes), "the cluster is healthy", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.try_status()}") from None

    def node_at(self, address):
        return next(p for p in self.extra if p.address == address)

    def leader(self):
        """The process that leads, as the proxy knows it."""
        def look():
            status = self.try_status()
            for node in status.nodes if status else []:
                if node.id == status.leader_node_id and node.reachable:
                    return self.node_at(node.address)
            return None
        return wait_until(look, "there is a leader")

    def followers(self):
        leader = self.leader()
        return [n for n in self.nodes if n is not leader]

    # ---- Programs

    def ctl(self, *arguments, code=0):
        """meridianctl -o json: what it prints, parsed; with code=None (code, standard output, standard error)."""
        result = subprocess.run([self.program("tools/ctl/meridianctl"), "--proxy", self.proxy.address, "-o", "json",
                                 *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
        if code is None:
            return result.returncode, result.stdout, result.stderr
        if result.returncode != code:
            raise AssertionError(f"meridianctl {arguments}: code {result.returncode}\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout) if result.stdout.strip() else None

    def start_writer(self, *arguments, history="history.jsonl"):
        path = f"{self.dir}/{history}"
        writer = subprocess.Popen([self.program("tests/process/meridian-writer"), "run", "--proxy", self.proxy.address,
                                   "--history", path, "--name", os.path.splitext(history)[0], *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        return Load(self, writer, path)


class Load:
    """A running meridian-writer and what becomes of it."""

    def __init__(self, cluster, popen, history):
        self.cluster, self.popen, self.history, self.summary = cluster, popen, history, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()

    def events(self):
        """How many lines the history has by now, roughly: it is buffered."""
        return os.path.getsize(self.history) if os.path.exists(self.history) else 0

    def wait_progress(self, bytes_more=200_000, timeout=TIMEOUT_S):
        enough = self.events() + bytes_more
        wait_until(lambda: self.events() >= enough or self.popen.poll() is not None, "the load goes on", timeout)
        assert self.popen.poll() is None, f"the writer ended: {self.popen.returncode}"

    def stop(self, timeout=120):
        self.popen.send_signal(signal.SIGTERM)
        out, _ = self.popen.communicate(timeout=timeout)
        self.summary = json.loads(out)
        assert self.popen.returncode == 0, f"the writer says: {self.summary['violations'][:5]}"
        return self.summary

    def verify(self):
        """Reads back every acknowledged write, and lets the checker judge the whole history."""
        c = self.cluster
        read = subprocess.run([c.program("tests/process/meridian-writer"), "verify", "--proxy", c.proxy.address, "--history",
                               self.history, "--workers", "64"], capture_output=True, text=True, timeout=300, check=False)
        if read.returncode != 0:
            self.keep()
            raise AssertionError(f"read back, code {read.returncode}: {read.stdout[:3000]} {read.stderr}")
        judged = subprocess.run([c.program("tests/checkers/meridian-check"), self.history], capture_output=True, text=True,
                                timeout=300, check=False)
        if judged.returncode != 0:
            self.keep()
            raise AssertionError(f"meridian-check, code {judged.returncode}: {judged.stdout[:5000]} {judged.stderr}")
        return judged.stdout.strip()

    def keep(self):
        kept = shutil.copy(self.history, tempfile.gettempdir())
        print(f"the history is kept as {kept}", file=sys.stderr)


def gaps(acks, longer_than_s=0.2):
    """Times without an acknowledged write: (start, length), in seconds on time.monotonic()'s clock."""
    times = sorted(at for _, at in acks)
    return [(a / 1e6, (b - a) / 1e6) for a, b in zip(times, times[1:]) if b - a > longer_than_s * 1e6]


def metric(address, name):
    match = re.search(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+-]+)$", http(address, "/metrics")[1], re.M)
    return float(match.group(1)) if match else None


def build_argument():
    """The build's directory, which ctest gives first; unittest sees the rest."""
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR [arguments]")
    return os.path.abspath(sys.argv.pop(1))
