#!/usr/bin/env python3
"""The lint's own test: each bad snippet is caught by its rule, each good one by none."""

import os
import tempfile
import unittest

import lint

LONG_BODY = "".join(f"  f({i});\n" for i in range(70))

# rule: [(path, text)], each of which is caught by that rule.
BAD = {
    "arrow": [
        ("raft/a.cc", '#include "txn/b.h"\n'),
        ("txn/a.cc", '#include "raft/b.h"\n'),
        ("base/a.cc", '#include "base/grpc/b.h"\n'),
        ("base/a.cc", '#include "shard/b.h"\n'),
        ("proxy/a.cc", '#include "shard/replica.h"\n'),
        ("proxy/a.cc", '#include "raft/core.h"\n'),
        ("proxy/a.cc", '#include "base/grpc/b.h"\n'),
        ("shard/a.cc", '#include "meridian/v1/kv.pb.h"\n'),
        ("shard/log/a.cc", '#include "shard/replica.h"\n'),
        ("shard/node/a.cc", '#include "proxy/b.h"\n'),
        ("client/core/a.cc", '#include "client/grpc/b.h"\n'),
        ("client/core/a.cc", '#include "proxy/b.h"\n'),
        ("client/proto/methods.h", '#pragma once\n#include "client/core/b.h"\n'),
        ("client/include/meridian/a.h", '#pragma once\n#include "base/result.h"\n'),
        ("client/include/meridian/a.h", "#pragma once\n#include <boost/asio/awaitable.hpp>\n"),
        ("client/examples/a.cc", '#include "base/result.h"\n'),
        ("server/rocks/a.cc", '#include "shard/b.h"\n'),
        ("tools/a.cc", '#include "server/b.h"\n'),
    ],
    "grpc-header": [
        ("shard/a.cc", "#include <grpcpp/grpcpp.h>\n"),
        ("proxy/a.cc", '#include "meridian/v1/kv.grpc.pb.h"\n'),
        ("tools/a.cc", "#include <grpcpp/grpcpp.h>\n"),
    ],
    "rocksdb-header": [("server/a.cc", "#include <rocksdb/db.h>\n"), ("shard/a.h", "#include <rocksdb/db.h>\n")],
    "heavy-header": [
        ("base/a.h", "#pragma once\n#include <boost/asio.hpp>\n"),
        ("server/a.h", "#pragma once\n#include <CLI/CLI.hpp>\n"),
        ("base/a.h", "#pragma once\n#include <spdlog/spdlog.h>\n"),
        ("server/a.h", "#pragma once\n#include <grpcpp/server.h>\n"),
    ],
    "protobuf-in-core": [("raft/a.cc", '#include "raft/wire.pb.h"\n'), ("txn/a.cc", "#include <google/protobuf/any.h>\n")],
    "unordered": [
        ("raft/a.cc", "#include <unordered_map>\n"),
        ("txn/a.cc", "boost::unordered_flat_map<int, int> m;\n"),
        ("raft/a.h", "#pragma once\nstd::unordered_set<int> m;\n"),
    ],
    "wall-clock": [
        ("shard/a.cc", "auto t = std::chrono::steady_clock::now();\n"),
        ("base/a.cc", "using C = std::chrono::system_clock; auto t = std::chrono::system_clock::now();\n"),
        ("client/core/a.cc", "clock_gettime(CLOCK_MONOTONIC, &ts);\n"),
        ("proxy/a.cc", "auto t = time(nullptr);\n"),
    ],
    "sleep": [
        ("tests/sim/a_test.cc", "std::this_thread::sleep_for(1s);\n"),
        ("tests/transport/a_test.cc", "std::this_thread::sleep_for(1s);\n"),
        ("shard/a.cc", "  usleep(5);\n"),
        ("shard/a.cc", "  ::sleep(5);\n"),
    ],
    "randomness": [("raft/a.cc", "std::random_device d;\n"), ("raft/a.cc", "int x = rand();\n"), ("base/a.cc", "srand(1);\n")],
    "thread": [("shard/a.cc", "std::thread t(f);\n"), ("proxy/a.cc", "std::jthread t(f);\n")],
    "environment": [("base/a.cc", 'std::getenv("X");\n')],
    "timer": [("shard/a.cc", "boost::asio::steady_timer t(e);\n")],
    "file-size": [("shard/a.cc", "int a;\n" * 701), ("shard/a.h", "#pragma once\n" + "int a;\n" * 250)],
    "function-size": [
        ("shard/a.cc", "void g() {\n" + LONG_BODY + "}\n"),
        ("shard/a.cc", "namespace a {\nclass B {\n public:\n  template <class T>\n  void g(T t) {\n" + LONG_BODY + "  }\n};\n}\n"),
        ("shard/a.cc", "B::B(int a)\n    : a_{a}, b_(2) {\n" + LONG_BODY + "}\n"),
        ("shard/a.cc", 'TEST(A, B) {\n  auto s = "}}}}";  // }}}\n' + LONG_BODY + "}\n"),
        ("shard/a.cc", "#define M(x) \\\n  do { f(x); \\\n  } while (0)\nint g(int x) {\n  if (x) {\n" + LONG_BODY + "  }\n}\n"),
        ("shard/a.cc", "Task<void> g(\n    int a,\n    int b) {\n  auto f = [&] {\n" + LONG_BODY + "  };\n}\n"),
    ],
    "conflict-marker": [("shard/a.cc", "<<<<<<< HEAD\n"), ("shard/a.cc", "=======\n")],
    "tab": [("shard/a.cc", "\tint a;\n"), ("tools/x.py", "if a:\n\tb()\n")],
    "pragma-once": [("shard/a.h", "int a;\n")],
    "shell-syntax": [("tools/x", "#!/usr/bin/env bash\nif true; then\n")],
    "not-executable": [("tools/y", "#!/usr/bin/env bash\ntrue\n")],
    "top-level": [("rocket/a.cc", "int a;\n"), ("notes.tmp", "x\n")],
    "readme": [("shard/wire/a.cc", "int a;\n"), ("raft/a.cc", "int a;\n")],
}

