"""What of two series of measurements is more than noise. Pure.

Two builds are told apart by the Mann-Whitney test: of all ways to deal the measured values to the two, how many would
separate them as much? It knows nothing of the shape of the noise, and one stray value does not sway it. Where many figures
are tested at once, some would be "significant" by chance; Holm's correction bounds the chance that any one is."""

import math
import statistics
from collections import Counter


def midranks_doubled(values):
    """Twice the rank of each value; equal ones share the mean of theirs. Doubled, so that all are whole."""
    ordered = sorted(values)
    first = {v: i for i, v in reversed(list(enumerate(ordered)))}
    count = Counter(ordered)
    return [2 * first[v] + count[v] + 1 for v in values]


def mann_whitney(a, b):
    """The exact two-sided p: the share of all ways to choose len(a) of the values whose rank sum is as far off."""
    ranks = midranks_doubled([*a, *b])
    ways = [Counter() for _ in range(len(a) + 1)]  # ways[k][s]: to choose k of the ranks so far with the sum s
    ways[0][0] = 1
    for rank in ranks:
        for k in range(len(a), 0, -1):
            for total, n in ways[k - 1].items():
                ways[k][total + rank] += n
    mean = len(a) * (len(ranks) + 1)
    off = abs(sum(ranks[:len(a)]) - mean)
    as_far = sum(n for total, n in ways[len(a)].items() if abs(total - mean) >= off)
    return as_far / math.comb(len(ranks), len(a))


def holm(ps):
    """Each p, raised for there being several: below alpha, none of them is chance with confidence 1 - alpha."""
    out, largest = [0.0] * len(ps), 0.0
    for position, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, ps[index] * (len(ps) - position)))
        out[index] = largest
    return out


def rounds_needed(figures, alpha):
    """With fewer rounds not even a perfect separation of one among so many figures would be beyond noise."""
    rounds = 2
    while 2 / math.comb(2 * rounds, rounds) * figures > alpha:
        rounds += 1
    return rounds


def judge(series, threshold, alpha):
    """series: {name: {"old": [...], "new": [...], "more_is_better": bool}}. Rows with verdict same, better or worse:
    beyond noise, and by more than the threshold."""
    rows = []
    adjusted = holm([mann_whitney(s["old"], s["new"]) for s in series.values()])
    for (name, s), p in zip(series.items(), adjusted):
        old, new = statistics.median(s["old"]), statistics.median(s["new"])
        change = new / old - 1 if old else 0.0
        verdict = "same"
        if p < alpha and abs(change) > threshold:
            verdict = "better" if (change > 0) == s["more_is_better"] else "worse"
        rows.append({"name": name, "old": old, "new": new, "change": change, "p": p, "verdict": verdict,
                     "more_is_better": s["more_is_better"]})
    return rows
