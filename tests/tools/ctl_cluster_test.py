#!/usr/bin/python3
"""meridianctl and meridian-bench against a running cluster of three nodes.

    ctl_cluster_test.py PATH/TO/meridianctl PATH/TO/meridian-bench PATH/TO/meridian [unittest arguments]
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

CTL = BENCH = MERIDIAN = ""
ENVIRONMENT = {k: v for k, v in os.environ.items() if "MERIDIAN" not in k}


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


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


class WithCluster(unittest.TestCase):
    """Starts `meridian local` for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.port = free_port()
        cls.proxy = f"127.0.0.1:{cls.port}"
        cls.start()

    @classmethod
    def start(cls):
        with open(cls.path("daemon.log"), "ab") as log:
            cls.daemon = subprocess.Popen([MERIDIAN, "local", "--dir", cls.path("data"), "--port", str(cls.port)],
                                          stdout=subprocess.PIPE, stderr=log, text=True, env=ENVIRONMENT)
        for line in cls.daemon.stdout:
            if "is ready" in line:
                return
        cls.tearDownClass()
        raise AssertionError("the cluster did not start")

    @classmethod
    def tearDownClass(cls):
        end(cls.daemon)
        cls.directory.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory.name, name)

    def ctl(self, *arguments, stdin=b"", code=0):
        done = subprocess.run([CTL, "--proxy", self.proxy, *map(str, arguments)], input=stdin, capture_output=True,
                              timeout=120, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, code, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        self.err = done.stderr.decode()
        return done.stdout

    def ctl_json(self, *arguments, **more):
        return json.loads(self.ctl("-o", "json", *arguments, **more))

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)


