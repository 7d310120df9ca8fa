r"""How good is an embedding for retrieval?  Every query looks for the samples of its class in a gallery.

``features`` (M, d) are the embeddings, ``labels`` (M,) the classes, any integers.  Without a gallery every sample queries all
the others and never finds itself; with ``gallery`` (G, d) and ``gallery_labels`` (G,) the features query the gallery, as in
In-Shop.  :math:`R_i` is the number of samples of query i's class that it can find; a query with :math:`R_i = 0` (a class with
one sample, or absent from the gallery) has nothing to find and is left out of every mean.  All results are in [0, 1].

Nearest neighbours are exact, see :mod:`lossbook.metrics.neighbours`.  Where several samples are equally near (equal distances
in float64, as between equal embeddings) a result is the expectation over their random orders, exactly, so that the order of
the samples does not matter.  Time is that of one product of all pairs, plus that of all exact distances for queries with such
samples; memory is a few copies of the features and about 300 MB.

Each function raises a TypeError for what is no tensor or has a wrong dtype, and a ValueError for shapes, devices and k that do
not fit, for features that are not finite, and where no query has anything to find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.neighbours import Distance, check_embeddings, points_of
from lossbook.metrics.ranking import Gallery, Ranking

# Of a chunk's ranking and R per query, (rows, 1), to one number per query, (rows,).
_Measure = Callable[[Ranking, Tensor], Tensor]


class _Task(NamedTuple):
    """Queries (Q, d) and gallery (G, d) with classes 0, 1, ...; R per query (Q,); whether the queries are the gallery."""

    queries: Tensor
    gallery: Tensor
    group: Tensor
    gallery_group: Tensor
    relevant: Tensor
    own: bool

    @property
    def most(self) -> int:
        """The most samples that a query can find."""
        return len(self.gallery) - int(self.own)


def _task(features: Tensor, labels: Tensor, gallery: Tensor | None, gallery_labels: Tensor | None, depth: int) -> _Task:
    """After all checks."""
    own = gallery is None
    if own != (gallery_labels is None):
        raise ValueError("expected gallery and gallery_labels together, got one of them")
    check_embeddings(features, labels, least=2 if own else 1)
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels = features, labels
    else:
        check_embeddings(gallery, gallery_labels, least=1)
        if gallery.shape[1] != features.shape[1] or gallery.device != features.device:
            raise ValueError(
                f"expected a gallery (G, {features.shape[1]}) on {features.device} as the features,"
                f" got {tuple(gallery.shape)} on {gallery.device}"
            )
    most = len(gallery) - int(own)
    if not depth <= most:
        what = "one less than the samples" if own else "the size of the gallery"
        raise ValueError(f"expected k within 1..{most}, {what}, got {depth}")
    both = labels if own else torch.cat([labels, gallery_labels])
    group = torch.unique(both, return_inverse=True)[1]
    group, gallery_group = group[: len(labels)], group[-len(gallery_labels) :]
    relevant = torch.bincount(gallery_group, minlength=len(both))[group] - int(own)
    if not bool((relevant > 0).any()):
        wanted = "a class with at least two samples" if own else "a query whose class is in the gallery"
        raise ValueError(f"expected {wanted}: no query has anything to find")
    return _Task(features, gallery, group, gallery_group, relevant, own)


def _means(task: _Task, distance: Distance, depth: int, measures: dict[str, _Measure]) -> dict[str, float]:
    """The means over the queries that have something to find, all in one pass."""
    queries = None if task.own else points_of(task.queries, distance)
    num_classes = int(torch.max(task.group.max(), task.gallery_group.max())) + 1
    gallery = Gallery(points_of(task.gallery, distance), task.gallery_group, num_classes, queries, task.group)
    values = dict.fromkeys(measures, torch.empty(0))
    for query, ranking in gallery.rankings(depth):
        for name, measure in measures.items():
            found = measure(ranking, task.relevant[query].unsqueeze(1))
            if not len(values[name]):
                values[name] = found.new_empty(len(task.group))
            values[name][query] = found
    return {name: found[task.relevant > 0].mean().item() for name, found in values.items()}


def _found(k: int) -> _Measure:
    return lambda ranking, relevant: 1 - ranking.missed[:, k - 1]


def _precision(k: int) -> _Measure:
    return lambda ranking, relevant: ranking.hit[:, :k].sum(1) / k


def _up_to_r(values: Tensor, relevant: Tensor) -> Tensor:
    """The sum over the first R ranks, divided by R: (rows,)."""
    rank = torch.arange(values.shape[1], device=values.device)
    return (values * (rank < relevant)).mul_(1 / relevant.clamp_min(1).to(values.dtype)).sum(1)


def _r_precision(ranking: Ranking, relevant: Tensor) -> Tensor:
    return _up_to_r(ranking.hit, relevant)


def _average_precision_at_r(ranking: Ranking, relevant: Tensor) -> Tensor:
    return _up_to_r(ranking.gain, relevant)


def _average_precision(ranking: Ranking, relevant: Tensor) -> Tensor:
    return ranking.gain.sum(1) / relevant.squeeze(1).clamp_min(1)


def _reciprocal_rank(ranking: Ranking, relevant: Tensor) -> Tensor:
    missed = torch.nn.functional.pad(ranking.missed, (1, 0), value=1.0)
    rank = torch.arange(ranking.missed.shape[1], device=missed.device)
    return ((missed[:, :-1] - missed[:, 1:]) / (rank + 1)).sum(1)


def _check_ks(ks: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(ks, Sequence) or not ks or not all(type(k) is int and k >= 1 for k in ks):
        raise ValueError(f"expected ks as one or more k >= 1, whole numbers, got {ks!r}")
    return tuple(ks)


def _at_each_k(
    measure: Callable[[int], _Measure],
    features: Tensor,
    labels: Tensor,
    ks: Sequence[int],
    distance: Distance,
    gallery: Tensor | None,
    gallery_labels: Tensor | None,
) -> dict[int, float]:
    """The mean of ``measure(k)`` for every k."""
    ks = _check_ks(ks)
    task = _task(features, labels, gallery, gallery_labels, max(ks))
    values = _means(task, distance, max(ks), {str(k): measure(k) for k in ks})
    return {k: values[str(k)] for k in ks}


def recall_at_k(
    features: Tensor,
    labels: Tensor,
    ks: Sequence[int] = (1, 2, 4, 8),
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> dict[int, float]:
    r"""The share of queries with a sample of their class among the k nearest, for all k in one pass.

    .. math:: \mathrm{Recall@}k = \frac1M \sum_i \left[\exists\, j \in \mathrm{NN}_k(i): y_j = y_i\right]

    Example:
        >>> recall_at_k(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), torch.tensor([0, 0, 1, 1]), ks=(1, 2))
        {1: 0.5, 2: 0.75}
        >>> queries, gallery = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.2], [0.7], [5.0]])
        >>> labels, gallery_labels = torch.tensor([3, 4]), torch.tensor([3, 3, 4])
        >>> recall_at_k(queries, labels, (1, 3), gallery=gallery, gallery_labels=gallery_labels)
        {1: 0.5, 3: 1.0}
    """
    return _at_each_k(_found, features, labels, ks, distance, gallery, gallery_labels)


def precision_at_k(
    features: Tensor,
    labels: Tensor,
    ks: Sequence[int] = (1, 2, 4, 8),
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> dict[int, float]:
    r"""The mean share of a query's k nearest neighbours that have its class, for all k in one pass.

    .. math:: \mathrm{Precision@}k = \frac1M \sum_i \frac1k \sum_{j=1}^{k} \left[y_{(j)} = y_i\right]

    Example:
        >>> precision_at_k(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), torch.tensor([0, 0, 1, 1]), ks=(1, 2))
        {1: 0.5, 2: 0.375}
    """
    return _at_each_k(_precision, features, labels, ks, distance, gallery, gallery_labels)


def precision_at_1(
    features: Tensor,
    labels: Tensor,
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> float:
    """P@1: the share of queries whose nearest neighbour has their class; the same as recall@1."""
    return recall_at_k(features, labels, (1,), distance, gallery=gallery, gallery_labels=gallery_labels)[1]


def r_precision(
    features: Tensor,
    labels: Tensor,
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> float:
    r"""The mean share of a query's :math:`R_i` nearest neighbours that have its class.

    .. math:: \mathrm{RP} = \frac1M \sum_i \frac{1}{R_i} \sum_{k=1}^{R_i} \left[y_{(k)} = y_i\right]
    """
    task = _task(features, labels, gallery, gallery_labels, 1)
    return _means(task, distance, int(task.relevant.max()), {"": _r_precision})[""]


def map_at_r(
    features: Tensor,
    labels: Tensor,
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> float:
    r"""MAP@R (Musgrave et al., *A Metric Learning Reality Check*): R-precision that rewards the order.

    .. math:: \mathrm{MAP@R} = \frac1M \sum_i \frac{1}{R_i} \sum_{k=1}^{R_i} \left[y_{(k)} = y_i\right] P_i(k)

    :math:`P_i(k)` is the share of query i's k nearest neighbours that have its class.
    """
    task = _task(features, labels, gallery, gallery_labels, 1)
    return _means(task, distance, int(task.relevant.max()), {"": _average_precision_at_r})[""]


def mean_average_precision(
    features: Tensor,
    labels: Tensor,
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> float:
    r"""MAP over the whole ranking: the mean precision at the ranks of all :math:`R_i` samples of a query's class.

    .. math:: \mathrm{MAP} = \frac1M \sum_i \frac{1}{R_i} \sum_{k \ge 1} \left[y_{(k)} = y_i\right] P_i(k)

    It ranks the whole gallery for every query.

    Example:
        >>> mean_average_precision(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), torch.tensor([0, 0, 1, 1]))  # 1, 1/2, 1/3, 1
        0.7083333333333333
    """
    task = _task(features, labels, gallery, gallery_labels, 1)
    return _means(task, distance, task.most, {"": _average_precision})[""]


def mean_reciprocal_rank(
    features: Tensor,
    labels: Tensor,
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> float:
    r"""MRR: the mean of one over the rank of the first sample of a query's class.

    .. math:: \mathrm{MRR} = \frac1M \sum_i \frac{1}{\min \{k: y_{(k)} = y_i\}}

    It ranks the whole gallery for every query.

    Example:
        >>> mean_reciprocal_rank(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), torch.tensor([0, 0, 1, 1]))  # 1, 1/2, 1/3, 1
        0.7083333333333333
    """
    task = _task(features, labels, gallery, gallery_labels, 1)
    return _means(task, distance, task.most, {"": _reciprocal_rank})[""]


def retrieval_scores(
    features: Tensor,
    labels: Tensor,
    ks: Sequence[int] = (1, 2, 4, 8),
    distance: Distance = "euclidean",
    *,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
) -> dict[str, float]:
    """:func:`recall_at_k`, :func:`precision_at_1`, :func:`r_precision` and :func:`map_at_r` in one pass.

    Example:
        >>> retrieval_scores(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([0, 0, 1, 1]), ks=(1,))
        {'recall@1': 1.0, 'P@1': 1.0, 'R-precision': 1.0, 'MAP@R': 1.0}
    """
    ks = _check_ks(ks)
    task = _task(features, labels, gallery, gallery_labels, max(ks))
    measures: dict[str, _Measure] = {f"recall@{k}": _found(k) for k in ks}
    measures |= {"P@1": _found(1), "R-precision": _r_precision, "MAP@R": _average_precision_at_r}
    return _means(task, distance, max(*ks, int(task.relevant.max())), measures)
