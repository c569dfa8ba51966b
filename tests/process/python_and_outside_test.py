#!/usr/bin/python3
"""Programs of other people against a real cluster: a Python script over the unary API, and a C++ program that is built
outside the tree against the installed SDK, with Clang and with g++.

    python_and_outside_test.py BUILD_DIR [unittest arguments]
"""

import os
import subprocess
import unittest

from cluster import PROTOS, ROOT, Cluster, build_argument

BUILD = ""


class OutsideTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BUILD)
        cls.cluster.form()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def run_program(self, *argv):
        result = subprocess.run(argv, capture_output=True, text=True, timeout=500, check=False)
        if result.returncode != 0:
            self.cluster.print_logs()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_python_puts_gets_and_scans(self):
        self.assertIn("ok", self.run_program("/usr/bin/python3", f"{ROOT}/tests/client/python_unary.py", self.cluster.proxy.address,
                                             PROTOS))

    def test_the_installed_sdk_with_clang_and_gcc(self):
        out = self.run_program(f"{ROOT}/tests/client/install_test.sh", BUILD, self.cluster.proxy.address)
        self.assertEqual(out.count("ok\n"), 3, out)

    def test_the_examples(self):
        examples = f"{BUILD}/client/examples"
        program = f"{examples}/first_program"
        if not os.path.exists(program):
            self.skipTest("not built")
        self.run_program(program, self.cluster.proxy.address)


if __name__ == "__main__":
    BUILD = build_argument()
    unittest.main(verbosity=2)
