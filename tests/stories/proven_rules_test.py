#!/usr/bin/python3
"""docs/proven_rules.md is true: every test, script and file that it names exists, and every rule has a row."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ([f"B{n}" for n in (*range(1, 13), 24, 27, 32)] + [f"L{n}" for n in (1, 2, 3, 4, 5, 7, 9, 10, 8)]
         + [f"S{n}" for n in ("1", "2", "3", "4", "4a", "5", "6", "7", "7a", "7b", "8", "9")] + [f"R{n}" for n in range(1, 6)] + [f"T{n}" for n in (10, 11, 12)])
# A rule that no test can prove (yet) says so in these words.
WITHOUT_TEST = {"L8": "no test can", "R5": "nothing is collected yet"}


def rows(text):
    """(rule, what proves it) of every row."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and re.fullmatch(r"[BLSRT]\d+[a-z]?", cells[0]):
            yield cells[0], cells[2]


def known_tests():
    found = set()
    for path in (ROOT / "tests").rglob("*.cc"):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
            found.add(f"{suite}.{name}")
    return found


class ProvenRules(unittest.TestCase):
    def setUp(self):
        self.rows = list(rows((ROOT / "docs/proven_rules.md").read_text()))

    def test_every_rule_has_one_row(self):
        self.assertEqual([rule for rule, _ in self.rows], RULES)

    def test_every_name_exists(self):
        tests = known_tests()
        for rule, proof in self.rows:
            for name in re.findall(r"`([^`]+)`", proof):
                if "/" in name:
                    self.assertTrue((ROOT / name).is_file(), f"{rule}: there is no {name}")
                else:
                    self.assertTrue(name in tests, f"{rule}: there is no test {name}")

    def test_every_rule_is_proven_or_says_why_not(self):
        for rule, proof in self.rows:
            if rule in WITHOUT_TEST:
                self.assertIn(WITHOUT_TEST[rule], proof)
            else:
                self.assertIn("`", proof, f"{rule} names no test")


if __name__ == "__main__":
    sys.exit(unittest.main())
