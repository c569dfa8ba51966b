#!/usr/bin/python3
"""Puts and linearizable gets beside etcd, on this machine, one after the other: three node processes and one proxy against
three etcd processes, 100,000 keys, values of 256 bytes, closed loop.

    etcd_compare.py BUILD_DIR ETCD_SH [--duration 10s] [--clients 1,64,256] [-o json]

ETCD_SH [--op put|get --clients N --duration D --preload N] runs a fresh three-node etcd and one load, and prints
one line of JSON with the rate and latencies.
"""

import argparse
import json
import subprocess
import sys

from cluster import Cluster, build_argument

KEYS = 100_000
VALUE_BYTES = 256


def last_json(argv):
    result = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(argv)}: code {result.returncode}\n{result.stdout}{result.stderr}")
    return json.loads([line for line in result.stdout.splitlines() if line.startswith("{")][-1])


def main(build):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("etcd")
    parser.add_argument("--duration", default="10s")
    parser.add_argument("--clients", default="1,64,256")
    parser.add_argument("--ops", default="put,get")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    rows = []
    for op in options.ops.split(","):
        for clients in options.clients.split(","):
            common = ["--op", op, "--clients", clients, "--duration", options.duration, "--value-bytes", str(VALUE_BYTES),
                      "--keys", str(KEYS), "--preload", str(KEYS)]
            etcd = last_json([options.etcd, *common])
            with Cluster(build) as c:
                c.form()
                ours = last_json([c.program("tools/bench/meridian-bench"), "--proxy", c.proxy.address, "-o", "json", *common])
            rows.append({"op": op, "clients": int(clients), "etcd": etcd, "meridian": ours})
            print(json.dumps(rows[-1]), file=sys.stderr)
    if options.output == "json":
        print(json.dumps(rows))
        return
    print(f"{'':>4} {'clients':>7} {'etcd/s':>10} {'p50 ms':>8} {'meridian/s':>11} {'p50 ms':>8} {'ratio':>6}")
    for row in rows:
        rates, p50 = ([row[who][figure] for who in ("etcd", "meridian")] for figure in ("ops_per_s", "p50_ms"))
        print(f"{row['op']:>4} {row['clients']:>7} {rates[0]:>10,.0f} {p50[0]:>8.2f} {rates[1]:>11,.0f} {p50[1]:>8.2f} "
              f"{rates[1] / rates[0]:>6.2f}")


if __name__ == "__main__":
    main(build_argument())
