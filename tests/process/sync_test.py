#!/usr/bin/python3
"""Nothing is acknowledged before a majority has it on disk: with a counter in every node (count_syncs.c) of what is done
to its log. One writer: between the start of each write and its answer the logs of two nodes at least were synced. Many
writers: every write to a log is followed by a sync of its own, and the writers share them.

    sync_test.py BUILD_DIR
"""

import json
import mmap
import struct
import subprocess
import unittest

import cluster
from cluster import Cluster, kv

BUILD = cluster.build_argument()
WRITES = 300
CLIENTS, SECONDS = 64, 3


class Counts:
    def __init__(self, path):
        with open(path, "wb+") as file:
            file.truncate(16)
            self.map = mmap.mmap(file.fileno(), 16)

    def read(self):
        """(writes, syncs)"""
        return struct.unpack("=QQ", self.map[:16])


class SyncTest(unittest.TestCase):
    def test_acknowledged_is_on_the_disks_of_a_majority(self):
        with Cluster(BUILD) as c:
            counts = []
            for node in c.nodes:
                path = f"{c.dir}/{node.name}.counts"
                counts.append(Counts(path))
                node.environment = {"LD_PRELOAD": c.program("tests/process/libcount_syncs.so"), "COUNT_SYNCS": path}
            c.form()
            self.one_writer(c, counts)
            self.many_writers(c, counts)

    def one_writer(self, c, counts):
        first = [n.read() for n in counts]
        stub = c.stub()
        for i in range(WRITES):
            before = [n.read()[1] for n in counts]
            stub.Put(kv.PutRequest(key=b"key %d" % i, value=b"x"), timeout=10)
            synced = sum(n.read()[1] > b for n, b in zip(counts, before))
            self.assertGreaterEqual(synced, 2, f"write {i} was acknowledged with the logs of {synced} nodes synced")
        last = [n.read() for n in counts]
        print("one writer, syncs a write:", ", ".join(f"{(b[1] - a[1]) / WRITES:.2f}" for a, b in zip(first, last)))

    def many_writers(self, c, counts):
        first = [n.read() for n in counts]
        result = subprocess.run([c.program("tools/bench/meridian-bench"), "--proxy", c.proxy.address, "--op", "put",
                                 "--clients", str(CLIENTS), "--duration", f"{SECONDS}s", "--keys", "1000", "--preload", "0",
                                 "-o", "json"], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        done = json.loads(result.stdout.splitlines()[-1])
        operations = done["ops_per_s"] * SECONDS
        for node, a in zip(c.nodes, first):
            b = counts[c.nodes.index(node)].read()
            writes, syncs = b[0] - a[0], b[1] - a[1]
            print(f"{node.name}: {writes} writes of its log, {syncs} syncs, {operations / max(syncs, 1):.1f} operations a sync")
            self.assertGreater(syncs, 0, node.name)
            # One may be under way; a new segment's header is synced for itself.
            self.assertLessEqual(writes - syncs, 1, f"{node.name} wrote its log without syncing it")
            self.assertGreater(operations, 2 * syncs, f"{node.name} syncs for every operation: nothing is shared")


if __name__ == "__main__":
    unittest.main()
