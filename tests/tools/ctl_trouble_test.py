#!/usr/bin/python3
"""meridianctl where clusters are being formed, are gone, are others than before, or do not answer for long.

    ctl_trouble_test.py PATH/TO/meridianctl PATH/TO/meridian-bench PATH/TO/meridian [unittest arguments]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import ctl_cluster_test as programs


class Pieces(unittest.TestCase):
    """Nodes and proxies, each a process of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = programs.free_port()
        self.running = {}
        self.addCleanup(self.stop_all)

    def stop_all(self):
        for name in list(self.running):
            self.kill(name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, name, *arguments):
        with open(self.path(name + ".log"), "ab") as log:
            self.running[name] = subprocess.Popen([programs.MERIDIAN, *arguments], stdout=log, stderr=log,
                                                  env=programs.ENVIRONMENT)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.communicate()

    def address(self, i):
        return f"127.0.0.1:{self.port + i}"

    def start_node(self, i, *arguments):
        self.start(f"n{i}", "node", "--dir", self.path(f"n{i}"), "--listen", self.address(i), "--region", f"r{i}",
                   *arguments)

    def start_proxy(self):
        self.start("proxy", "proxy", "--listen", self.address(0), "--nodes",
                   ",".join(self.address(i) for i in (1, 2, 3)), "--region", "r1")

    def ctl(self, *arguments, code=None, timeout="10s", **more):
        done = subprocess.run([programs.CTL, "--proxy", self.address(0), "--timeout", timeout, *map(str, arguments)],
                              capture_output=True, text=True, timeout=200, env=programs.ENVIRONMENT, check=False, **more)
        if code is not None:
            self.assertEqual(done.returncode, code, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return done.returncode, done.stdout, done.stderr

    def until_status_says(self, text):
        deadline = time.monotonic() + 30
        while True:
            code, out, err = self.ctl("status")
            if text in out:
                return code, out + err
            self.assertLess(time.monotonic(), deadline, out + err)

    def init(self, **more):
        nodes = [word for i in (1, 2, 3) for word in ("--node", f"r{i}={self.address(i)}")]
        return self.ctl("cluster", "init", *nodes, **more)

    def form(self, *arguments):
        for i in (1, 2, 3):
            self.start_node(i, *arguments)
        self.start_proxy()
        self.until_status_says("answers, but is empty")
        self.init(code=0)


class Forming(Pieces):
    def test_status_says_what_is_there_and_advises_no_second_cluster(self):
        for i in (1, 2, 3):
            self.start_node(i)
        self.start_proxy()
        code, said = self.until_status_says("answers, but is empty")
        self.assertEqual(code, 3)
        self.assertIn("cluster init", said)
        self.kill("n1")  # who is silent may be a cluster
        self.assertNotIn("cluster init", self.until_status_says("does not answer")[1])
        self.assertNotIn("cluster init", self.ctl("put", "k", "v", timeout="300ms")[2])
        self.start_node(1)
        self.until_status_says("answers, but is empty")
        self.init(code=0)
        self.ctl("status", code=0)  # at once

        for name in ("n1", "n2", "n3", "proxy"):
            self.kill(name)
        self.start_proxy()
        code, said = self.until_status_says("no node answers")
        self.assertEqual(code, 3)
        self.assertNotIn("cluster init", said)

    def test_a_cluster_made_anew_behind_a_running_proxy_is_told(self):
        self.form()
        for i in (1, 2, 3):
            self.kill(f"n{i}")
            shutil.rmtree(self.path(f"n{i}"))
            self.start_node(i)
        self.assertEqual(self.until_status_says("answers, but is empty")[0], 3)
        code, out, err = self.init(timeout="2s")  # the proxy holds on to the old one
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("nothing was formed", err)
        self.kill("proxy")
        self.start_proxy()
        self.until_status_says("answers, but is empty")
        self.init(code=0)

    def test_forming_that_takes_its_time_is_4(self):
        for i in (1, 2, 3):
            self.start_node(i, "--raft-election-timeout", "30s", "--raft-heartbeat-interval", "1s")
        self.start_proxy()
        self.until_status_says("answers, but is empty")
        _, out, err = self.init(timeout="3s", code=4)
        self.assertIn("REGION", out)
        self.assertIn("formed, and not healthy after 3s", err)


class LongOutage(Pieces):
    def test_an_import_outlives_the_memory_of_request_ids(self):
        self.form("--limits-request-window", "10s")
        count = 40_000
        file, state = self.path("many.csv"), self.path("many.state")
        with open(file, "w", encoding="utf-8") as f:
            f.write("k,v\n" + "".join(f"k{i:06},{i} {'x' * 200}\n" for i in range(count)))
        command = [programs.CTL, "--proxy", self.address(0), "-o", "json", "--timeout", "2s", "import", file, "--format",
                   "csv", "--key", "k", "--value", "v", "--resume", state, "--batch", "20", "--parallel", "4"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=programs.ENVIRONMENT) as running:
            while not self.records(state):
                self.assertIsNone(running.poll())
                time.sleep(0.02)
            for name in ("n1", "n2"):
                self.running[name].send_signal(signal.SIGSTOP)
            time.sleep(13)  # the outage: longer than ids are remembered, and two clocks may differ
            for name in ("n1", "n2"):
                self.running[name].send_signal(signal.SIGCONT)
            began = time.monotonic()
            out, err = running.communicate(timeout=180)
        self.assertEqual(running.returncode, 0, err[-2000:])
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(json.loads(out)["records"], count)
        entries = json.loads(self.ctl("-o", "json", "scan", "k", code=0)[1])["entries"]
        self.assertEqual([entry["value"].split()[0] for entry in entries], [str(i) for i in range(count)])

    def records(self, state):
        if not os.path.exists(state):
            return 0
        with open(state, encoding="utf-8") as f:
            return json.load(f)["records"]


class Anew(programs.WithCluster):
    def cluster(self):
        return self.ctl_json("status")["cluster_id"]

    def test_a_state_is_of_one_cluster(self):
        rows = "".join(f"k{i:04},{i}\n" for i in range(1000))
        imported = self.write("data.csv", ("k,v\n" + rows).encode())
        exported = self.path("out.csv")
        commands = [["import", imported, "--format", "csv", "--key", "k", "--value", "v", "--resume",
                     self.path("import.state")],
                    ["export", exported, "--format", "csv", "--prefix", "k", "--resume", self.path("export.state")]]
        for command in commands:
            self.ctl(*command)
        before = self.cluster()
        programs.end(self.daemon)
        shutil.rmtree(self.path("data"))
        self.start()
        after = self.cluster()
        self.assertNotEqual(before, after)
        for command in commands:
            self.ctl(*command, code=2)
            self.assertIn(before, self.err)
            self.assertIn(after, self.err)
        self.assertEqual(self.ctl_json("scan", "k")["entries"], [])


class Two(programs.WithCluster):
    def ctl_at(self, proxy, *arguments, **more):
        self.proxy = proxy  # of this test alone
        try:
            return self.ctl(*arguments, **more)
        finally:
            del self.proxy

    def test_proxies_of_two_clusters_are_refused_and_both_named(self):
        port = programs.free_port()
        with open(self.path("other.log"), "wb") as log:
            other = subprocess.Popen([programs.MERIDIAN, "local", "--dir", self.path("other"), "--port", str(port)],
                                     stdout=subprocess.PIPE, stderr=log, text=True, env=programs.ENVIRONMENT)
        self.addCleanup(programs.end, other)
        self.assertTrue(any("is ready" in line for line in other.stdout))
        one, two = self.proxy, f"127.0.0.1:{port}"
        clusters = [json.loads(self.ctl_at(proxy, "-o", "json", "status"))["cluster_id"] for proxy in (one, two)]
        both = f"{one},{two}"
        rows = b"k,v\n" + b"".join(b"k%d,%d\n" % (i, i) for i in range(1000))
        for command in (["status"], ["put", "k", "v"], ["get", "k"], ["node", "remove", "1", "--yes"],
                        ["import", "-", "--format", "csv", "--key", "k", "--value", "v"]):
            self.ctl_at(both, *command, stdin=rows, code=2)
            for cluster in clusters:
                self.assertIn(cluster, self.err)
        for proxy in (one, two):
            self.assertEqual(json.loads(self.ctl_at(proxy, "-o", "json", "scan"))["entries"], [])
        done = subprocess.run([programs.BENCH, "--proxy", both, "--duration", "100ms"], capture_output=True, text=True,
                              timeout=60, env=programs.ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        # One that is down is no other cluster, and holds nobody up.
        began = time.monotonic()
        self.ctl_at(f"{one},127.0.0.1:{port + 50}", "put", "k", "v")
        self.assertLess(time.monotonic() - began, 1.9)  # the patience with it is 2 s


if __name__ == "__main__":
    programs.CTL, programs.BENCH, programs.MERIDIAN = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
