#!/usr/bin/python3
"""What tools/bench makes of measurements, without measuring."""

import argparse
import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/bench"))
import figures  # pylint: disable=wrong-import-position
import measuring  # pylint: disable=wrong-import-position
import noise  # pylint: disable=wrong-import-position


def figure(rate, p50=1.0, p99=2.0, errors=0):
    return {"ops_per_s": rate, "p50_ms": p50, "p99_ms": p99, "errors": errors}


class FiguresTest(unittest.TestCase):
    def test_runs_become_medians_and_errors_add_up(self):
        runs = [figure(10, 1, 9, 1), figure(30, 3, 7, 2), figure(20, 2, 8, 0)]
        self.assertEqual(figures.median_of_runs(runs), figure(20, 2, 8, 3))

    def test_storage_work_of_three_is_a_third_of_its_sum(self):
        self.assertEqual(figures.three_at_once([figure(10), figure(20), figure(33)])["ops_per_s"], 21)

    def test_ratios_are_of_what_both_have(self):
        self.assertEqual(figures.ratios({"put_1": figure(30), "put_2": figure(1)}, {"put_1": figure(20)}), {"put_1": 1.5})
        self.assertEqual(figures.ratios({"put_1": figure(30)}, {"put_1": figure(0)}), {"put_1": None})

    def test_limits_are_compared_at_as_many_at_once(self):
        meridian = {"put_64": figure(50), "put_256": figure(60), "get_64": figure(10)}
        limits = {"echo": {64: figure(100), 256: figure(200)}, "log": {64: figure(100), 256: figure(240)}}
        shares = figures.limit_shares(meridian, limits)
        self.assertEqual(shares, {"echo": {"get_64": 0.1}, "log": {"put_64": 0.5, "put_256": 0.25}})
        self.assertEqual(figures.headline(shares),
                         ({"echo": 0.1, "log": 0.25}, {"echo": "get_64", "log": "put_256"}))

    def test_single_client_latency_is_compared(self):
        out = figures.single_client({"put_1": figure(1, 2.0), "get_1": figure(1, 0.5)},
                                    {"put_1": figure(1, 1.9), "get_1": figure(1, 0.5)})
        self.assertFalse(out["put"]["no_worse"])
        self.assertTrue(out["get"]["no_worse"])

    def test_transactions_of_a_peer_are_batches_of_as_many_keys(self):
        theirs = measuring.load_arguments("txn", 64, 5, 1000, 256)
        ours = measuring.load_arguments("txn", 64, 5, 1000, 256, measuring.MERIDIAN_OPS)
        self.assertEqual(theirs[:2], ["--op", "txn"])
        self.assertEqual(ours[:4], ["--op", "batch", "--batch", 2])
        self.assertEqual(ours[4:], theirs[2:])
        self.assertEqual(measuring.load_arguments("put", 1, 5, 10, 1, measuring.MERIDIAN_OPS)[:2], ["--op", "put"])
        self.assertEqual(figures.parse_reference("txn_256=2621"), {"txn_256": 2621})

    def test_a_slow_reference_voids_and_so_do_errors(self):
        reference = {"put_1": 100.0}
        self.assertEqual(figures.void_reasons({"put_1": figure(80)}, {}, {}, reference), [])
        self.assertIn("put_1 is 79/s", figures.void_reasons({"put_1": figure(79)}, {}, {}, reference)[0])
        reasons = figures.void_reasons({}, {"put_1": figure(1, errors=3)}, {"log": {64: figure(1, errors=1)}}, {})
        self.assertEqual(reasons, ["Meridian, put_1: 3 calls failed", "limit log, 64: 1 calls failed"])

    def test_arguments_are_read_or_refused_with_a_reason(self):
        self.assertEqual(figures.parse_reference("put_1=4.5,get_64=6"), {"put_1": 4.5, "get_64": 6})
        self.assertEqual(figures.parse_clients(["get=1,2"], {"put": [1], "get": [9]}), {"put": [1], "get": [1, 2]})
        self.assertEqual([measuring.duration(t) for t in ("500ms", "30s", "2m")], [0.5, 30, 120])
        for text in ("put_1", "del_1=4", "put_x=4", "put_1=x"):
            self.assertRaises(ValueError, figures.parse_reference, text)
        for text in ("put", "del=1", "put=0", "put=1,,2", "put=99999"):
            self.assertRaises(ValueError, figures.parse_clients, [text], {"put": [], "get": []})
        for text in ("", "5", "3x", "0s", "2h", "-1s", "61m"):
            self.assertRaises(argparse.ArgumentTypeError, measuring.duration, text)


