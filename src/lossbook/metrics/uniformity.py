r"""How uniform is a classification?  The three accuracies of `uniform`, exact, and the ranges behind them.

``similarities`` (M, N) holds the similarity of every sample to every class (the paper says *metric*; logits serve as well),
``labels`` (M,) the classes.  A sample's *positive* similarity is the one to its own class, the largest other one its
*negative* similarity, and a threshold t classifies it when positive > t >= negative (Eq. 7: a tie of both is a miss).
The accuracies need these two numbers per sample only: a stream of batches keeps what :func:`split_similarities` gives, and
the functions ``..._from_split`` take it.

Everything runs on the tensor's own device.  No M x N copy is made: rows are reduced chunk by chunk, and only vectors of
length M are sorted.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.checks import check_classified, check_tensors
from lossbook.metrics.ordering import lexsort
from lossbook.precision import at_least_float32, wide

# Elements per chunk that is copied to mask the own class: the copy stays in a core's own cache until it is read.
_CHUNK_ELEMENTS = 1 << 17


def split_similarities(similarities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative similarity of each sample.

    Returns:
        ``(positive, negative)``, each (M,), float32 or wider.

    Raises:
        ValueError: for a wrong shape, a label out of range, or NaN in the similarities.
    """
    check_tensors(similarities=similarities, labels=labels)
    return _split("similarities", similarities, labels)


