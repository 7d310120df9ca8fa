"""Longhand references for the verification of pairs, by trying all thresholds."""

from __future__ import annotations

import math


def verification_by_folds(scores, same, fold) -> list[float]:
    """Every threshold is tried on the other folds: below all scores, and at each of them; the first best one counts."""
    found = []
    for name in sorted(set(fold)):
        other = [(s, p) for s, p, f in zip(scores, same, fold, strict=True) if f != name]
        thresholds = [-math.inf, *sorted(s for s, _ in other)]
        best = max(thresholds, key=lambda t: sum((s > t) == p for s, p in other))
        own = [(s, p) for s, p, f in zip(scores, same, fold, strict=True) if f == name]
        found.append(sum((s > best) == p for s, p in own) / len(own))
    return found


def tar_at_far(scores, same, allowed) -> float:
    """The most same-class pairs accepted by any threshold with at most ``allowed`` of the others."""
    best = 0.0
    for t in [-math.inf, *scores]:
        if sum(s > t for s, p in zip(scores, same, strict=True) if not p) <= allowed:
            best = max(best, sum(s > t for s, p in zip(scores, same, strict=True) if p) / sum(same))
    return best
