#!/usr/bin/python3
"""Bad input that only shows with processes: directories that are not a node's own, full disks, garbage on every port,
and what the public API refuses. Each gets a clear, typed error and changes nothing. (A port in use, one directory for two
and configuration files: tests/server/daemon_test.py.)

    bad_input_test.py BUILD_DIR [unittest arguments]
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import grpc
from cluster import Cluster, REGIONS, admin, build_argument, error_of, free_ports, http, kv, metric, wait_until

BUILD = ""
Code = grpc.StatusCode


class Directories(unittest.TestCase):
    """What a node may find where its data should be."""

    def edit_identity(self, node, **changes):
        path = f"{node.dir}/IDENTITY"
        with open(path, encoding="utf-8") as f:
            identity = json.load(f)
        identity.update(changes)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(identity, f)

    def refuses_to_start(self, node, *what):
        node.start()
        self.assertEqual(node.wait(), 1, node.text())
        for text in what:
            self.assertIn(text, node.text())

    def test_of_another_region_of_a_newer_format_or_damaged(self):
        with Cluster(BUILD) as c:
            c.form()
            node = c.followers()[0]
            self.assertEqual(node.terminate(), 0)
            with open(f"{node.dir}/IDENTITY", encoding="utf-8") as f:
                kept = f.read()

            elsewhere = c.make_node("elsewhere", "mars", node.dir)
            self.refuses_to_start(elsewhere, node.dir, f"region {node.region}, not mars")

            self.edit_identity(node, format_version=2, something_new={"a": [1]})
            self.refuses_to_start(node, node.dir, "format 2", "reads format 1")

            with open(f"{node.dir}/IDENTITY", "w", encoding="utf-8") as f:
                f.write("{ not json")
            self.refuses_to_start(node, f"{node.dir}/IDENTITY")

            with open(f"{node.dir}/IDENTITY", "w", encoding="utf-8") as f:
                f.write(kept)
            os.rename(f"{node.dir}/log", f"{node.dir}/log.gone")
            self.refuses_to_start(node, node.dir)
            shutil.rmtree(f"{node.dir}/log", ignore_errors=True)
            os.rename(f"{node.dir}/log.gone", f"{node.dir}/log")

            # A refusal changes nothing.
            node.start()
            c.wait_healthy()

    def test_of_another_cluster(self):
        with Cluster(BUILD) as a, Cluster(BUILD) as b:
            a.form()
            b.form()
            stray, victim = a.followers()[0], b.followers()[0]
            stray.kill()
            victim.kill()
            # At the address of one of b's nodes, with a's data.
            there = b.make_node("stray", stray.region, stray.dir)
            there.argv[there.argv.index("--listen") + 1] = victim.address
            there.start()
            wait_until(there.listens, "the stray node listens")
            for i in range(50):
                b.stub().Put(kv.PutRequest(key=b"k%d" % i, value=b"b"), timeout=20)
            wait_until(lambda: any(n.address == victim.address and (not n.reachable or "cluster" in n.trouble)
                                   for n in b.status().nodes), "the stray node is not taken for one of the cluster")
            there.kill()

            # Asked to join, with data of its own. It says whose it is.
            there = b.make_node("joins", stray.region, stray.dir).start()
            wait_until(there.listens, "the stray node listens")
            code, _, err = b.ctl("node", "add", f"{stray.region}={there.address}", "--wait", code=None)
            self.assertEqual(code, 1, err)
            self.assertIn("a new node needs an empty directory", err)
            self.assertIn(f"{a.status().cluster_id:016x}", err)

            # Its identity changed to the other cluster's: the data says otherwise.
            there.kill()
            self.edit_identity(there, cluster_id=str(b.status().cluster_id))
            self.refuses_to_start(there, there.dir, f"{a.status().cluster_id:016x}")
            victim.start()
            b.wait_healthy()
            # Its own cluster has it back, unharmed.
            self.edit_identity(there, cluster_id=str(a.status().cluster_id))
            stray.start()
            a.wait_healthy()

    def test_two_nodes_with_one_identity(self):
        with Cluster(BUILD) as c:
            c.form()
            node = c.followers()[0]
            # Copied while it stood still: the copy is as good as the original, and both start.
            self.assertEqual(node.terminate(), 0)
            shutil.copytree(node.dir, f"{c.dir}/copy")
            twin = c.make_node("twin", node.region, f"{c.dir}/copy")
            with c.start_writer("--seconds", 300, "--workers", 8, "--rate", 200) as load:
                node.start()
                twin.start()
                wait_until(lambda: not (node.running() and twin.running()), "one of the two stops")
                stopped, stays = (twin, node) if node.running() else (node, twin)
                self.assertEqual(stopped.wait(), 1)
                self.assertIn("two nodes have one identity", stopped.text())
                self.assertIn(stays.address, stopped.text())
                wait_until(stays.ready, "the other goes on")  # perhaps at an address that the proxy does not know
                load.wait_progress(50_000)

                # A copy of one that runs: the copy is the newer incarnation, and is believed unless it is found to be
                # without what the other has acknowledged since.
                stays.signal(signal.SIGSTOP)
                shutil.copytree(stays.dir, f"{c.dir}/second")
                stays.signal(signal.SIGCONT)
                second = c.make_node("second", node.region, f"{c.dir}/second").start()
                wait_until(lambda: not (stays.running() and second.running()), "one of the two stops")
                stopped = second if stays.running() else stays
                self.assertEqual(stopped.wait(), 1)
                self.assertRegex(stopped.text(), "two nodes have one identity|older than what node . has promised")

                # While the copy speaks the original is refused, and may stop as well; its supervisor starts it again.
                def one_goes_on():
                    if not stays.running() and not second.running():
                        stays.start()
                    return any(n.running() and n.ready() for n in (stays, second))

                wait_until(one_goes_on, "one of the two goes on")
                load.wait_progress(50_000)
                load.stop()
            load.verify()


class FullDisks(unittest.TestCase):
    """Nodes on small file systems of their own, filled by somebody else."""

    MIB = 64

    def setUp(self):
        self.mounts = {}
        for i in range(3):
            path = tempfile.mkdtemp(prefix="meridian_disk_")
            self.addCleanup(shutil.rmtree, path, ignore_errors=True)
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.MIB}m", "tmpfs", path],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.skipTest(f"no file system can be mounted here: {done.stderr}")
            self.addCleanup(subprocess.run, ["umount", "-l", path], check=False)
            self.mounts[i] = path

    def cluster(self):
        return Cluster(BUILD, dirs={i: f"{path}/data" for i, path in self.mounts.items()},
                       node_arguments=("--storage-log-segment", "1MiB", "--storage-write-buffer", "1MiB"))

    def fill(self, node):
        with open(f"{os.path.dirname(node.dir)}/filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * (64 << 10))
            except OSError:
                pass

    def free(self, node):
        os.remove(f"{os.path.dirname(node.dir)}/filler")

    def load(self, c):
        return c.start_writer("--seconds", 300, "--workers", 32, "--rate", 400, "--value-bytes", 2000)

    def says_full(self, node):
        return metric(node.http, "meridian_log_full") == 1 or "full" in http(node.http, "/readyz")[1]

    def test_of_a_follower(self):
        with self.cluster() as c, self.load(c.form()) as load:
            load.wait_progress()
            node = c.followers()[0]
            self.fill(node)
            wait_until(lambda: self.says_full(node), "the node says that its disk is full")
            acknowledged = metric(c.leader().http, "meridian_raft_commit_index")
            load.wait_progress()
            self.assertGreater(metric(c.leader().http, "meridian_raft_commit_index"), acknowledged)
            self.assertTrue(node.running(), "a full disk is not a broken one")
            self.free(node)
            c.wait_healthy()
            wait_until(lambda: not self.says_full(node), "the node has room again")
            load.wait_progress()
            summary = load.stop()
            self.assertEqual(summary["info"], 0, summary["errors"])
            load.verify()

    def test_of_the_leader(self):
        with self.cluster() as c, self.load(c.form()) as load:
            load.wait_progress()
            full = c.leader()
            self.fill(full)
            wait_until(lambda: self.says_full(full), "the node says that its disk is full")
            # The others have room: they go on without it.
            wait_until(lambda: c.leader() is not full, "leadership moves away")
            load.wait_progress()
            self.assertTrue(full.running(), "a full disk is not a broken one")
            self.free(full)
            c.wait_healthy()
            load.wait_progress()
            summary = load.stop()
            self.assertLessEqual(set(summary["errors"]), {"disk full", "unavailable", "deadline exceeded", "busy", "unknown outcome"})
            load.verify()

    def test_of_all(self):
        with self.cluster() as c:
            c.form()
            for i in range(100):
                c.stub().Put(kv.PutRequest(key=b"k%d" % i, value=b"x" * 1000), timeout=20)
            # A follower that had not applied them all would rightly answer as of before.
            def as_far():
                status = c.try_status()
                return status and len({n.applied_index for n in status.nodes}) == 1
            wait_until(as_far, "all have applied them")
            for node in c.nodes:
                self.fill(node)
            codes = set()

            def refused():
                try:
                    c.stub().Put(kv.PutRequest(key=b"big", value=b"x" * 100_000), timeout=3)
                except grpc.RpcError as error:
                    codes.add(error.code())
                    return "full" in error.details()
                return False
            wait_until(refused, "a write is refused, and says why")
            self.assertLessEqual(codes, {Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE, Code.UNKNOWN, Code.DEADLINE_EXCEEDED})
            def says_why():
                try:
                    c.stub().Get(kv.GetRequest(key=b"k1"), timeout=3)
                except grpc.RpcError as error:
                    return "full" in error.details()
                return False  # still within what was promised before
            wait_until(says_why, "a read of what is newest is refused, and says why")
            # What is there can be read, as of a time at which it could still be written.
            past = kv.ReadOptions(consistency=kv.CONSISTENCY_ANY_REPLICA)
            for i in range(100):
                self.assertEqual(c.stub().Get(kv.GetRequest(key=b"k%d" % i, options=past), timeout=20).value, b"x" * 1000)
            for node in c.nodes:
                self.assertTrue(node.running())
                self.free(node)
            wait_until(lambda: not any(self.says_full(n) for n in c.nodes), "all have room again")
            c.wait_healthy()
            c.stub().Put(kv.PutRequest(key=b"after", value=b"y"), timeout=20)
            self.assertEqual(c.stub().Get(kv.GetRequest(key=b"after"), timeout=20).value, b"y")


class Ports(unittest.TestCase):
    """Garbage on every port, and what the public API refuses."""

    @classmethod
    def setUpClass(cls):
        cls.c = Cluster(BUILD)
        cls.c.form()
        cls.store = cls.c.stub()

    @classmethod
    def tearDownClass(cls):
        cls.c.__exit__(None, None, None)

    def tearDown(self):
        for process in [*self.c.nodes, self.c.proxy]:
            self.assertTrue(process.running(), process.text())
        self.c.wait_healthy()
        self.store.Put(kv.PutRequest(key=b"still", value=b"works"), timeout=20)

    def fails(self, call, code, definite=True):
        status, detail = error_of(call, kv)
        self.assertEqual(status, code, detail)
        self.assertTrue(detail.message)
        self.assertEqual(detail.definite, definite, detail)
        return detail.message

    def new_id(self, ahead_us=0):
        now = self.store.Hello(kv.HelloRequest(), timeout=20).cluster_time_us
        return kv.RequestId(time_us=now + ahead_us, client=random.getrandbits(64), sequence=1)

    def test_garbage_bytes(self):
        chance = random.Random(7)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for process in [*self.c.nodes, self.c.proxy]:
            for address in (process.address, process.http):
                host, port = address.split(":")
                for junk in (b"", chance.randbytes(10_000), b"\0" * 100, preface + chance.randbytes(500),
                             preface + b"\xff\xff\xff\x00\x00\x00\x00\x00\x00" + b"x" * 100, b"GET / HTTP/1.1\r\n" * 1000,
                             b"POST /livez HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n"):
                    with socket.create_connection((host, int(port)), timeout=10) as s:
                        try:
                            s.sendall(junk)
                            s.shutdown(socket.SHUT_WR)
                            s.settimeout(0.2)
                            while s.recv(65536):
                                pass
                        except OSError:
                            pass

    def test_malformed_messages_between_processes(self):
        chance = random.Random(11)
        batches = [b"\xff" * 20, b"\x0a\x05abc", *(chance.randbytes(chance.randrange(1, 300)) for _ in range(30))]
        # Frames that are well formed, for every number of a method, with what no method understands.
        for method in [*range(0, 80), *range(1000, 1040), 2**31, 2**63]:
            for kind in (0, 1):
                body = bytes([kind]) + (varint(7) if kind == 0 else b"") + varint(method) + varint(0) + varint(0) + b"\xff\xff\xff\xff"
                frame = varint(len(body)) + body
                batches.append(b"\x0a" + varint(len(frame)) + frame)
        for process in [*self.c.nodes, self.c.proxy]:
            with grpc.insecure_channel(process.address) as channel:
                for batch in batches:
                    stream = channel.stream_stream("/meridian.link.Link/Open")(iter([batch]), timeout=5)
                    try:
                        for _ in stream:
                            break
                    except grpc.RpcError:
                        pass
                    stream.cancel()

    def test_malformed_messages_of_the_public_api(self):
        with grpc.insecure_channel(self.c.proxy.address) as channel:
            for method in ("Get", "MultiGet", "Put", "Remove", "CompareAndSet", "Scan", "WriteBatch"):
                call = channel.unary_unary(f"/meridian.v1.KeyValue/{method}")
                for junk in (b"\xff\xff\xff\xff", b"\x12\x7f", b"\x12\xff\xff\xff\xff\x0f"):
                    with self.assertRaises(grpc.RpcError) as raised:
                        call(junk, timeout=20)
                    self.assertIn(raised.exception.code(), (Code.INVALID_ARGUMENT, Code.INTERNAL))
            with self.assertRaises(grpc.RpcError) as raised:
                channel.unary_unary("/meridian.v1.KeyValue/Nothing")(b"", timeout=20)
            self.assertEqual(raised.exception.code(), Code.UNIMPLEMENTED)

    def test_keys_and_values_outside_the_limits(self):
        s, bad = self.store, Code.INVALID_ARGUMENT
        long_key, long_value = b"k" * 4097, b"v" * ((1 << 20) + 1)
        for key in (b"", long_key):
            for call in (lambda k=key: s.Get(kv.GetRequest(key=k)), lambda k=key: s.Put(kv.PutRequest(key=k, value=b"v")),
                         lambda k=key: s.Remove(kv.RemoveRequest(key=k)), lambda k=key: s.MultiGet(kv.MultiGetRequest(keys=[b"a", k])),
                         lambda k=key: s.CompareAndSet(kv.CompareAndSetRequest(key=k, expected_absent=True, value=b"v")),
                         lambda k=key: s.WriteBatch(kv.WriteBatchRequest(mutations=[kv.Mutation(key=b"a", value=b"1"), kv.Mutation(key=k, value=b"v")]))):
                message = self.fails(call, bad)
                if key:
                    self.assertIn("4097", message)
                    self.assertIn("4096", message)
        message = self.fails(lambda: s.Put(kv.PutRequest(key=b"k", value=long_value)), bad)
        self.assertIn("1048577", message)
        self.assertIn("1048576", message)
        self.fails(lambda: s.WriteBatch(kv.WriteBatchRequest()), bad)
        twice = [kv.Mutation(key=b"a", value=b"1"), kv.Mutation(key=b"a", remove=True)]
        self.fails(lambda: s.WriteBatch(kv.WriteBatchRequest(mutations=twice)), bad)
        self.fails(lambda: s.WriteBatch(kv.WriteBatchRequest(mutations=[kv.Mutation(key=b"a")])), bad)
        many = [kv.Mutation(key=b"k%d" % i, value=b"x" * 1000) for i in range(5000)]
        self.fails(lambda: s.WriteBatch(kv.WriteBatchRequest(mutations=many)), bad)
        self.fails(lambda: s.CompareAndSet(kv.CompareAndSetRequest(key=b"a", value=b"v")), bad)
        self.fails(lambda: s.CompareAndSet(kv.CompareAndSetRequest(key=b"a", expected_absent=True)), bad)
        self.fails(lambda: s.Scan(kv.ScanRequest(prefix=b"a", start=b"a")), bad)
        self.fails(lambda: s.Scan(kv.ScanRequest(prefix=b"a", limit=10_001)), bad)
        self.fails(lambda: s.Scan(kv.ScanRequest(prefix=b"a", page_token=b"no token of ours")), bad)
        self.fails(lambda: s.MultiGet(kv.MultiGetRequest(keys=[b"k%d" % i for i in range(1001)])), bad)
        self.assertFalse(s.Get(kv.GetRequest(key=b"a"), timeout=20).found)
        # The longest that are allowed are stored.
        s.Put(kv.PutRequest(key=long_key[:-1], value=long_value[:-1]), timeout=20)
        self.assertEqual(s.Get(kv.GetRequest(key=long_key[:-1]), timeout=20).value, long_value[:-1])

    def test_an_unknown_keyspace(self):
        for call in (lambda: self.store.Get(kv.GetRequest(keyspace="nowhere", key=b"k")),
                     lambda: self.store.Put(kv.PutRequest(keyspace="nowhere", key=b"k", value=b"v")),
                     lambda: self.store.Scan(kv.ScanRequest(keyspace="nowhere"))):
            self.assertIn("nowhere", self.fails(call, Code.NOT_FOUND))

    def test_ids_from_the_future_and_from_long_ago(self):
        future = kv.PutRequest(key=b"future", value=b"v", id=self.new_id(60_000_000))
        self.fails(lambda: self.store.Put(future), Code.OUT_OF_RANGE)
        past = kv.PutRequest(key=b"past", value=b"v", id=self.new_id(-3600_000_000))
        self.fails(lambda: self.store.Put(past), Code.UNKNOWN, definite=False)
        for key in (b"future", b"past"):
            self.assertFalse(self.store.Get(kv.GetRequest(key=key), timeout=20).found)
        at = (self.store.Hello(kv.HelloRequest(), timeout=20).cluster_time_us + 60_000_000) << 12
        self.fails(lambda: self.store.Get(kv.GetRequest(key=b"k", options=kv.ReadOptions(at_timestamp=at))), Code.OUT_OF_RANGE)

    def test_one_id_with_two_payloads(self):
        once = kv.PutRequest(key=b"id", value=b"first", id=self.new_id())
        version = self.store.Put(once, timeout=20).version
        other = kv.PutRequest(key=b"id", value=b"second", id=once.id)
        self.fails(lambda: self.store.Put(other), Code.INVALID_ARGUMENT)
        self.fails(lambda: self.store.Remove(kv.RemoveRequest(key=b"id", id=once.id)), Code.INVALID_ARGUMENT)
        # Also by a leader that never saw the first.
        leader = self.c.leader()
        leader.kill()
        self.assertEqual(self.store.Put(once, timeout=20).version, version)
        self.fails(lambda: self.store.Put(other), Code.INVALID_ARGUMENT)
        leader.start()
        self.c.wait_healthy()
        self.assertEqual(self.store.Get(kv.GetRequest(key=b"id"), timeout=20).value, b"first")

    def test_a_node_with_another_election_timeout(self):
        with Cluster(BUILD) as c:
            c.form()
            odd = c.followers()[0]
            odd.kill()
            odd.argv += ["--raft-election-timeout", "1s"]
            odd.start()
            wait_until(lambda: "raft.election_timeout = 500 ms, this node 1000 ms" in http(odd.http, "/readyz")[1],
                       "it says why it takes no part")
            with c.start_writer("--seconds", 300, "--workers", 8, "--rate", 200) as load:
                load.wait_progress(50_000)
                load.stop()
            load.verify()
            odd.kill()
            odd.argv[-1] = "500ms"
            odd.start()
            c.wait_healthy()

    def test_a_port_in_use_by_another_of_the_cluster(self):
        node = self.c.make_node("late", REGIONS[0])
        node.argv[node.argv.index("--listen") + 1] = self.c.nodes[0].address
        node.start()
        self.assertEqual(node.wait(), 1)
        self.assertIn(f"cannot listen on {self.c.nodes[0].address}: port", node.text())

    def test_a_cluster_formed_twice(self):
        specs = [f"--node={n.region}={n.address}" for n in self.c.nodes]
        again = self.c.ctl("cluster", "init", *specs)
        self.assertEqual(int(again["cluster_id"], 16), self.c.status().cluster_id)
        spare = self.c.make_node("spare", REGIONS[0]).start()
        wait_until(spare.listens, "it listens")
        code, _, err = self.c.ctl("cluster", "init", *specs[:2], f"--node={REGIONS[0]}={spare.address}", code=None)
        self.assertEqual(code, 1, err)
        self.assertIn("already", err)
        spare.kill()
        code, _, err = self.c.ctl("cluster", "init", f"--node=nowhere=127.0.0.1:{free_ports(1)[0]}", code=None)
        self.assertNotEqual(code, 0)
        self.assertTrue(err)


def varint(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


if __name__ == "__main__":
    BUILD = build_argument()
    unittest.main(verbosity=2)
