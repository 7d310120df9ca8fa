"""Longhand references for retrieval, with plain loops over all pairs of samples, and for two protocols built on it."""

from __future__ import annotations

import itertools
import math


def distance(a, b) -> float:
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def cosine_distance(a, b) -> float:
    """1 - cos; a zero vector has cosine 0 with all but another zero vector."""
    lengths = [math.sqrt(sum(float(x) ** 2 for x in v)) for v in (a, b)]
    if 0 in lengths:
        return 0.0 if lengths == [0, 0] else 1.0
    return 1 - sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / (lengths[0] * lengths[1])


def ranking(features, i, apart=distance) -> list[int]:
    """All samples but i, nearest first; at equal distance the earlier sample first."""
    return sorted((j for j in range(len(features)) if j != i), key=lambda j: (apart(features[i], features[j]), j))


def _orders(groups):
    """All ways in which the hits of every group may stand: lists of hits of equal probability."""
    if not groups:
        yield []
        return
    first, *rest = groups
    for places in itertools.combinations(range(len(first)), sum(first)):
        for others in _orders(rest):
            yield [i in places for i in range(len(first))] + others


def _mean_over_queries(features, labels, score, apart, gallery=None, gallery_labels=None) -> float:
    """The mean over queries with something to find, each the mean over all orders of equally near samples."""
    own = gallery is None
    gallery, gallery_labels = (features, labels) if own else (gallery, gallery_labels)
    values = []
    for i in range(len(labels)):
        others = [j for j in range(len(gallery_labels)) if not (own and j == i)]
        relevant = sum(1 for j in others if gallery_labels[j] == labels[i])
        if relevant:
            far = {j: apart(features[i], gallery[j]) for j in others}
            groups = [
                [gallery_labels[j] == labels[i] for j in others if far[j] == distance] for distance in sorted(set(far.values()))
            ]
            scores = [score(hits, relevant) for hits in _orders(groups)]
            values.append(sum(scores) / len(scores))
    return sum(values) / len(values)


def recall_at(features, labels, k, apart=distance, **gallery) -> float:
    return _mean_over_queries(features, labels, lambda hits, _: 1.0 if any(hits[:k]) else 0.0, apart, **gallery)


def precision_at(features, labels, k, apart=distance, **gallery) -> float:
    return _mean_over_queries(features, labels, lambda hits, _: sum(hits[:k]) / k, apart, **gallery)


def r_precision(features, labels, apart=distance, **gallery) -> float:
    return _mean_over_queries(features, labels, lambda hits, relevant: sum(hits[:relevant]) / relevant, apart, **gallery)


def _average_precision(hits, last, relevant) -> float:
    return sum(sum(hits[:k]) / k for k in range(1, last + 1) if hits[k - 1]) / relevant


def map_at_r(features, labels, apart=distance, **gallery) -> float:
    return _mean_over_queries(
        features, labels, lambda hits, relevant: _average_precision(hits, relevant, relevant), apart, **gallery
    )


def mean_average_precision(features, labels, apart=distance, **gallery) -> float:
    return _mean_over_queries(
        features, labels, lambda hits, relevant: _average_precision(hits, len(hits), relevant), apart, **gallery
    )


def mean_reciprocal_rank(features, labels, apart=distance, **gallery) -> float:
    return _mean_over_queries(features, labels, lambda hits, _: 1 / (hits.index(True) + 1), apart, **gallery)


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


# Reality check ----------------------------------------------------------------------------------------------------


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
