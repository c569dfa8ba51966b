#!/usr/bin/env python3
"""What style.md and the architecture say and a machine can check. Run by ctest (label lint); exits 1 and names
file:line and rule for each finding. Exceptions, each with its reason, stand in exceptions.txt beside this file."""

import os
import re
import subprocess
import sys

# The ten folders; beside them only these files.
TOP_LEVEL = {"base", "raft", "txn", "shard", "proxy", "server", "client", "tools", "tests", "docs", ".ci",
             "CMakeLists.txt", "CMakePresets.json", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "NOTICE",
             ".clang-format", ".clang-tidy", ".gitignore", ".gitattributes", ".editorconfig"}

SHARD = {"shard", "shard/api", "shard/wire", "shard/log", "shard/node", "shard/placement", "shard/feed"}
CLIENT = {"client/include", "client/proto", "client/core", "client/grpc"}

# Module: the modules that its files may include (beside itself). A file belongs to the longest that matches.
ARROWS = {
    "base": set(),
    "base/grpc": {"base"},
    "raft": {"base"},
    "txn": {"base"},
    "shard/api": {"base", "txn"},
    "shard/wire": {"base", "raft", "txn", "shard/api"},
    "shard/log": {"base", "raft", "shard/wire"},
    "shard": {"base", "raft", "txn", "shard/api", "shard/wire", "shard/log"},
    "shard/placement": {"base", "raft", "txn"} | SHARD,
    "shard/node": {"base", "raft", "txn"} | SHARD,
    "shard/feed": {"base", "raft", "txn"} | SHARD,
    "proxy": {"base", "txn", "client/proto", "shard/api"},
    "server": {"base", "base/grpc", "raft", "txn", "proxy", "server/rocks"} | SHARD | CLIENT,
    "server/rocks": {"base"},
    "client/include": set(),
    "client/proto": {"base"},
    "client/core": {"base", "client/include", "client/proto"},
    "client/grpc": {"base", "base/grpc", "client/include", "client/proto", "client/core"},
    "client/examples": {"client/include"},
    "tools": {"base", "base/grpc"} | CLIENT,
    "tests": None,  # anything
}

# (rule, what is included, the modules or folders that may, only in headers, why)
HEADERS = [
    ("grpc-header", r"grpcpp/|grpc/|.*\.grpc\.pb\.h", ("base/grpc", "server", "client/grpc", "tests"), False,
     "gRPC stays in base/grpc, client/grpc and server"),
    ("rocksdb-header", r"rocksdb/", ("server/rocks", "tests"), False, "RocksDB stays in server/rocks"),
    ("heavy-header", r"boost/asio\.hpp", (), True, "3 s a file: include the narrow headers"),
    ("heavy-header", r"CLI/|spdlog/|toml\+\+/|prometheus/|httplib\.h", (), True, "only in sources"),
    ("heavy-header", r"grpcpp/|.*\.grpc\.pb\.h", ("base/grpc", "client/grpc", "tests"), True, "only in sources"),
]
CORES = ("raft", "txn")

# Where the real world is touched; everywhere else time, threads and chance come from Runtime.
REAL_WORLD = ("base/event_loop.", "base/posix_file.", "base/blocking_pool.", "base/grpc/", "client/grpc/", "server/",
              "tools/", "tests/process/", "tests/transport/", "tests/server/", "tests/client/", "tests/soak/")
BANNED = [
    ("wall-clock", r"\b\w+_clock::now\b|\b(?:clock_gettime|gettimeofday)\s*\(|\btime\s*\((?:nullptr|NULL|0)\)"),
    ("sleep", r"std::this_thread::sleep_|(?<![\w.>:])(?:::)?(?:u|nano|clock_nano)?sleep\s*\("),
    ("randomness", r"std::random_device|(?<![\w.>:])(?:std::|::)?s?rand\s*\("),
    ("thread", r"\bstd::j?thread\b|\bpthread_create\b|\bstd::async\b"),
    ("environment", r"\b(?:secure_)?getenv\b"),
    ("timer", r"\b(?:steady|system|high_resolution|deadline)_timer\b"),
]
NO_SLEEP_EVEN_IN = ("tests/transport/", "tests/server/", "tests/client/")