class NoiseTest(unittest.TestCase):
    def test_p_is_the_share_of_ways_to_deal_the_values(self):
        self.assertEqual(noise.mann_whitney([1, 2, 3], [4, 5, 6]), 2 / 20)
        self.assertEqual(noise.mann_whitney([6, 5, 4], [3, 2, 1]), 2 / 20)
        self.assertEqual(noise.mann_whitney([1, 2, 4], [3, 5, 6]), 4 / 20)
        self.assertEqual(noise.mann_whitney([1, 4], [2, 3]), 1)
        self.assertEqual(noise.mann_whitney([7, 7, 7], [7, 7, 7]), 1)
        self.assertEqual(noise.midranks_doubled([5, 1, 5, 9]), [5, 2, 5, 8])

    def test_holm_asks_more_of_the_first_of_many(self):
        for p, expected in zip(noise.holm([0.04, 0.01, 0.03]), [0.06, 0.03, 0.06]):
            self.assertAlmostEqual(p, expected)
        self.assertEqual(noise.holm([0.9, 0.8]), [1.0, 1.0])

    def test_too_few_rounds_are_known_beforehand(self):
        self.assertEqual([noise.rounds_needed(n, 0.05) for n in (1, 4, 47)], [4, 5, 7])

    def test_only_what_is_large_and_beyond_noise_is_worse(self):
        steady = [100.0, 101, 102, 103, 104, 105]

        def verdict(new, more_is_better=False, threshold=0.05):
            series = {"x": {"old": steady, "new": new, "more_is_better": more_is_better}}
            return noise.judge(series, threshold, 0.05)[0]["verdict"]
        slower = [v * 1.2 for v in steady]
        self.assertEqual(verdict(slower), "worse")
        self.assertEqual(verdict(slower, more_is_better=True), "better")
        self.assertEqual(verdict([v / 1.2 for v in steady]), "better")
        self.assertEqual(verdict([v / 1.2 for v in steady], more_is_better=True), "worse")
        self.assertEqual(verdict(slower, threshold=0.3), "same")
        self.assertEqual(verdict([v + 1 for v in steady]), "same")
        self.assertEqual(verdict([50, 60, 110, 130, 150, 170]), "same")  # far apart, and yet noise

    def test_one_of_many_unchanged_figures_is_not_called_worse_by_chance(self):
        rng = random.Random(1)
        series = {str(i): {"old": [rng.gauss(100, 10) for _ in range(8)], "new": [rng.gauss(100, 10) for _ in range(8)],
                           "more_is_better": True} for i in range(200)}
        self.assertEqual({row["verdict"] for row in noise.judge(series, 0.0, 0.05)}, {"same"})


class MeasuringTest(unittest.TestCase):
    def test_the_last_line_of_json_counts(self):
        self.assertEqual(measuring.run_json(["sh", "-c", 'echo x; echo {\\"a\\":1}; echo {\\"a\\":2}; echo y'], 60), {"a": 2})

    def test_a_program_that_counted_errors_may_fail_and_no_other(self):
        self.assertEqual(measuring.run_json(["sh", "-c", 'echo {\\"errors\\":2}; exit 1'], 60), {"errors": 2})
        for script in ('echo {\\"errors\\":0}; exit 1', "exit 0", 'echo {\\"errors\\":2}; exit 3'):
            with self.assertRaisesRegex(measuring.MeasuringError, "exit code"):
                measuring.run_json(["sh", "-c", script], 60)

    def test_what_is_not_there_is_wrong_usage(self):
        with self.assertRaisesRegex(measuring.UsageError, "cannot be run"):
            measuring.run_json(["/nowhere/x"], 60)
        with self.assertRaisesRegex(measuring.UsageError, "no build directory"):
            measuring.require_programs("/nowhere", {})
        with self.assertRaisesRegex(measuring.UsageError, "not built: a/b\n.*--target b"):
            measuring.require_programs("/", {"a/b": "b"})


if __name__ == "__main__":
    unittest.main()
