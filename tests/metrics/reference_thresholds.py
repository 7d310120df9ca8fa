"""Known against unknown, threshold by threshold, as the definitions read."""

import itertools
import math


def rates(known, unknown, threshold):
    """TPR and FPR of ``score > threshold``; None accepts everything."""
    shares = []
    for scores in (known, unknown):
        shares.append(sum(1 for s in scores if threshold is None or s > threshold) / len(scores))
    return tuple(shares)


def curve(known, unknown):
    """All points of the ROC, from accepting nothing to accepting everything."""
    thresholds = sorted(set(known) | set(unknown), reverse=True)
    return [rates(known, unknown, t) for t in [*thresholds, None]]


def fpr_at_tpr(known, unknown, tpr):
    return min(false for true, false in curve(known, unknown) if true >= tpr - 1e-9)


def average_precision(positive, negative):
    area, recalled = 0.0, 0
    for score in sorted(set(positive) | set(negative), reverse=True):
        true, false = (sum(1 for s in scores if s >= score) for scores in (positive, negative))
        area += (true - recalled) / len(positive) * true / (true + false)
        recalled = true
    return area


def equal_error_rate(known, unknown):
    points = curve(known, unknown)
    for (true, false), (true_after, false_after) in itertools.pairwise(points):
        before, after = false - (1 - true), false_after - (1 - true_after)
        if before <= 0 <= after and after > before:
            return false + -before / (after - before) * (false_after - false)
    raise AssertionError("a ROC goes from (0, 0) to (1, 1)")


def best_balance(known, unknown):
    """The largest (TPR + TNR) / 2 of any threshold."""
    thresholds = [-math.inf, *known, *unknown]
    return max((true + 1 - false) / 2 for true, false in (rates(known, unknown, t) for t in thresholds))