MAX_LINES = {".cc": 700, ".cpp": 700, ".py": 700, ".sh": 700, ".proto": 700, ".h": 250}
MAX_FUNCTION = 70


class Tree:
    """The files of a source tree (or, in the self-test, of a dictionary) and the findings in them."""

    def __init__(self, root):
        self.root = root
        self.findings = []
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode().split("\0")
        else:  # an unpacked source package
            names = [os.path.relpath(os.path.join(d, f), root) for d, _, files in os.walk(root) for f in files]
            names = [n for n in names if not n.startswith(("build/", ".git/"))]
        # What fuzzing starts from is bytes, not text.
        names = [n for n in names if not n.startswith("tests/fuzz/corpus/")]
        self.files = sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def report(self, rule, path, line, message):
        self.findings.append((rule, path, line, message))


def is_cpp(path):
    return path.endswith((".h", ".cc", ".cpp"))


def module_of(path):
    parts = path.split("/")
    for n in range(len(parts) - 1, 0, -1):
        if "/".join(parts[:n]) in ARROWS:
            return "/".join(parts[:n])
    return None


def included_module(name, quoted):
    if re.match(r"meridian/v1/", name):
        return "client/proto"
    if name.startswith("meridian/"):
        return "client/include"
    return module_of(name) if quoted else None


LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)


def strip_literals(text):
    """The code with comments, strings and characters blanked; lines stay where they were."""
    return LITERALS.sub(lambda m: '""' + "\n" * m.group().count("\n") if m.group()[0] in 'R"' else
                        " " + "\n" * m.group().count("\n"), text)


def check_includes(tree, path, text):
    module = module_of(path)
    if module is None:
        return
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        name = match.group(2)
        target = included_module(name, match.group(1) == '"')
        allowed = ARROWS[module]
        if allowed is not None and target is not None and target != module and target not in allowed:
            tree.report("arrow", path, number, f"{module} may not use {target} ({name})")
        if module == "client/include" and target != module and not re.fullmatch(r"[a-z_]+", name):
            tree.report("arrow", path, number, f"installed headers include only std and each other, not {name}")
        for rule, pattern, may, only_headers, why in HEADERS:
            inside = any(path.startswith(folder + "/") for folder in may)
            if re.match(pattern, name) and not inside and (path.endswith(".h") or not only_headers):
                tree.report(rule, path, number, f"{name}: {why}")
        if module in CORES and re.match(r"google/protobuf|.*\.pb\.h", name):
            tree.report("protobuf-in-core", path, number, f"{module} knows no protobuf ({name})")
        if module in CORES and re.search(r"unordered", name):
            tree.report("unordered", path, number, "cores use base/lookup_map.h, which cannot be iterated")


def check_banned(tree, path, code):
    for number, line in enumerate(code.split("\n"), 1):
        for rule, pattern in BANNED:
            if path.startswith(REAL_WORLD) and not (rule == "sleep" and path.startswith(NO_SLEEP_EVEN_IN)):
                continue
            match = re.search(pattern, line)
            if match:
                tree.report(rule, path, number, f"{match.group().strip()}: goes through Runtime (base/runtime.h)")
        if module_of(path) in CORES and re.search(r"\bunordered_\w*(?:map|set)\b|\bflat_hash_(?:map|set)\b", line):
            tree.report("unordered", path, number, "cores use base/lookup_map.h, which cannot be iterated")


def is_scope(head):
    """Does the text before a brace open a namespace or type, rather than a function?"""
    head = head.strip()
    while match := re.match(r"template\s*<", head):  # template <...>, brackets balanced
        depth, i = 1, match.end()
        while i < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[i], 0)
            i += 1
        head = head[i:].strip()
        head = re.sub(r"^requires\s*(\((?:[^()]|\([^()]*\))*\)|[\w:<>, ]+?(?=\s(?:class|struct)\b))\s*", "", head)
    return bool(re.match(r"(?:inline\s+)?namespace\b|extern\s*\"\"\s*$|(?:typedef\s+)?(?:class|struct|union|enum)\b", head))