def top1(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each sample's largest logit, and whether it is that of the own class: (M,) float32 or wider, and (M,) bool.

    Equal to ``logits.max(1)`` and its index, the first of equal ones, in a sixth of the time on a CPU.

    Example:
        >>> top1(torch.tensor([[2.0, 1.0], [0.5, 0.5]]), torch.tensor([1, 0]))
        (tensor([2.0000, 0.5000]), tensor([False,  True]))
    """
    check_tensors(logits=logits, labels=labels)
    positive, negative = _split("logits", logits, labels)
    right = positive > negative
    tied = (positive == negative).nonzero().squeeze(1)
    if len(tied):
        right[tied] = logits.detach()[tied].argmax(1) == labels[tied]
    return torch.maximum(positive, negative), right


def _split(name: str, similarities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    check_classified(similarities, labels)
    similarities, own = similarities.detach(), labels.unsqueeze(1)
    rows = max(1, _CHUNK_ELEMENTS // similarities.shape[1])
    chunks = zip(similarities.split(rows), own.split(rows), strict=True)
    negative = torch.cat([chunk.scatter(1, index, -torch.inf).amax(1) for chunk, index in chunks])
    positive = similarities.gather(1, own).squeeze(1)
    if math.isnan(torch.maximum(positive, negative).amax().item()):
        raise ValueError(f"expected {name} without NaN; did the training diverge?")
    return at_least_float32(positive), at_least_float32(negative)


def _check_split(positive: Tensor, negative: Tensor) -> None:
    check_tensors(positive=positive, negative=negative)
    if positive.ndim != 1 or not len(positive) or positive.shape != negative.shape or positive.dtype != negative.dtype:
        raise ValueError(
            "expected positive and negative similarities of one dtype, (M,) each with M >= 1, "
            f"got {positive.dtype} {tuple(positive.shape)} and {negative.dtype} {tuple(negative.shape)}"
        )
    if not positive.is_floating_point():
        raise TypeError(f"expected floating-point similarities, got {positive.dtype}")
    if bool(torch.maximum(positive, negative).isnan().any()):
        raise ValueError("expected similarities without NaN")


def samplewise_accuracy(similarities: Tensor, labels: Tensor) -> float:
    r"""A_SW, Eq. 11: the share of samples whose positive similarity exceeds their negative one.

    .. math:: A_{SW} = \frac1M \sum_m \left[c_{y_m} > \max_{j \neq y_m} c_j\right]

    Returns:
        Within [0, 1].

    Example:
        >>> samplewise_accuracy(torch.tensor([[2.0, 1.0], [0.5, 0.5]]), torch.tensor([0, 1]))  # a tie is a miss
        0.5
    """
    return samplewise_accuracy_from_split(*split_similarities(similarities, labels))


def samplewise_accuracy_from_split(positive: Tensor, negative: Tensor) -> float:
    """:func:`samplewise_accuracy` from each sample's positive and negative similarity, (M,) each.

    Example:
        >>> samplewise_accuracy_from_split(torch.tensor([2.0, 0.5]), torch.tensor([1.0, 0.5]))
        0.5
    """
    _check_split(positive, negative)
    return int((positive > negative).sum()) / len(positive)


def _sweep(positive: Tensor, negative: Tensor, group: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Raise a threshold past both ends of every interval [negative, positive), group by group.

    A sample is classified by the thresholds in its interval, so the number of classified samples goes up by one at a
    start and down by one at an end.  At equal values the ends come first: an empty interval is never counted, and no
    group leaves anything to the next one.  O(M log M).

    Returns:
        ``(order, classified)``, each (2M,): what comes next, m for sample m's end and M + m for its start, and how many
        samples are classified from there on.
    """
    ends = torch.cat([torch.maximum(positive, negative), negative])
    order = lexsort(ends) if group is None else lexsort(ends, group.repeat(2))
    return order, torch.where(order < len(positive), -1, 1).cumsum(0)


def uniform_accuracy(similarities: Tensor, labels: Tensor) -> tuple[float, float]:
    r"""A_Uni and its threshold, Eqs. 13-16: the largest share of samples that one threshold classifies, exactly.

    .. math:: A_{Uni} = \max_t \frac1M \sum_m \left[c_{y_m} > t \ge \max_{j \neq y_m} c_j\right]

    Returns:
        ``(accuracy, threshold)``: accuracy within [0, 1]; the threshold in the similarities' unit is the middle of the
        optimal interval (the lowest one, where several are optimal), NaN when no sample can be classified.

    Example:
        >>> similarities = torch.tensor([[3.0, 1.0], [0.0, 2.0], [1.5, 0.0]])
        >>> uniform_accuracy(similarities, torch.tensor([0, 1, 0]))
        (1.0, 1.25)
    """
    return uniform_accuracy_from_split(*split_similarities(similarities, labels))


def uniform_accuracy_from_split(positive: Tensor, negative: Tensor) -> tuple[float, float]:
    """:func:`uniform_accuracy` from each sample's positive and negative similarity, (M,) each.

    Takes about 100 bytes per sample while it sorts.

    Example:
        >>> uniform_accuracy_from_split(torch.tensor([3.0, 2.0, 1.5]), torch.tensor([1.0, 0.0, 0.0]))
        (1.0, 1.25)
    """
    _check_split(positive, negative)
    positive, negative = at_least_float32(positive), at_least_float32(negative)
    order, classified = _sweep(positive, negative)
    first = classified.argmax()
    best = classified[first].item()
    if best == 0:
        return 0.0, float("nan")
    low = negative[order[first] - len(negative)]
    high = torch.where((positive > negative) & (positive > low), positive, torch.inf).min()
    middle = low + (high - low) / 2
    # Two neighbouring floats, or an infinite end, have no middle.  The start of the interval is optimal too.
    threshold = middle if bool(middle.isfinite()) and bool(middle < high) else low
    return best / len(positive), threshold.item()


def classwise_uniform_accuracy(similarities: Tensor, labels: Tensor) -> float:
    r"""A_CW, Eqs. 18-22: each class has a threshold of its own for the samples of the class.

    .. math:: A_{CW} = \frac1M \sum_i \max_{t_i} \sum_{m: y_m = i} \left[c_i > t_i \ge \max_{j \neq i} c_j\right]

    Returns:
        Within [0, 1]; a class without samples adds nothing.  A_Uni <= A_CW <= A_SW (Eq. 26).
    """
    return classwise_uniform_accuracy_from_split(*split_similarities(similarities, labels), labels)


def classwise_uniform_accuracy_from_split(positive: Tensor, negative: Tensor, labels: Tensor) -> float:
    """:func:`classwise_uniform_accuracy` from each sample's positive and negative similarity and its class, (M,) each.

    Takes about 150 bytes per sample while it sorts.  The labels may be any integers.

    Example:
        >>> positive, negative = torch.tensor([1.0, 11.0, 1.0]), torch.tensor([0.0, 10.0, 0.0])
        >>> classwise_uniform_accuracy_from_split(positive, negative, torch.tensor([7, 1_000_000_000, 7]))
        1.0
    """
    _check_split(positive, negative)
    check_tensors(positive=positive, labels=labels)
    if labels.shape != positive.shape or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"expected integer labels of shape ({len(positive)},), got {labels.dtype} {tuple(labels.shape)}")
    order, classified = _sweep(at_least_float32(positive), at_least_float32(negative), labels)
    place = labels.repeat(2)[order].unique_consecutive(return_inverse=True)[1]  # the sweep goes class by class
    best = classified.new_zeros(len(place)).scatter_reduce(0, place, classified, "amax")
    return int(best.sum()) / len(labels)


class Dominance(NamedTuple):
    """What a metric matrix says: is every column's (every diagonal element's) maximum where it should be?"""

    column_dominant: bool
    global_dominant: bool


