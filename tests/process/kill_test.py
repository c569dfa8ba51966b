#!/usr/bin/python3
"""SIGKILL under load: of the leader, of a follower, of all three nodes at once. Every acknowledged write is then read
back, and the recorded history is judged.

    kill_test.py BUILD_DIR [unittest arguments]
"""

import signal
import sys
import unittest

from cluster import Cluster, build_argument, gaps, metric, wait_until

BUILD = ""
LIMIT_S = 2.0
LOAD = ("--seconds", 300, "--workers", 32, "--rate", 1000)


class KillTest(unittest.TestCase):
    def judge(self, load):
        summary = load.stop()
        self.assertGreater(len(summary["acks"]), 1000, summary["errors"])
        verdict = load.verify()
        pauses = ", ".join(f"{length:.2f}" for _, length in gaps(summary["acks"]))
        print(f"{len(summary['acks'])} writes acknowledged, {summary['info']} unknown, {summary['fail']} failed "
              f"{summary['errors']}; {verdict}; pauses (s): {pauses}", file=sys.stderr)

    def test_kills_under_load_lose_nothing_acknowledged(self):
        with Cluster(BUILD) as c, c.form().start_writer(*LOAD) as load:
            load.wait_progress()
            for _ in range(2):
                leader = c.leader()
                leader.kill()
                load.wait_progress()
                leader.start()
                c.wait_healthy()
                load.wait_progress()

                follower = c.followers()[0]
                follower.kill()
                load.wait_progress()
                follower.start()
                c.wait_healthy()
                load.wait_progress()

                for node in c.nodes:
                    node.signal(signal.SIGKILL)
                for node in c.nodes:
                    node.wait()
                    node.start()
                c.wait_healthy()
                load.wait_progress()
            self.judge(load)

    def test_a_node_killed_while_it_recovers_and_a_killed_proxy(self):
        with Cluster(BUILD) as c, c.form().start_writer(*LOAD) as load:
            load.wait_progress()
            victim = c.leader()
            # At any moment of a start: before the log is read, while it is replayed, before it is heard.
            for _ in range(6):
                victim.kill()
                victim.start()
            c.wait_healthy()
            load.wait_progress()
            c.proxy.kill()
            c.proxy.start()
            c.wait_healthy()
            load.wait_progress()
            self.judge(load)

    def test_a_paused_leader_is_followed_by_another_and_does_not_answer_stale(self):
        with Cluster(BUILD) as c, c.form().start_writer(*LOAD) as load:
            load.wait_progress()
            for _ in range(3):
                leader = c.leader()
                leader.signal(signal.SIGSTOP)
                wait_until(lambda old=leader: c.leader() is not old, "another node leads")
                load.wait_progress()
                leader.signal(signal.SIGCONT)
                c.wait_healthy()
            self.judge(load)

    def test_sigterm_hands_leadership_over(self):
        with Cluster(BUILD) as c, c.form().start_writer(*LOAD) as load:
            load.wait_progress()
            for _ in range(3):
                leader = c.leader()
                others = [n for n in c.nodes if n is not leader]
                self.assertEqual(leader.terminate(), 0)
                # Nobody had to notice a silence first, which takes an election timeout: at its end another one leads.
                self.assertEqual(sum(metric(n.http, "meridian_raft_leader") for n in others), 1)
                load.wait_progress()
                leader.start()
                c.wait_healthy()
            summary = load.stop()
            load.verify()
            longest = max(length for _, length in gaps(summary["acks"], 0))
            self.assertLess(longest, LIMIT_S)


if __name__ == "__main__":
    BUILD = build_argument()
    unittest.main(verbosity=2)