def functions(code):
    """(first line, lines) of every function body outside other functions. For clang-formatted code."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), code, flags=re.M)
    scopes, head, head_line, line, depth, start = [], "", 1, 1, 0, None
    for c in code:
        if c == "\n":
            line += 1
        if start is not None:  # inside a function: only the braces count
            depth += {"{": 1, "}": -1}.get(c, 0)
            if depth == 0:
                yield start, line - start + 1
                start, head = None, ""
            continue
        if c == "{":
            if is_scope(head) or "(" not in head:
                scopes.append(c)
            else:
                start, depth = head_line, 1
            head = ""
        elif c == "}" and scopes:
            scopes.pop()
            head = ""
        elif c == ";":
            head = ""
        else:
            if not head.strip():
                head_line = line
                if c.isspace():
                    continue
            head += c


def check_sizes(tree, path, text):
    limit = MAX_LINES.get(os.path.splitext(path)[1])
    lines = text.count("\n")
    if limit and lines > limit:
        tree.report("file-size", path, 1, f"{lines} lines; the limit is {limit}")


def check_functions(tree, path, code):
    for first, lines in functions(code):
        if lines > MAX_FUNCTION:
            tree.report("function-size", path, first, f"a function of {lines} lines; the limit is {MAX_FUNCTION}")


def check_text(tree, path, text):
    markers = re.compile(r"^(<<<<<<< |>>>>>>> |=======$)")
    tabs = not path.endswith(("Makefile", ".tsv", ".txt")) and "/testdata/" not in path
    for number, line in enumerate(text.split("\n"), 1):
        if markers.match(line) and not path.endswith((".md", ".txt")):
            tree.report("conflict-marker", path, number, "a merge was left unfinished")
        if tabs and "\t" in line:
            tree.report("tab", path, number, "indent with spaces")
    if path.endswith(".h") and "#pragma once" not in text:
        tree.report("pragma-once", path, 1, "a header begins with #pragma once")


def check_script(tree, path):
    result = subprocess.run(["bash", "-n", os.path.join(tree.root, path)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        tree.report("shell-syntax", path, 1, result.stderr.strip())
    if not os.access(os.path.join(tree.root, path), os.X_OK) and not path.endswith(".sh"):
        tree.report("not-executable", path, 1, "a script with #! is executable")


def check_layout(tree):
    for name in sorted({f.split("/")[0] for f in tree.files} - TOP_LEVEL):
        tree.report("top-level", name, 1, "the ten folders and the usual text files are the whole top level")
    modules = {m for m in map(module_of, tree.files) if m} | {f.split("/")[0] for f in tree.files if "/" in f}
    for module in sorted(modules - {".ci"}):
        if module + "/README.md" not in tree.files:
            tree.report("readme", module, 1, "a module opens with a README.md: what it owns, what it must not know")


def read_exceptions(path):
    """Lines of `rule path reason`."""
    exceptions = {}
    if not os.path.exists(path):
        return exceptions
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split(None, 2)
            if len(words) < 3:
                sys.exit(f"{path}:{number}: an exception is `rule path reason`")
            exceptions[(words[0], words[1])] = words[2].strip()
    return exceptions


def run(root, exceptions):
    """All findings but the excepted ones, and one for each exception that nothing needs."""
    tree = Tree(root)
    for path in tree.files:
        if path.endswith((".png", ".svg", ".gz", ".zst", ".ico", ".woff2")):
            continue
        text = tree.read(path)
        check_text(tree, path, text)
        check_sizes(tree, path, text)
        if text.startswith("#!") and re.match(r"#!.*\b(?:ba)?sh\b", text.split("\n", 1)[0]):
            check_script(tree, path)
        if is_cpp(path):
            code = strip_literals(text)
            check_includes(tree, path, text)
            check_banned(tree, path, code)
            check_functions(tree, path, code)
    check_layout(tree)
    used = {(rule, path) for rule, path, _, _ in tree.findings}
    left = [f for f in tree.findings if (f[0], f[1]) not in exceptions]
    for rule, path in exceptions.keys() - used:
        left.append(("unused-exception", path, 1, f"exceptions.txt excepts it from {rule} without need"))
    return sorted(left, key=lambda f: (f[1], f[2]))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    findings = run(root, read_exceptions(os.path.join(here, "exceptions.txt")))
    for rule, path, line, message in findings:
        print(f"{path}:{line}: {message} [{rule}]")
    print(f"lint: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
