"""Longhand float64 references for the `warped` paper and its retrieval metrics, with plain loops and `math`.

They share no code with the package.  Samples, classes and labels are counted from 0.
"""

from __future__ import annotations

import math


def distance(a, b) -> float:
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def cosine_distance(a, b) -> float:
    """1 - cos; a zero vector has cosine 0 with all but another zero vector."""
    lengths = [math.sqrt(sum(float(x) ** 2 for x in v)) for v in (a, b)]
    if 0 in lengths:
        return 0.0 if lengths == [0, 0] else 1.0
    return 1 - sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / (lengths[0] * lengths[1])


# One sample's loss -----------------------------------------------------------------------------------------------


def eq_6(row, y, f1, f2, temperature=1.0) -> float:
    """Eqs. 6 and 8: d_y goes through f1, every other distance through f2."""
    total = 0.0
    for j in range(len(row)):
        if j != y:
            total += math.exp(temperature * (f1(row[y]) - f2(row[j])))
    return math.log(1 + total)


def eq_4(row, y, temperature=1.0) -> float:
    return eq_6(row, y, lambda x: x, lambda x: x, temperature)


def eq_7(x, alpha, k1, k2, margin) -> float:
    if x < alpha:
        return k1 * x + margin * (1 - k1) * x
    return k2 * x + alpha * (1 - k2)


def eq_8(row, y, alpha, k1, k2, temperature=1.0, margin=1.0) -> float:
    return eq_6(row, y, lambda x: eq_7(x, alpha, k1, k2, margin), lambda x: x, temperature)


def eq_8_gradient(row, y, alpha, k1, k2, temperature=1.0, margin=1.0) -> list[float]:
    """With respect to the distances, Delta held constant: -T p_j for the others, T f1' times their sum for the own one."""
    terms = [math.exp(temperature * (eq_7(row[y], alpha, k1, k2, margin) - row[j])) for j in range(len(row)) if j != y]
    share = {j: term / (1 + sum(terms)) for j, term in zip([j for j in range(len(row)) if j != y], terms, strict=True)}
    slope = k1 if row[y] < alpha else k2
    return [temperature * slope * sum(share.values()) if j == y else -temperature * share[j] for j in range(len(row))]


# Retrieval -------------------------------------------------------------------------------------------------------


def ranking(features, i, apart=distance) -> list[int]:
    """All samples but i, nearest first; at equal distance the earlier sample first."""
    return sorted((j for j in range(len(features)) if j != i), key=lambda j: (apart(features[i], features[j]), j))


def _mean_over_queries(features, labels, score, apart) -> float:
    values = []
    for i in range(len(labels)):
        relevant = sum(1 for j in range(len(labels)) if j != i and labels[j] == labels[i])
        if relevant:
            hits = [labels[j] == labels[i] for j in ranking(features, i, apart)]
            values.append(score(hits, relevant))
    return sum(values) / len(values)


def recall_at(features, labels, k, apart=distance) -> float:
    return _mean_over_queries(features, labels, lambda hits, _: 1.0 if any(hits[:k]) else 0.0, apart)


def r_precision(features, labels, apart=distance) -> float:
    return _mean_over_queries(features, labels, lambda hits, relevant: sum(hits[:relevant]) / relevant, apart)


def map_at_r(features, labels, apart=distance) -> float:
    def score(hits, relevant):
        total = 0.0
        for k in range(1, relevant + 1):
            if hits[k - 1]:
                total += sum(hits[:k]) / k
        return total / relevant

    return _mean_over_queries(features, labels, score, apart)


def nmi(labels, clusters) -> float:
    """Mutual information over the geometric mean of the entropies."""
    count = len(labels)

    def entropy(values):
        return -sum(values.count(v) / count * math.log(values.count(v) / count) for v in set(values))

    pairs = list(zip(labels, clusters, strict=True))
    information = sum(
        pairs.count(pair) / count * math.log(count * pairs.count(pair) / (labels.count(pair[0]) * clusters.count(pair[1])))
        for pair in set(pairs)
    )
    return information / math.sqrt(entropy(labels) * entropy(clusters))


# Reality check and verification ------------------------------------------------------------------------------------


def folds_of(classes, count) -> list[list[int]]:
    """Consecutive parts; the first ones take what is left over."""
    size, extra = divmod(len(classes), count)
    parts, start = [], 0
    for k in range(count):
        stop = start + size + (1 if k < extra else 0)
        parts.append(list(classes[start:stop]))
        start = stop
    return parts


def side_by_side(embeddings, unit_length) -> list[list[float]]:
    """Rows of several models one after the other, each divided by its length where that is asked for."""
    rows = []
    for parts in zip(*embeddings, strict=True):
        row: list[float] = []
        for part in parts:
            length = math.sqrt(sum(float(x) ** 2 for x in part)) if unit_length else 1.0
            row += [float(x) / length for x in part]
        rows.append(row)
    return rows


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
