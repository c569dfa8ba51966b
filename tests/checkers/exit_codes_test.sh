#!/bin/bash
# meridian-check's exit codes: 0 holds, 1 violated, 2 usage.
set -u
check=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
expect() {
  local want=$1; shift
  "$@" >"$dir/out" 2>&1
  local got=$?
  [ "$got" = "$want" ] || { echo "$*: exit code $got, not $want"; cat "$dir/out"; exit 1; }
}
cat >"$dir/good.jsonl" <<'LINES'
{"index":0,"time":1,"process":0,"type":"invoke","f":"write","key":"k","value":"a"}
{"index":1,"time":2,"process":0,"type":"ok","f":"write","key":"k","value":"a","version":10}
{"index":2,"time":3,"process":1,"type":"invoke","f":"read","key":"k","value":null,"level":"linearizable"}
{"index":3,"time":4,"process":1,"type":"ok","f":"read","key":"k","value":"a","version":10,"timestamp":11,"level":"linearizable"}
LINES
sed 's/"read","key":"k","value":"a","version":10/"read","key":"k","value":null/' "$dir/good.jsonl" >"$dir/bad.jsonl"
sed 2d "$dir/good.jsonl" | sed 's/"process":1/"process":0/' >"$dir/broken.jsonl"
expect 0 "$check" "$dir/good.jsonl"
expect 1 "$check" "$dir/bad.jsonl"
grep -q 'not linearizable' "$dir/out" || { echo "no explanation"; exit 1; }
expect 2 "$check" "$dir/broken.jsonl"
expect 2 "$check" "$dir/missing.jsonl"
expect 2 "$check"
expect 2 "$check" --no-such-flag
expect 0 "$check" --help
expect 0 "$check" "$dir/good.jsonl" --to-edn "$dir/good.edn"
grep -q ':type :ok, :f :read' "$dir/good.edn" || { echo "no EDN"; exit 1; }
expect 0 "$check" "$dir/good.jsonl" --checker linearizability
grep -q 'hold: linearizability$' "$dir/out" || { echo "more than one checker"; exit 1; }
expect 2 "$check" "$dir/good.jsonl" --checker guesswork
expect 1 "$check" "$dir/bad.jsonl" --max-steps 1
expect 1 "$check" "$dir/bad.jsonl" -o json --html "$dir/bad.html"
python3 - "$dir/out" "$dir/bad.html" <<'PYTHON' || { echo "bad JSON or page"; exit 1; }
import json, re, sys
import xml.etree.ElementTree as xml
judged = json.load(open(sys.argv[1]))
bad = {each["checker"]: each for each in judged["checkers"] if each["verdict"] == "violated"}
assert not judged["holds"] and bad["linearizability"]["anomaly"] == "not-linearizable", judged
assert len(bad["linearizability"]["failing"]) == 2, judged
page = open(sys.argv[2]).read()
bars = xml.fromstring(re.search("<svg.*</svg>", page, re.S).group()).findall("./g/rect")
assert len(bars) == 2, page
PYTHON
expect 0 "$check" "$dir/good.jsonl" --to-edn "$dir/good.edn" --key other
[ ! -s "$dir/good.edn" ] || { echo "another key's events"; exit 1; }
