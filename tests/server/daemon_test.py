#!/usr/bin/python3
"""The daemon as its users meet it: real processes, signals, ports and exit codes.

    daemon_test.py PATH/TO/meridian [unittest arguments]
"""

import fcntl
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import grpc

MERIDIAN = ""
TIMEOUT = 60


def field(number, data):
    """A length-delimited protobuf field: all that keys and values need."""
    length, out = len(data), bytes([number << 3 | 2])
    while length >= 0x80:
        out += bytes([length & 0x7F | 0x80])
        length >>= 7
    return out + bytes([length]) + data


def free_port():
    """The first of a block of ports that nobody listens on: proxy, nodes and, 100 above, their HTTP."""
    while True:
        base = random.randrange(20000, 30000)
        try:
            for port in [*range(base, base + 5), *range(base + 100, base + 105)]:
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue


def http(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Daemon:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([MERIDIAN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={k: v for k, v in os.environ.items() if "MERIDIAN" not in k})

    def expect(self, pattern):
        """Reads standard output up to a line with the pattern."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no {pattern!r} in {lines}; standard error: {self.process.stderr.read()}")

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class DaemonTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="meridian_daemon_")
        self.port = free_port()
        self.daemons = []

    def tearDown(self):
        for daemon in self.daemons:
            daemon.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *arguments):
        self.daemons.append(Daemon(*arguments))
        return self.daemons[-1]

    def start_local(self, *more):
        daemon = self.start("local", "--dir", self.dir + "/data", "--port", self.port, *more)
        daemon.expect("is ready: 3 nodes in 3 regions")
        return daemon

    def fails(self, *arguments):
        result = subprocess.run([MERIDIAN, *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        return result.returncode, result.stderr

    def call(self, method, request, service="KeyValue"):
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            return channel.unary_unary(f"/meridian.v1.{service}/{method}")(request, timeout=20)

    def retry(self, call):
        """While processes are starting."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return call()
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def put(self, key, value):
        self.call("Put", field(2, key) + field(3, value))

    def get(self, key):
        answer = self.call("Get", field(2, key))
        return answer.split(b"\x12", 1)[1] if answer.startswith(b"\x08\x01") else None

    def test_a_local_cluster_takes_data_and_keeps_it_over_a_restart(self):
        daemon = self.start_local()
        self.put(b"hello", b"world")
        self.assertTrue(self.get(b"hello").startswith(b"\x05world"))
        self.assertIsNone(self.get(b"nothing"))
        for port in range(self.port + 100, self.port + 104):
            self.assertEqual(http(port, "/livez"), (200, "ok\n"))
            self.assertEqual(http(port, "/readyz")[0], 200)
        code, _, err = daemon.end()
        self.assertEqual(code, 0, err)
        daemon = self.start_local()
        self.assertTrue(self.get(b"hello").startswith(b"\x05world"))
        self.assertEqual(daemon.end(signal.SIGINT)[0], 0)

    def test_metrics_are_what_prometheus_wants(self):
        self.start_local()
        for port in range(self.port + 100, self.port + 104):
            status, text = http(port, "/metrics")
            self.assertEqual(status, 200)
            self.assertIn("meridian_process_resident_bytes", text)
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_a_killed_node_process_is_reported_and_started_again(self):
        daemon = self.start_local("--processes", "--restart-children")
        self.put(b"hello", b"world")
        victim = int(re.search(r"pid (\d+)", daemon.expect(r"^ +n1 .* pid \d+")).group(1))
        os.kill(victim, signal.SIGKILL)
        daemon.expect(r"n1 \(pid \d+\) ended: signal 9")
        self.assertTrue(self.get(b"hello").startswith(b"\x05world"))
        daemon.expect(r"n1 runs again: pid \d+")
        self.put(b"hello", b"again")
        code, _, err = daemon.end()
        self.assertEqual(code, 0, err)
        self.assertNotIn("did not end in time", err)

    def test_children_end_with_a_killed_parent(self):
        daemon = self.start_local("--processes")
        pids = [int(re.search(r"pid (\d+)", daemon.expect(rf"^ +n{n} .* pid \d+")).group(1)) for n in (1, 2, 3)]
        daemon.kill()
        deadline = time.monotonic() + TIMEOUT
        while any(os.path.exists(f"/proc/{pid}/exe") for pid in pids):
            self.assertLess(time.monotonic(), deadline, "children outlive their parent")
            time.sleep(0.05)

    def test_an_ending_leader_hands_over(self):
        nodes = [self.start("node", "--dir", f"{self.dir}/n{i}", "--listen", f"127.0.0.1:{self.port + i}", "--http",
                            f"127.0.0.1:{self.port + 100 + i}", "--region", f"r{i}") for i in (1, 2, 3)]
        addresses = [f"127.0.0.1:{self.port + i}" for i in (1, 2, 3)]
        proxy = self.start("proxy", "--listen", f"127.0.0.1:{self.port}", "--nodes", ",".join(addresses))
        specs = b"".join(field(1, field(1, a.encode()) + field(2, b"r%d" % i)) for i, a in enumerate(addresses, 1))
        self.retry(lambda: self.call("InitCluster", specs, "Admin"))
        self.put(b"a", b"0")
        leader = next(i for i in (1, 2, 3) if "meridian_raft_leader 1" in http(self.port + 100 + i, "/metrics")[1])
        nodes[leader - 1].process.send_signal(signal.SIGTERM)
        deadline, writes = time.monotonic() + TIMEOUT, 0
        while nodes[leader - 1].process.poll() is None or writes < 50:
            self.put(b"a", b"%d" % writes)  # none fails
            writes += 1
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(nodes[leader - 1].process.returncode, 0)
        for daemon in [proxy, *(n for n in nodes if n is not nodes[leader - 1])]:
            self.assertEqual(daemon.end()[0], 0)

    def wait_for(self, condition):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_a_log_that_nobody_reads_costs_lines_and_no_service(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"\n" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        metric = r"\nmeridian_log_lines_dropped_total [1-9]"
        http_port = self.port + 100
        for arguments in (["node", "--dir", self.dir + "/n", "--listen", f"127.0.0.1:{self.port}"],
                          ["proxy", "--nodes", "127.0.0.1:1", "--listen", f"127.0.0.1:{self.port}"]):
            with subprocess.Popen([MERIDIAN, *arguments, "--http", f"127.0.0.1:{http_port}"], stderr=writer) as process:
                try:
                    self.wait_for(lambda: http(http_port, "/livez")[0] == 200)
                    self.wait_for(lambda: re.search(metric, http(http_port, "/metrics")[1]))
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(10), 0)
                finally:
                    process.kill()
        os.close(reader)
        os.close(writer)

    def test_a_hang_up_ends_no_server(self):
        proxy = self.start("proxy", "--nodes", "127.0.0.1:1", "--listen", f"127.0.0.1:{self.port}", "--http",
                           f"127.0.0.1:{self.port + 100}")
        self.wait_for(lambda: http(self.port + 100, "/livez")[0] == 200)
        proxy.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: "SIGHUP" in proxy.process.stderr.readline())
        self.assertEqual(http(self.port + 100, "/livez")[0], 200)
        self.assertEqual(proxy.end()[0], 0)

    def test_connections_beyond_the_open_files_are_closed_and_later_ones_are_taken(self):
        def answers():
            with grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=2)
                return True

        def retry_until(condition):
            deadline = time.monotonic() + TIMEOUT
            while True:
                try:
                    if condition():
                        return
                except grpc.RpcError:
                    pass
                self.assertLess(time.monotonic(), deadline)

        limit = 200
        process = subprocess.Popen([MERIDIAN, "proxy", "--nodes", "127.0.0.1:1", "--listen", f"127.0.0.1:{self.port}",
                                    "--http", f"127.0.0.1:{self.port + 100}"], stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        try:
            self.wait_for(lambda: http(self.port + 100, "/livez")[0] == 200)
            retry_until(answers)
            crowd = []
            for _ in range(400):
                crowd.append(socket.create_connection(("127.0.0.1", self.port)))
            metric = r"\nmeridian_connections_refused_total [1-9]"
            self.wait_for(lambda: re.search(metric, http(self.port + 100, "/metrics")[1]))
            with self.assertRaises(grpc.RpcError):
                answers()
            for s in crowd:
                s.close()
            retry_until(answers)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 0, err)
            self.assertIn("too few open files", err)
        finally:
            process.kill()

    def test_reflection_is_served_where_it_was_asked_for(self):
        def reflects():
            with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
                stream = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
                return list(stream(iter([b"\x3a\x00"]), timeout=20))  # list_services

        arguments = ["proxy", "--nodes", "127.0.0.1:1", "--listen", f"127.0.0.1:{self.port}", "--http",
                     f"127.0.0.1:{self.port + 100}"]
        proxy = self.start(*arguments)
        self.wait_for(lambda: http(self.port + 100, "/livez")[0] == 200)
        with self.assertRaises(grpc.RpcError) as refused:
            reflects()
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertEqual(proxy.end()[0], 0)
        proxy = self.start(*arguments, "--reflection")
        self.wait_for(lambda: http(self.port + 100, "/livez")[0] == 200)
        self.assertIn(b"meridian.v1.KeyValue", reflects()[0])
        self.assertEqual(proxy.end()[0], 0)

    def test_connections_that_say_nothing_do_not_hold_the_end_up(self):
        proxy = self.start("proxy", "--nodes", "127.0.0.1:1", "--listen", f"127.0.0.1:{self.port}", "--http",
                           f"127.0.0.1:{self.port + 100}")
        self.wait_for(lambda: http(self.port + 100, "/livez")[0] == 200)
        silent = [socket.create_connection(("127.0.0.1", self.port + 100)) for _ in range(20)]
        began = time.monotonic()
        self.assertEqual(http(self.port + 100, "/livez")[0], 200)
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(http(self.port + 100, "/readyz"), (503, "no node answers; asked 127.0.0.1:1\n"))
        self.assertEqual(proxy.end()[0], 0)
        self.assertLess(time.monotonic() - began, 5)
        for s in silent:
            s.close()

    def test_latency_between_regions_is_felt(self):
        self.start_local("--latency", "wan")
        self.put(b"hello", b"world")
        began = time.monotonic()
        self.put(b"hello", b"again")
        # us-east to us-west and back, at the nearest.
        self.assertGreater(time.monotonic() - began, 0.064)

    def test_a_directory_of_another_shape_is_refused(self):
        self.start_local().end()
        code, err = self.fails("local", "--dir", self.dir + "/data", "--port", self.port, "--regions", "us-east,us-west")
        self.assertEqual(code, 1)
        self.assertIn("--regions us-east,us-west,eu-west --nodes-per-region 1", err)

    def test_a_port_in_use_is_named_with_its_flag(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", self.port))
            s.listen()
            address = f"127.0.0.1:{self.port}"
            for arguments, flag in [(["local", "--dir", self.dir + "/l", "--port", self.port], "--port"),
                                    (["node", "--dir", self.dir + "/n", "--listen", address], "--listen"),
                                    (["proxy", "--nodes", "127.0.0.1:1", "--listen", address], "--listen"),
                                    (["node", "--dir", self.dir + "/n", "--listen", "127.0.0.1:0", "--http", address], "--http")]:
                code, err = self.fails(*arguments)
                self.assertEqual(code, 1, err)
                self.assertIn(f"{address}: port {self.port} is in use", err)
                self.assertIn(f"another with {flag}", err)

    def test_two_nodes_cannot_share_a_directory(self):
        first = self.start("node", "--dir", self.dir + "/n", "--listen", f"127.0.0.1:{self.port}", "--http",
                           f"127.0.0.1:{self.port + 100}")
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                if http(self.port + 100, "/livez")[0] == 200:
                    break
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
        # Not part of a cluster yet.
        self.assertEqual(http(self.port + 100, "/readyz")[0], 503)
        code, err = self.fails("node", "--dir", self.dir + "/n", "--listen", "127.0.0.1:0")
        self.assertEqual(code, 1, err)
        self.assertIn(self.dir + "/n", err)
        self.assertEqual(first.end()[0], 0)

    def test_a_configuration_file_is_checked(self):
        path = self.dir + "/node.toml"
        with open(path, "w", encoding="utf-8") as f:
            f.write("dir = \"/tmp/x\"\n[raft]\nelection_timeout = \"1ms\"\n")
        expected = f"{path}:3: raft.election_timeout = '1ms' is out of range: from 50ms to 1m is allowed"
        code, err = self.fails("config", "check", path)
        self.assertEqual((code, err.strip()), (2, expected))
        code, err = self.fails("node", "--config", path)
        self.assertEqual(code, 2)
        self.assertIn(expected, err)


if __name__ == "__main__":
    MERIDIAN = sys.argv.pop(1)
    unittest.main()
