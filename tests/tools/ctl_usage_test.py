#!/usr/bin/python3
"""meridianctl and meridian-bench without a cluster: wrong usage, nobody listening, pure standard output.

    ctl_usage_test.py PATH/TO/meridianctl PATH/TO/meridian-bench [unittest arguments]
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest

CTL = BENCH = ""


def run(program, *arguments, stdin=""):
    environment = {k: v for k, v in os.environ.items() if "MERIDIAN" not in k}
    done = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60,
                          env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Bound but not listening: connections are refused, and nobody else takes the port meanwhile.
        cls.held = socket.socket()
        cls.held.bind(("127.0.0.1", 0))
        cls.proxy = f"127.0.0.1:{cls.held.getsockname()[1]}"

    @classmethod
    def tearDownClass(cls):
        cls.held.close()

    def refused(self, *arguments, says, stdin=""):
        code, out, err = run(CTL, "--proxy", self.proxy, "--timeout", "1s", *arguments, stdin=stdin)
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn(says, err)

    def test_wrong_usage_is_2_and_says_what_is_right(self):
        self.refused("gte", says="--help")
        self.refused("get", says="KEY")
        self.refused("get", "k", "-o", "yaml", says="neither table nor json")
        self.refused("put", "k", says="--value-file")
        self.refused("put", "k", "v", "--value-file", "f", says="--value-file")
        self.refused("put", "k", "--value-file", "/nonexistent", says="/nonexistent")
        self.refused("put", "k", "v", "--request-id", "seventeen", says="--request-id")
        self.refused("get", "-e", "a\\q", says="escaped")
        self.refused("cas", "k", "v", says="--expect")
        self.refused("scan", "p", "--start", "a", says="not both")
        self.refused("scan", "--start", "b", "--end", "a", says="empty")
        self.refused("cluster", "init", "--node", "127.0.0.1:7401", says="REGION=HOST:PORT")
        self.refused("node", "add", "127.0.0.1:7401", says="REGION=HOST:PORT")
        self.refused("import", "/nonexistent", "--format", "csv", "--key", "k", says="/nonexistent")
        self.refused("import", "-", "--format", "xml", "--key", "k", says="csv, tsv and jsonl")
        self.refused("import", "-", "--format", "csv", "--key", "id", says="there are: a, b", stdin="a,b\n1,2\n")
        self.refused("export", "--format", "csv", "--resume", "s", says="FILE")
        self.refused("import", "-", "--format", "csv", "--key", "a", "--resume", "s", says="standard input",
                     stdin="a\n1\n")
        self.refused("completion", "csh", says="bash, zsh and fish")

    def test_numbers_are_decimal_and_exact(self):
        for *words, value, limit in (("node", "remove", "--yes", "010", "1 to 18446744073709551615"),
                                     ("scan", "--limit", "-1", "0 to 18446744073709551615"),
                                     ("scan", "--limit", "99999999999999999999", "0 to 18446744073709551615"),
                                     ("cas", "k", "v", "--expect-version", "-1", "1 to 18446744073709551615"),
                                     ("get", "k", "--at", "0x10", "0 to 18446744073709551615"),
                                     ("import", "f", "--format", "csv", "--key", "k", "--batch", "0", "1 to 10000")):
            for joined in (False, True):
                if joined and words[-1].startswith("--") and words[-1] != "--yes":
                    arguments = [*words[:-1], f"{words[-1]}={value}"]
                else:
                    arguments = [*words, value]
                self.refused(*arguments, says=f'"{value}" is')
                self.refused(*arguments, says=limit)

    def test_a_word_that_is_no_command_is_named(self):
        self.refused("bogus", says='there is no command "bogus"; there are: cluster, status')
        self.refused("node", "bogus", says='there is no command "bogus"; there are: list')
        self.refused("--bogus", says="no option --bogus")

    def test_a_directory_is_no_file(self):
        with tempfile.TemporaryDirectory() as directory:
            file = os.path.join(directory, "f")
            with open(file, "w", encoding="utf-8") as f:
                f.write("key,value\na,1\n")
            self.refused("put", "k", "--value-file", directory, says="Is a directory")
            for resume, why in ((directory, "Is a directory"), (os.path.join(directory, "none", "s"), "cannot be written")):
                self.refused("import", file, "--format", "csv", "--key", "key", "--resume", resume, says=why)
                self.refused("export", file + "2", "--format", "csv", "--resume", resume, says=why)
            self.assertEqual(os.listdir(directory), ["f"])

    def test_errors_are_json_where_json_is_asked_for(self):
        for arguments, exit_code, code in ((["get", "k"], 3, "unavailable"), (["get", "k", "--at", "x"], 2, "usage"),
                                           (["bogus"], 2, "usage"), (["put", "k"], 2, "usage")):
            for form in (["-o", "json"], ["--output=json"], ["-ojson"]):
                got, out, err = run(CTL, "--proxy", self.proxy, "--timeout", "300ms", *arguments, *form)
                self.assertEqual((got, out), (exit_code, ""), err)
                error = json.loads(err)["error"]
                self.assertEqual((error["code"], error["exit_code"]), (code, exit_code))
                self.assertTrue(error["message"])
        self.assertTrue(json.loads(run(CTL, "--proxy", self.proxy, "--timeout", "300ms", "get", "k", "-o", "json")[2])
                        ["error"]["definite"])

    def test_nobody_listening_is_3_and_says_where_it_asked(self):
        for arguments in (["status"], ["get", "k"], ["put", "k", "v"], ["scan"], ["node", "list"]):
            for output in ("table", "json"):
                code, out, err = run(CTL, "--proxy", self.proxy, "--timeout", "300ms", "-o", output, *arguments)
                self.assertEqual((code, out), (3, ""), err)
                self.assertIn(self.proxy, err)
                self.assertIn("--proxy", err)

    def test_help_and_version_are_answers(self):
        for arguments in (["--help"], ["import", "--help"], ["--version"], ["version"]):
            code, out, err = run(CTL, *arguments)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out)
        self.assertIn("Exit codes", run(CTL, "--help")[1])
        self.assertIn("version", json.loads(run(CTL, "version", "-o", "json")[1]))

    def test_completions_are_well_formed(self):
        for shell in ("bash", "zsh", "fish"):
            code, out, err = run(CTL, "completion", shell)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("transfer-leader", out)
            if subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True, check=False).returncode == 0:
                checked = subprocess.run([shell, "-n"], input=out, capture_output=True, text=True, check=False)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_a_state_of_other_work_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            state = os.path.join(directory, "state")
            with open(state, "w", encoding="utf-8") as f:
                f.write("key,value\n")
            self.refused("import", state, "--format", "csv", "--key", "key", "--resume", state, says="name another file")

    def test_standard_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([CTL, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)

    def test_bench(self):
        for flag, value, limit in (("--op", "del", "put"), ("--duration", "soon", "86400s"), ("--clients", "0", "65536"),
                                   ("--rate", "fast", "1000000"), ("--weights", "get=1,del=1", "rmw"),
                                   ("--value-bytes", "1048577", "1048576"), ("--svg", "/nowhere/x.svg", "written")):
            code, out, err = run(BENCH, "--proxy", self.proxy, flag, value)
            self.assertEqual((code, out), (2, ""), err)
            for part in (flag, value.split(",")[-1], limit):
                self.assertIn(part, err)
        code, out, err = run(BENCH, "--proxy", self.proxy, "-o", "json")
        self.assertEqual((code, out), (3, ""), err)
        code, out, _ = run(BENCH, "--help")
        self.assertEqual(code, 0)
        self.assertIn("--read-ratio", out)


if __name__ == "__main__":
    CTL, BENCH = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