class Cluster(WithCluster):
    def test_put_get_cas_del(self):
        version = self.ctl_json("put", "city/Oslo", "visited")["version"]
        read = self.ctl_json("get", "city/Oslo")
        self.assertEqual((read["value"], read["version"], read["found"]), ("visited", version, True))
        self.assertEqual(read["role"], "leader")
        self.assertIn(b"visited", self.ctl("get", "city/Oslo"))
        self.assertEqual(self.ctl_json("get", "city/Oslo", "--at", read["timestamp"])["value"], "visited")

        self.ctl("cas", "city/Oslo", "again", "--expect", "never", code=1)
        self.assertTrue(self.ctl_json("cas", "city/Oslo", "again", "--expect-version", version)["succeeded"])
        self.ctl("cas", "city/Oslo", "x", "--expect-absent", code=1)
        self.ctl("cas", "city/Oslo", "--remove", "--expect", "again")
        self.assertFalse(self.ctl_json("get", "city/Oslo", code=3)["found"])
        self.assertIn("there is no key", self.err)
        self.assertEqual(self.ctl_json("get", "city/Oslo", "--at", read["timestamp"])["value"], "visited")
        self.ctl("del", "city/Oslo")

    def test_bytes_survive(self):
        every = bytes(range(256))
        self.ctl("put", "bin/\u00e4", "--value-file", self.write("bytes", every))
        self.assertEqual(self.ctl("get", "bin/\u00e4", "--raw"), every)
        self.assertIn("value_base64", self.ctl_json("get", "bin/\u00e4"))
        self.ctl("put", "-e", "bin/\\xff", "-", stdin=b"from stdin")
        self.assertEqual(self.ctl("get", "-e", "bin/\\xff", "--raw"), b"from stdin")
        self.assertIn(b"bin/\\xff", self.ctl("scan", "bin/", "--keys-only"))

    def test_any_replica_reads_say_as_of_when(self):
        self.ctl("put", "near", "value")
        read = self.ctl_json("get", "near", "--any-replica", code=0)
        self.assertIn(read["role"], ("leader", "follower"))
        self.assertGreater(int(read["timestamp"]), 0)

    def test_wrong_keyspace_and_limits(self):
        self.ctl("get", "k", "--keyspace", "defualt", code=3)
        self.assertIn("defualt", self.err)
        self.assertIn("status", self.err)
        self.ctl("put", "k" * 5000, "v", code=2)
        self.assertIn("4096", self.err.replace(",", ""))

    def test_status_and_nodes(self):
        status = self.ctl_json("status")
        self.assertTrue(status["healthy"])
        self.assertEqual([node["region"] for node in status["nodes"]], ["us-east", "us-west", "eu-west"])
        self.assertIn(b"healthy", self.ctl("status"))
        self.assertEqual(len(self.ctl_json("node", "list")["nodes"]), 3)

    def test_leadership_moves(self):
        before = self.ctl_json("status")["leader_node_id"]
        other = before % 3 + 1
        self.ctl("node", "transfer-leader", other)
        self.assertEqual(self.ctl_json("status")["leader_node_id"], other)
        self.ctl("node", "transfer-leader", 99, code=3)
        self.ctl("node", "remove", other, stdin=b"no\n", code=1)
        self.assertIn("not confirmed", self.err)
        self.ctl("node", "remove", 99, "--yes", code=3)

    def test_a_node_that_came_back_empty_under_its_address(self):
        address = self.ctl_json("node", "list")["nodes"][1]["address"]
        self.ctl("node", "replace", "2", f"us-west={address}", "--yes", code=1)
        self.assertIn("is node 2 of this cluster", self.err)
        self.assertIn("node remove ID --force", self.err)

    def test_work_that_outlasts_the_wait_is_4(self):
        address = f"127.0.0.1:{free_port()}"
        with open(self.path("node4.log"), "wb") as log:
            node = subprocess.Popen([MERIDIAN, "node", "--dir", self.path("node4"), "--listen", address, "--region",
                                     "us-east"], stdout=log, stderr=log, env=ENVIRONMENT)
        self.addCleanup(end, node)
        began = time.monotonic()
        while True:  # until it listens
            done = subprocess.run([CTL, "--proxy", self.proxy, "-o", "json", "node", "add", f"us-east={address}", "--wait",
                                   "--wait-timeout", "1ms"], capture_output=True, env=ENVIRONMENT, check=False)
            if done.returncode == 4 or time.monotonic() - began > 30:
                break
            time.sleep(0.2)
        self.assertEqual(done.returncode, 4, done.stderr)
        started = json.loads(done.stdout)
        self.assertEqual(started["state"], "running")
        while not self.operation(started["operation_id"])["done"]:
            self.assertLess(time.monotonic() - began, 60)
            time.sleep(0.2)
        self.assertEqual(self.operation(started["operation_id"])["error"], "")
        removed = self.ctl_json("node", "remove", started["node_id"], "--yes", "--wait")
        self.assertEqual(removed["state"], "done")

    def operation(self, number):
        return next(o for o in self.ctl_json("status")["operations"] if o["id"] == number)

    def test_scan_is_one_document_and_ordered(self):
        rows = "".join(f"s{i:05},{i}\n" for i in range(2500))
        self.ctl("import", "-", "--format", "csv", "--key", "k", "--value", "v", "--prefix", "scan/",
                 stdin=("k,v\n" + rows).encode())
        entries = self.ctl_json("scan", "scan/")["entries"]
        self.assertEqual([e["key"] for e in entries], [f"scan/s{i:05}" for i in range(2500)])
        some = self.ctl_json("scan", "--start", "scan/s00010", "--end", "scan/s00020", "--reverse", "--limit", "3")
        self.assertEqual([e["value"] for e in some["entries"]], ["19", "18", "17"])
        self.assertEqual(self.ctl("scan", "scan/s0001", "--keys-only").count(b"\n"), 10)
        self.assertEqual(self.ctl_json("scan", "nothing/")["entries"], [])

    def test_import_stops_at_a_bad_record_and_goes_on(self):
        good = [f"{i},value {i}\n".encode() for i in range(5000)]
        lines = [b"id,text\n", *good]
        lines[3001] = b"this one is bad\n"
        file, state = self.write("some.csv", b"".join(lines)), self.path("some.state")
        command = ["import", file, "--format", "csv", "--key", "id", "--value", "text", "--prefix", "resumed/",
                   "--resume", state, "--batch", "50"]
        self.assertFalse(self.ctl_json(*command, code=2)["complete"])
        self.assertIn("line 3002", self.err)
        with open(state, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["records"], 3000)
        lines[3001] = b"3000,corrected\n"
        self.write("some.csv", b"".join(lines))
        done = self.ctl_json(*command)
        self.assertEqual((done["records"], done["complete"]), (5000, True))
        self.assertEqual(self.ctl("get", "resumed/3000", "--raw"), b"corrected")
        self.assertEqual(len(self.ctl_json("scan", "resumed/", "--keys-only")["entries"]), 5000)
        self.assertIn("complete", (self.ctl(*command), self.err)[1])

    def test_import_leaves_bad_records_out_and_the_last_value_wins(self):
        lines = [json.dumps({"id": i % 7, "v": i}) for i in range(1000)]
        lines.insert(10, "nonsense")
        lines.insert(500, json.dumps({"id": "x" * 5000, "v": 1}))  # the cluster refuses it, not the reader
        done = self.ctl_json("import", "-", "--format", "jsonl", "--key", "id", "--value", "v", "--prefix", "dup/",
                             "--skip-bad", stdin="\n".join(lines).encode())
        self.assertEqual((done["records"], done["skipped"]), (1000, 2))
        self.assertIn("line 11", self.err)
        self.assertIn("line 501", self.err)
        for i in range(7):
            self.assertEqual(int(self.ctl("get", f"dup/{i}", "--raw")), max(v for v in range(1000) if v % 7 == i))

    def test_import_keeps_the_bytes_of_numbers(self):
        lines = [b'{"id":12345678901234567890123,"v":1.10}', b'{"id":12345678901234567890124,"v":1E400}',
                 b'{"id":3,"v":19.99}', b'{"id":4,"v":{"b": 1.0,"a":[]}}']
        self.ctl("import", "-", "--format", "jsonl", "--key", "id", "--value", "v", "--prefix", "num/",
                 stdin=b"\n".join(lines))
        for key, value in (("12345678901234567890123", b"1.10"), ("12345678901234567890124", b"1E400"), ("3", b"19.99"),
                           ("4", b'{"b": 1.0,"a":[]}')):
            self.assertEqual(self.ctl("get", f"num/{key}", "--raw"), value)
        self.ctl("import", "-", "--format", "jsonl", "--key", "id", "--prefix", "num/", stdin=b'{"id":5}\n{"id":{}}\n',
                 code=2)
        self.assertIn("line 2", self.err)

    def test_bad_data_is_2_whatever_way_it_comes(self):
        big = b"x" * (1 << 20) + b"y"
        self.ctl("put", "bad", "-", stdin=big, code=2)
        for more in ([], ["--skip-bad"]):
            self.ctl("import", "-", "--format", "csv", "--key", "k", "--value", "v", *more, stdin=b"k,v\nbad," + big,
                     code=2)
            self.assertIn("line 2", self.err)
            self.ctl("import", "-", "--format", "csv", "--key", "k", "--value", "v", *more, stdin=b"k,v\nbad\n", code=2)
        self.assertIn("every record is bad", self.err)
        self.ctl("import", "-", "--format", "csv", "--key", "k", "--value", "v", stdin=b"k,v\n")
        self.ctl("get", "bad", code=3)

    def test_a_changed_file_is_not_gone_on_with(self):
        rows = b"".join(f"{i},value {i}\n".encode() for i in range(3000))
        file, state = self.write("changed.csv", b"k,v\n" + rows + b"bad\n"), self.path("changed.state")
        command = ["import", file, "--format", "csv", "--key", "k", "--value", "v", "--prefix", "changed/", "--resume",
                   state]
        self.ctl(*command, code=2)
        self.write("changed.csv", b"k,v\n" + rows.replace(b"7,value 7\n", b"7,value 8\n") + b"3000,x\n")
        self.ctl(*command, code=2)
        self.assertIn("state of another file", self.err)
        self.ctl("get", "changed/3000", code=3)
        self.write("changed.csv", b"k,v\n" + rows + b"3000,x\n")
        self.ctl(*command)
        self.ctl(*command)
        self.assertIn("is complete: 3,001 records", self.err)
        self.write("changed.csv", b"k,v\n" + rows + b"3000,x\n3001,y\n")  # it has grown
        self.ctl(*command, code=2)
        self.assertIn("when all was done", self.err)
        self.ctl(*command[:-1], self.directory.name, code=2)
        self.assertIn("Is a directory", self.err)

    def test_a_changed_export_is_not_gone_on_with(self):
        for i in range(3):
            self.ctl("put", f"exp/{i}", "v")
        file, state = self.path("exported.csv"), self.path("exported.state")
        command = ["export", file, "--format", "csv", "--prefix", "exp/", "--resume", state]
        self.ctl(*command)
        self.assertIn("3 records exported", self.err)
        self.ctl(*command)
        self.assertIn("is complete", self.err)
        self.ctl(*[*command[:5], "exp/1", *command[6:]], code=2)  # another range
        self.assertIn("state of other work", self.err)
        os.remove(file)
        self.ctl(*command, code=2)
        self.write("exported.csv", b"key,value\n")
        self.ctl(*command, code=2)
        self.assertIn("state of another file", self.err)

    def test_times_are_taken_as_they_are_shown(self):
        self.ctl("put", "when", "before")
        as_of = re.search(rb"as of +(\S+Z) \((\d+)\)", self.ctl("get", "when"))
        self.ctl("put", "when", "after")
        for at in as_of.groups():
            self.assertEqual(self.ctl("get", "when", "--raw", "--at", at.decode()), b"before")
        self.ctl("get", "when", "--at", "2099-01-01T00:00:00Z", code=1)
        self.assertIn("2099-01-01T00:00:00.000000Z (", self.err)
        self.ctl("scan", "when", "--at", as_of[1].decode())
        self.assertIn("1 entry, as of", self.err)
        self.ctl("export", "--format", "csv", "--prefix", "when", "--at", as_of[1].decode())
        self.assertIn("1 record exported, as of", self.err)

    def test_raw_prints_the_value_and_nothing_else(self):
        self.ctl("put", "raw", "value")
        self.assertEqual(self.ctl("get", "raw", "--raw"), b"value")
        self.assertEqual(self.ctl("-o", "json", "get", "raw", "--raw"), b"value")
        self.assertEqual(self.ctl("get", "raw/none", "--raw", code=3), b"")

    def test_errors_are_json_on_standard_error(self):
        self.assertEqual(self.ctl("-o", "json", "get", "k", "--keyspace", "none", code=3), b"")
        self.assertEqual(json.loads(self.err)["error"]["code"], "not found")
        self.ctl("-o", "json", "import", "-", "--format", "csv", "--key", "k", "--value", "v", stdin=b"k,v\nbad\n", code=2)
        for line in self.err.splitlines():
            self.assertEqual(len(json.loads(line)), 1)

    def test_what_is_not_there_is_not_counted(self):
        out = self.ctl("import", "-", "--format", "csv", "--key", "k", "--value", "v", stdin=b"k,v\none,1\n")
        self.assertEqual(out, b"1 record imported\n")

    def test_export_and_import_round_trip(self):
        self.ctl("put", "-e", "round/\\xff,\"\\n", "--value-file", self.write("all", bytes(range(256))))
        self.ctl("put", "round/plain", "a,b\n\"c\"\t")
        self.ctl("put", "round/empty", "--value-file", self.write("none", b""))
        before = self.ctl_json("scan", "round/")["entries"]
        self.assertEqual(len(before), 3)
        for form in ("csv", "tsv", "jsonl"):
            file = self.path("round." + form)
            done = self.ctl_json("export", file, "--format", form, "--prefix", "round/")
            self.assertEqual(done["records"], 3)
            self.ctl("export", file, "--format", form, "--prefix", "round/", code=2)  # it exists
            self.ctl("import", file, "--format", form, "--key", "key", "--value", "value", "--prefix", form + "/")
            after = self.ctl_json("scan", form + "/round/")["entries"]
            strip = lambda e: {k: v for k, v in e.items() if k.startswith("value")}
            self.assertEqual([strip(e) for e in after], [strip(e) for e in before], form)
            out = self.ctl("export", "--format", form, "--prefix", "round/")
            with open(file, "rb") as f:
                self.assertEqual(out, f.read())

    def test_bench_prints_one_line_of_json(self):
        for op in ("put", "get", "mixed"):
            done = subprocess.run([BENCH, "--proxy", self.proxy, "--op", op, "--clients", "8", "--duration", "500ms",
                                   "--keys", "100", "--preload", "100", "-o", "json"], capture_output=True, text=True,
                                  timeout=60, env=ENVIRONMENT, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual((result["op"], result["clients"], result["errors"]), (op, 8, 0))
            self.assertGreater(result["ops_per_s"], 0)

    def test_bench_shows_its_load_phase_on_a_terminal_alone(self):
        command = [BENCH, "--proxy", self.proxy, "--op", "get", "--duration", "100ms", "--keys", "1000", "--preload", "1000"]
        controller, terminal = os.openpty()
        self.addCleanup(os.close, controller)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env=ENVIRONMENT) as bench:
            os.close(terminal)
            shown = b""
            while b"\n" not in shown:
                shown += os.read(controller, 4096)
            self.assertEqual(bench.wait(), 0)
        self.assertRegex(shown, rb"load  \[#+\] 100 %  .*1,000 records")
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT, check=True)
        self.assertEqual(done.stderr, b"")

    def bench(self, *arguments, duration="500ms"):
        done = subprocess.run([BENCH, "--proxy", self.proxy, "--duration", duration, *arguments, "-o", "json"],
                              capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("\n"), 1)
        return json.loads(done.stdout)

    def test_bench_runs_ycsbs_workloads_over_the_keys_it_loads(self):
        kinds = {"a": {"get", "put"}, "b": {"get", "put"}, "c": {"get"}, "d": {"get", "insert"}, "e": {"scan", "insert"},
                 "f": {"get", "rmw"}}
        for letter, expected in kinds.items():
            result = self.bench("--workload", letter, "--keys", "300", "--clients", "8")
            self.assertEqual(set(result["kinds"]), expected)
            self.assertEqual((result["errors"], result["not_found"]), (0, 0), letter)
            self.assertGreater(min(kind["ops"] for kind in result["kinds"].values()), 0, letter)
            self.assertEqual(result["ops"], sum(kind["ops"] for kind in result["kinds"].values()))

    def test_bench_puts_batches_of_several_keys(self):
        result = self.bench("--op", "batch", "--batch", "5", "--keys", "100", "--clients", "8")
        self.assertEqual((result["op"], result["batch_keys"], result["errors"]), ("batch", 5, 0))
        self.assertGreater(result["ops"], 0)
        versions = [e["version"] for e in self.ctl_json("scan", "key0000000000", "--keys-only")["entries"]]
        self.assertLess(len(set(versions)), len(versions))  # keys of one batch have one version
        mixed = self.bench("--weights", "batch=1,get=1", "--keys", "100", "--clients", "8")
        self.assertEqual(set(mixed["kinds"]), {"batch", "get"})

    def test_bench_keeps_to_a_rate_and_draws_it(self):
        with tempfile.TemporaryDirectory() as directory:
            picture = os.path.join(directory, "run.svg")
            result = self.bench("--op", "put", "--rate", "200", "--arrivals", "uniform", "--series", "--svg", picture,
                                duration="1500ms")
            self.assertEqual(result["ops"] + result["dropped"], 299)  # 5 ms to 1,495 ms
            self.assertEqual(sum(second["ops"] for second in result["series"]), result["ops"])
            with open(picture, encoding="utf-8") as svg:
                self.assertTrue(svg.read().endswith("</svg>\n"))

    def puts_at_proxy(self):
        host, port = self.proxy.split(":")
        with urllib.request.urlopen(f"http://{host}:{int(port) + 100}/metrics", timeout=10) as response:
            metrics = response.read().decode()
        return int(re.search(r'^meridian_proxy_requests_total{[^}]*method="kv.put"} (\d+)', metrics, re.M).group(1))

    def test_bench_counts_latency_from_when_a_request_was_due(self):
        before = self.puts_at_proxy()
        with subprocess.Popen([BENCH, "--proxy", self.proxy, "--op", "put", "--rate", "200", "--arrivals", "uniform",
                               "--duration", "3s", "-o", "json"], stdout=subprocess.PIPE, text=True,
                              env=ENVIRONMENT) as bench:
            while self.puts_at_proxy() == before:
                self.assertIsNone(bench.poll())
            bench.send_signal(signal.SIGSTOP)
            time.sleep(0.5)  # the requests due meanwhile are sent late, and answered fast
            bench.send_signal(signal.SIGCONT)
            result = json.loads(bench.communicate(timeout=60)[0])
        self.assertEqual(result["ops"] + result["dropped"], 599)
        self.assertGreater(result["send_delay_max_ms"], 400)
        self.assertGreater(result["max_ms"], 400)
        self.assertGreater(result["p90_ms"], 100)  # a sixth of all were due in the pause

    def test_bench_counts_what_it_does_not_send(self):
        result = self.bench("--op", "put", "--rate", "20000", "--max-in-flight", "2")
        self.assertGreater(result["dropped"], 0)
        self.assertEqual(result["errors"], 0)

    def test_bench_sweeps(self):
        result = self.bench("--op", "get", "--sweep-keys", "10,100", "--sweep-value-bytes", "1,1000", "--clients", "4")
        self.assertEqual([(row["keys"], row["value_bytes"]) for row in result["sweep"]],
                         [(10, 1), (10, 1000), (100, 1), (100, 1000)])
        self.assertEqual(sum(row["not_found"] for row in result["sweep"]), 0)

    def test_watch_shows_again_and_again(self):
        with subprocess.Popen([CTL, "--proxy", self.proxy, "-o", "json", "status", "--watch", "--interval", "100ms"],
                              stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as watch:
            began = time.monotonic()
            for _ in range(3):
                self.assertTrue(json.loads(watch.stdout.readline())["nodes"])
            self.assertGreater(time.monotonic() - began, 0.15)
            watch.terminate()


class Death(WithCluster):
    def state(self, path):
        if not os.path.exists(path):
            return {"records": 0}
        with open(path, encoding="utf-8") as f:
            return json.load(f)

    def test_an_import_goes_on_after_the_death_of_the_cluster(self):
        count = 60_000
        # Half of the keys stand twice: the later value has to win, wherever the cluster died.
        rows = [f"k{i % 40_000:06},{i} {'x' * 200}\n" for i in range(count)]
        file = self.write("many.csv", ("k,v\n" + "".join(rows)).encode())
        state = self.path("many.state")
        command = ["import", file, "--format", "csv", "--key", "k", "--value", "v", "--resume", state, "--retry-for", "1s",
                   "--timeout", "1s", "--batch", "20", "--parallel", "4"]
        with subprocess.Popen([CTL, "--proxy", self.proxy, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=ENVIRONMENT) as running:
            while self.state(state)["records"] == 0:
                self.assertIsNone(running.poll())
                time.sleep(0.02)
            self.daemon.kill()
            self.daemon.communicate()
            running.communicate(timeout=60)
        self.assertNotEqual(running.returncode, 0)
        at = self.state(state)
        self.assertFalse(at["done"])
        self.assertTrue(0 < at["records"] < count, at)
        self.start()
        done = self.ctl_json(*command)
        self.assertEqual((done["records"], done["complete"]), (count, True))
        entries = self.ctl_json("scan", "k")["entries"]
        self.assertEqual(len(entries), 40_000)
        for i, entry in enumerate(entries):
            self.assertEqual(entry["value"].split()[0], str(i + 40_000 if i < 20_000 else i))


if __name__ == "__main__":
    CTL, BENCH, MERIDIAN = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
