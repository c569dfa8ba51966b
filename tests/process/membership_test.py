#!/usr/bin/python3
"""Nodes come and go under light load: added, replaced, removed, and one that was away for long. Every acknowledged
write is then read back.

    membership_test.py BUILD_DIR [unittest arguments]
"""

import unittest

from cluster import REGIONS, Cluster, admin, build_argument, free_ports, http, wait_until

BUILD = ""
LOAD = ("--seconds", 300, "--workers", 16, "--rate", 200)
SMALL_LOG = ("--storage-log-segment", "1MiB", "--storage-write-buffer", "1MiB")
MIB = 1 << 20


class MembershipTest(unittest.TestCase):
    def node_status(self, c, process):
        return next((n for n in c.status().nodes if n.address == process.address), None)

    def fill(self, c, mebibytes):
        """So much data that a log does not keep it all."""
        with c.start_writer("--seconds", 300, "--workers", 64, "--mix", "puts", "--value-bytes", 8 << 10,
                            history="filling.jsonl") as load:
            wait_until(lambda: load.events() > mebibytes * MIB // (8 << 10) * 220, "the data is written", 120)
            load.stop()
        return load

    def is_active_and_caught_up(self, c, process):
        """A voter that has applied about all that the leader has."""
        def look():
            status = c.try_status()
            by_address = {n.address: n for n in status.nodes} if status else {}
            node = by_address.get(process.address)
            leader = next((n for n in by_address.values() if n.id == status.leader_node_id), None) if status else None
            return (node is not None and leader is not None and node.state == admin.NODE_STATE_ACTIVE and node.reachable
                    and node.applied_index + 1000 >= leader.applied_index and node.applied_index > 0)
        wait_until(look, f"{process.name} has caught up", 120)

    def start_empty(self, c, name, region):
        node = c.make_node(name, region).start()
        wait_until(node.listens, f"{name} listens")
        return node

    def test_nodes_are_added_replaced_and_removed_under_load(self):
        with Cluster(BUILD, node_arguments=SMALL_LOG) as c:
            c.form()
            filling = self.fill(c, 12)
            with c.start_writer(*LOAD) as load:
                load.wait_progress(50_000)

                fourth = self.start_empty(c, "n4", REGIONS[0])
                c.ctl("node", "add", f"{REGIONS[0]}={fourth.address}", "--wait")
                self.is_active_and_caught_up(c, fourth)
                load.wait_progress(50_000)

                fifth = self.start_empty(c, "n5", REGIONS[1])
                old = c.leader()
                c.ctl("node", "replace", self.node_status(c, old).id, f"{REGIONS[1]}={fifth.address}", "--yes", "--wait")
                self.is_active_and_caught_up(c, fifth)
                self.assertIsNot(c.leader(), old)
                wait_until(lambda: not old.running() or not old.ready(), "the replaced node takes no requests")
                load.wait_progress(50_000)

                gone = next(n for n in c.nodes if n is not old)
                c.ctl("node", "remove", self.node_status(c, gone).id, "--yes", "--wait")
                wait_until(lambda: not gone.running() or not gone.ready(), "the removed node takes no requests")
                load.wait_progress(50_000)

                # What is removed stays removed, whatever it remembers, and disturbs nobody.
                for node in (old, gone):
                    node.kill()
                    node.start()
                    wait_until(lambda n=node: http(n.http, "/readyz")[0] == 503, f"{node.name} listens again")
                load.wait_progress(100_000)
                for node in (old, gone):
                    self.assertFalse(node.ready())

                # The two that came hold all data by themselves, with one of the first three.
                c.wait_healthy(nodes=3)
                load.stop()
            load.verify()
            filling.verify()

    def test_a_node_that_dies_while_it_joins_blocks_nothing(self):
        with Cluster(BUILD) as c:
            c.form()
            fourth = self.start_empty(c, "n4", REGIONS[0])
            c.ctl("node", "add", f"{REGIONS[0]}={fourth.address}")
            fourth.kill()
            # Refused only in the moment in which it becomes a voter, if it was that fast.
            wait_until(lambda: c.ctl("node", "remove", 4, "--yes", "--wait", code=None)[0] == 0, "it is removed", 30)
            self.assertEqual(len([n for n in c.status().nodes if n.state == admin.NODE_STATE_ACTIVE]), 3)
            self.assertFalse([o for o in c.status().operations if not o.done])
            fifth = self.start_empty(c, "n5", REGIONS[1])
            c.ctl("node", "add", f"{REGIONS[1]}={fifth.address}", "--wait")
            self.is_active_and_caught_up(c, fifth)

    def test_a_node_that_moves_to_another_address_is_found(self):
        with Cluster(BUILD) as c:
            c.form()
            # The leader right after another one: the two may know only old addresses of each other.
            for moving in (c.followers()[0], c.leader()):
                moving.kill()
                before, (port, _) = moving.address, free_ports(2)
                moving.address = f"127.0.0.1:{port}"
                moving.argv[moving.argv.index("--listen") + 1] = moving.address
                moving.start()
                self.is_active_and_caught_up(c, moving)
                self.assertNotIn(before, [n.address for n in c.status().nodes])
            c.wait_healthy()

    def test_a_node_that_was_down_for_long_catches_up_by_itself(self):
        with Cluster(BUILD, node_arguments=SMALL_LOG) as c:
            c.form()
            away = c.followers()[0]
            away.kill()
            filling = self.fill(c, 24)
            leader = self.node_status(c, c.leader())
            self.assertLess(leader.log_bytes, 24 * MIB, "the log was not cut: no snapshot would be needed")
            away.start()
            self.is_active_and_caught_up(c, away)
            c.wait_healthy()
            # It holds the data: with it alone and one other, all is there.
            next(n for n in c.followers() if n is not away).kill()
            filling.verify()

    def test_what_would_endanger_the_data_is_refused(self):
        with Cluster(BUILD) as c:
            c.form()
            code, _, err = c.ctl("node", "remove", 1, "--yes", code=None)
            self.assertEqual(code, 1, err)
            self.assertIn("too few to survive the loss of one", err)
            code, _, err = c.ctl("node", "remove", 17, "--yes", code=None)
            self.assertEqual(code, 3, err)
            self.assertIn("there is no node 17", err)
            code, _, err = c.ctl("node", "add", f"{REGIONS[0]}={c.nodes[1].address}", code=None)
            self.assertEqual(code, 1, err)
            self.assertIn("is node 2 of this cluster", err)
            # A port where no node listens, and one where nobody does. Neither may stand in the way of later changes.
            for address in (c.nodes[1].http, f"127.0.0.1:{free_ports(1)[0]}"):
                code, _, err = c.ctl("node", "add", f"{REGIONS[0]}={address}", code=None)
                self.assertEqual(code, 1, err)
                self.assertIn(address, err)
            self.assertFalse([o for o in c.status().operations if not o.done])


if __name__ == "__main__":
    BUILD = build_argument()
    unittest.main(verbosity=2)
