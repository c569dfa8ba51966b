"""What is made of measurements: medians, ratios, shares, and what voids a comparison. Pure."""

import statistics

VOID_BELOW = 0.8  # of the reference


def median_of_runs(runs):
    """Of each figure in a list of results; errors are added up."""
    out = {figure: statistics.median(run[figure] for run in runs) for figure in ("ops_per_s", "p50_ms", "p99_ms")}
    out["errors"] = sum(run.get("errors", 0) for run in runs)
    return out


def three_at_once(results):
    """One line for three processes of storage work: a put costs work in each of them."""
    return {"ops_per_s": sum(r["ops_per_s"] for r in results) / len(results),
            "p50_ms": statistics.median(r["p50_ms"] for r in results),
            "p99_ms": max(r["p99_ms"] for r in results), "errors": sum(r["errors"] for r in results)}


def ratio(figure, other):
    return round(figure["ops_per_s"] / other["ops_per_s"], 3) if other["ops_per_s"] > 0 else None


def ratios(meridian, etcd):
    return {point: ratio(meridian[point], etcd[point]) for point in meridian if point in etcd}


def limit_shares(meridian, limits):
    """{limit: {point: share}}: a point is compared with the limit at as many puts or calls at once."""
    out = {}
    for name, at_once in limits.items():
        op = "get" if name == "echo" else "put"
        shares = {f"{op}_{n}": ratio(meridian[f"{op}_{n}"], figure) for n, figure in at_once.items()
                  if f"{op}_{n}" in meridian}
        if shares:
            out[name] = shares
    return out


def headline(shares):
    """Of each limit the share at 256 callers, or else at the most there are: ({limit: share}, {limit: point})."""
    at = {name: next((p for p in of if p.endswith("_256")), max(of, key=lambda p: int(p.split("_")[1])))
          for name, of in shares.items()}
    return {name: shares[name][point] for name, point in at.items()}, at


def single_client(meridian, etcd):
    """Is Meridian's median latency with one client no worse than etcd's?"""
    out = {}
    for op in ("put", "get", "txn"):
        point = f"{op}_1"
        if point in meridian and point in etcd:
            ours, theirs = meridian[point]["p50_ms"], etcd[point]["p50_ms"]
            out[op] = {"meridian_p50_ms": ours, "etcd_p50_ms": theirs, "no_worse": ours <= theirs}
    return out


def void_reasons(etcd, meridian, limits, reference):
    reasons = []
    for point, figure in etcd.items():
        expected = reference.get(point)
        if expected and figure["ops_per_s"] < VOID_BELOW * expected:
            reasons.append(f"etcd's {point} is {figure['ops_per_s']:.0f}/s, below {VOID_BELOW:.0%} of the reference's "
                           f"{expected:.0f}/s: this machine is not the one it was, or not idle")
    named = [("etcd", etcd), ("Meridian", meridian)] + [(f"limit {name}", of) for name, of in limits.items()]
    for who, figures in named:
        for point, figure in figures.items():
            if figure["errors"]:
                reasons.append(f"{who}, {point}: {figure['errors']} calls failed")
    return reasons


def parse_reference(text):
    """put_1=432,get_64=6460. ValueError says what is wrong."""
    out = {}
    for item in filter(None, text.split(",")):
        point, equals, number = item.partition("=")
        op, _, clients = point.partition("_")
        if not equals or op not in ("put", "get", "txn") or not clients.isdecimal():
            raise ValueError(f"{item!r} is not like put_64=3172")
        out[point] = float(number)
    return out


def parse_clients(items, default):
    """["put=1,64"] over {"put": [...], "get": [...]}. ValueError says what is wrong."""
    out = dict(default)
    for item in items:
        op, equals, numbers = item.partition("=")
        if not equals or op not in out or not all(n.isdecimal() and 0 < int(n) <= 16384 for n in numbers.split(",")):
            raise ValueError(f"{item!r} is not like put=1,64,256")
        out[op] = [int(n) for n in numbers.split(",")]
    return out