def draw_metric_matrix(similarities: Tensor, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The metric matrix E of Eq. S.1: one random sample per class; E[j, i] is the similarity of class i's
    sample to class j.

    Returns:
        (N, N) tensor, classes in rows and samples in columns.

    Raises:
        ValueError: if a class has no sample.
    """
    check_tensors(similarities=similarities, labels=labels)
    check_classified(similarities, labels)
    order = torch.randperm(labels.numel(), generator=generator).to(labels.device)
    picked = torch.full((similarities.shape[1],), -1, device=labels.device)
    picked[labels[order]] = order
    if bool((picked < 0).any()):
        raise ValueError(f"class {int((picked < 0).nonzero()[0])} has no sample: every class needs one")
    return similarities[picked].T


def metric_matrix_dominance(matrix: Tensor) -> Dominance:
    """S.I: is each diagonal element above all others of its column (sample-wise), above every off-diagonal element of
    the whole matrix (uniform)?  Strictly, so that the two follow from sample-wise and uniform classification."""
    check_tensors(matrix=matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise ValueError(f"expected a square metric matrix with at least 2 classes, got {tuple(matrix.shape)}")
    if bool(matrix.isnan().any()):
        raise ValueError("expected a metric matrix without NaN")
    diagonal = matrix.diagonal()
    others = matrix.masked_fill(torch.eye(len(matrix), dtype=torch.bool, device=matrix.device), -torch.inf)
    return Dominance(bool((diagonal > others.amax(0)).all()), bool(diagonal.min() > others.max()))


class ClassRanges(NamedTuple):
    """Ends of the ranges of each class's similarities, each (N,); NaN for a class without samples."""

    positive_min: Tensor
    positive_max: Tensor
    negative_min: Tensor
    negative_max: Tensor


def class_ranges(similarities: Tensor, labels: Tensor, negatives: Literal["type1", "type2"] = "type1") -> ClassRanges:
    """The ranges of Figs. 2 and 3, over the samples that are classified sample-wise.

    Args:
        negatives: ``"type1"``: the similarities of class i's samples to the other classes; ``"type2"``: those of the other
            classes' samples to class i.
    """
    positive, negative = split_similarities(similarities, labels)
    correct, classes = positive > negative, similarities.shape[1]
    values, labels, positive = similarities.detach()[correct], labels[correct], positive[correct]
    own = labels.unsqueeze(1)
    high, low = values.scatter(1, own, -torch.inf), values.scatter(1, own, torch.inf)
    if negatives == "type1":
        negative_min = _by_class(low.amin(1), labels, classes, "amin")
        negative_max = _by_class(high.amax(1), labels, classes, "amax")
    elif negatives == "type2":
        no_others = (labels.numel() - labels.bincount(minlength=classes)) == 0
        bottom, top = values.new_full((1, classes), -torch.inf), values.new_full((1, classes), torch.inf)
        negative_min = torch.cat([low, top]).amin(0).masked_fill(no_others, torch.nan)
        negative_max = torch.cat([high, bottom]).amax(0).masked_fill(no_others, torch.nan)
    else:
        raise ValueError(f"negatives must be 'type1' or 'type2', got {negatives!r}")
    positive_min, positive_max = (_by_class(positive, labels, classes, reduce) for reduce in ("amin", "amax"))
    return ClassRanges(positive_min, positive_max, negative_min, negative_max)


def _by_class(values: Tensor, labels: Tensor, num_classes: int, reduce: str) -> Tensor:
    empty = torch.full((num_classes,), torch.nan, dtype=values.dtype, device=values.device)
    return empty.scatter_reduce(0, labels, values, reduce, include_self=False)


class Overlap(NamedTuple):
    """Fig. 2: where the positive and the negative similarities overlap, in their unit."""

    positive_min_mean: float
    positive_min_std: float
    negative_max_mean: float
    negative_max_std: float

    @property
    def width(self) -> float:
        """Mean of the largest negative less mean of the smallest positive similarity; negative where they are apart."""
        return self.negative_max_mean - self.positive_min_mean


def overlap(similarities: Tensor, labels: Tensor) -> Overlap:
    """Means and standard deviations over the classes of the smallest positive and the largest negative similarity."""
    ranges = class_ranges(similarities, labels)
    seen = ~ranges.positive_min.isnan()
    low, high = wide(ranges.positive_min[seen]), wide(ranges.negative_max[seen])
    if low.numel() < 2:
        raise ValueError(f"expected correctly classified samples of at least 2 classes, got {low.numel()}")
    return Overlap(low.mean().item(), low.std().item(), high.mean().item(), high.std().item())