# Caught by no rule but `readme`.
GOOD = [
    ("raft/a.cc", '#include "base/result.h"\n#include "raft/core.h"\n#include <vector>\n'),
    ("proxy/a.cc", '#include "shard/api/api.pb.h"\n#include "meridian/v1/kv.pb.h"\n'),
    ("shard/a.cc", "co_await sleep_for(runtime, 5ms);\nruntime.random();\nauto t = runtime.now();\nx.rand();\n"),
    ("shard/a.cc", '// std::thread, getenv and rand() are banned\nauto s = "std::thread";\nauto q = 1\'000\'000;\n'),
    ("shard/a.cc", 'auto s = R"(\n  std::thread {{{\n)";\nvoid f() {}\n'),
    ("server/a.cc", "#include <grpcpp/grpcpp.h>\nstd::thread t(f);\nauto x = getenv(y);\n"),
    ("base/event_loop.cc", "std::thread t(f);\n"),
    ("tests/raft/a_test.cc", '#include "txn/b.h"\n#include "shard/c.h"\n#include <rocksdb/db.h>\n'),
    ("client/include/meridian/a.h", "#pragma once\n#include <string>\n#include <meridian/b.h>\n"),
    ("client/include/meridian/a.h", "#pragma once\n#include \"meridian/b.h\"\n"),
    ("shard/a.cc", "namespace a {\nstruct B : C {\n" + LONG_BODY.replace("f(", "int f(") + "};\n}\n"),
    ("shard/a.cc", "namespace {\n" + "void g() { f(); }\n" * 100 + "}\n"),
    ("shard/a.cc", "constexpr int kTable[] = {\n" + "  1,\n" * 100 + "};\n"),
    ("shard/a.cc", "void g() {\n" + LONG_BODY[:600] + "}\n" * 1),
]


def findings_of(path, text, exceptions=None):
    with tempfile.TemporaryDirectory() as root:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        if path == "tools/x":
            os.chmod(full, 0o755)
        return lint.run(root, exceptions or {})


class LintTest(unittest.TestCase):
    def test_every_bad_snippet_is_caught_by_its_rule(self):
        for rule, snippets in BAD.items():
            for path, text in snippets:
                with self.subTest(rule=rule, path=path, text=text[:60]):
                    self.assertIn(rule, [f[0] for f in findings_of(path, text)])

    def test_every_good_snippet_passes(self):
        for path, text in GOOD:
            with self.subTest(path=path, text=text[:60]):
                self.assertEqual([f for f in findings_of(path, text) if f[0] != "readme"], [])

    def test_findings_name_the_line(self):
        found = findings_of("shard/a.cc", "int a;\n/* x\n */\nstd::thread t;\n")
        self.assertEqual([f[2] for f in found if f[0] == "thread"], [4])

    def test_function_lengths_are_exact(self):
        code = "int a(int x) {\n  return x;\n}\n\nB::B()\n    : x_(1) {\n  f();\n}\nvoid one() { f(); }\n"
        self.assertEqual(list(lint.functions(code)), [(1, 3), (5, 4), (9, 1)])

    def test_an_exception_silences_its_rule_only(self):
        text = "std::thread t; rand();\n"
        rules = [f[0] for f in findings_of("shard/a.cc", text, {("thread", "shard/a.cc"): "why"})]
        self.assertNotIn("thread", rules)
        self.assertIn("randomness", rules)

    def test_an_exception_that_nothing_needs_is_a_finding(self):
        rules = [f[0] for f in findings_of("shard/a.cc", "int a;\n", {("thread", "shard/a.cc"): "why"})]
        self.assertIn("unused-exception", rules)


if __name__ == "__main__":
    unittest.main()
