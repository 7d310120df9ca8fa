r"""Verification of pairs: do two samples have the same class?  The protocol of Labeled Faces in the Wild.

A pair is accepted where its similarity exceeds a threshold.  The pairs come in folds; the accuracy on each fold is that of
the threshold which is best on all the others.  TAR@FAR is the share of same-class pairs that are accepted at a threshold
which accepts at most the share FAR of the others.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.metrics.neighbours import Distance
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy
from lossbook.precision import wide

# Up to so many pairs, all their numbers are shuffled; of more, the wanted ones are drawn one by one.
_SHUFFLED = 1 << 22


class Pairs(NamedTuple):
    """Indices of the two samples of every pair, whether they have the same class, and the pair's fold; each (P,)."""

    left: Tensor
    right: Tensor
    same: Tensor
    fold: Tensor


def draw_pairs(labels: Tensor, folds: int = 10, per_fold: int = 300, seed: int = 0) -> Pairs:
    """Random different pairs for verification, in every fold as many of the same class as of two classes.

    No sample is in two folds.  Where there are at least two classes per fold, no class is in two folds either, as in LFW.
    Pairs are drawn by their number and not listed: the memory is proportional to the samples and the drawn pairs, besides
    at most 70 MB.

    Args:
        labels: (M,) classes, any integers.
        per_fold: same-class pairs in a fold, and as many others; fewer where a fold has fewer.

    Raises:
        ValueError: where a fold has no pair of one of the two kinds.

    Example:
        >>> pairs = draw_pairs(torch.tensor([0, 1, 2, 3]).repeat(6), folds=2, per_fold=4)
        >>> pairs.same.tolist()
        [True, True, True, True, False, False, False, False, True, True, True, True, False, False, False, False]
    """
    check_tensors(labels=labels)
    if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"expected integer labels of shape (M,), got {labels.dtype} of shape {tuple(labels.shape)}")
    if folds < 1 or per_fold < 1:
        raise ValueError(f"expected folds >= 1 and per_fold >= 1, got {folds} and {per_fold}")
    generator = torch.Generator().manual_seed(seed)
    classes, group = torch.unique(labels.cpu(), return_inverse=True)
    fold_of = (group if len(classes) >= 2 * folds else torch.randperm(len(group), generator=generator)) % folds
    found: list[Pairs] = []
    for fold in range(folds):
        members = torch.nonzero(fold_of == fold).squeeze(1)
        pairs = _NumberedPairs(group[members])
        count = min(per_fold, pairs.same, pairs.different)
        if count == 0:
            raise ValueError(f"expected pairs of the same class and of two in each of {folds} folds, fold {fold} lacks one kind")
        ends = [pairs.of_same_class(_draw_numbers(pairs.same, count, generator))]
        ends.append(pairs.of_two_classes(_draw_numbers(pairs.different, count, generator)))
        left, right = (members[torch.cat(end)] for end in zip(*ends, strict=True))
        found.append(Pairs(left, right, torch.arange(2 * count) < count, torch.full((2 * count,), fold)))
    return Pairs(*(torch.cat(column) for column in zip(*found, strict=True)))


def _draw_numbers(total: int, count: int, generator: torch.Generator) -> Tensor:
    """``count`` different numbers below ``total``, each choice as likely as any other."""
    if total <= max(_SHUFFLED, 8 * count):
        return torch.randperm(total, generator=generator)[:count]
    drawn = torch.randint(total, (count,), generator=generator).unique()
    while len(drawn) < count:
        drawn = torch.cat([drawn, torch.randint(total, (count,), generator=generator)]).unique()
    return drawn[torch.randperm(len(drawn), generator=generator)[:count]]


class _NumberedPairs:
    """All pairs i < j of n samples, numbered in the order of i, then j: those of one class, and those of two, each from 0.

    Args:
        group: (n,), classes as integers >= 0.
    """

    def __init__(self, group: Tensor) -> None:
        samples = len(group)
        self.order = group.sort(stable=True).indices  # samples class by class
        self.place = self.order.argsort()  # of every sample in there
        self.start = torch.searchsorted(group[self.order], group)
        end = torch.searchsorted(group[self.order], group, right=True)
        later = torch.arange(samples - 1, -1, -1)
        self.numbers = torch.stack([end - self.place - 1, later - (end - self.place - 1)]).cumsum(1)
        self.same: int
        self.different: int
        self.same, self.different = self.numbers[:, -1].tolist() if samples else (0, 0)
        # How many samples of other classes come before each: in the order of classes, one rising sequence.
        self.stride = samples + 1
        others = torch.arange(samples) - (self.place - self.start)
        self.others, self.key = others, (self.start * self.stride + others)[self.order]

    def _left(self, kind: int, number: Tensor) -> tuple[Tensor, Tensor]:
        """The first sample of a pair, and how many pairs of this kind it has before that one."""
        left = torch.searchsorted(self.numbers[kind], number, right=True)
        return left, number - torch.where(left > 0, self.numbers[kind][left - 1], 0)

    def of_same_class(self, number: Tensor) -> tuple[Tensor, Tensor]:
        left, skipped = self._left(0, number)
        return left, self.order[self.place[left] + 1 + skipped]

    def of_two_classes(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """The right sample is the q-th of another class, q = (others before left) + (pairs skipped): its place is q plus the
        samples of left's class up to there, which are those with at most q others before them."""
        left, skipped = self._left(1, number)
        nth = self.others[left] + skipped
        own = torch.searchsorted(self.key, self.start[left] * self.stride + nth, right=True) - self.start[left]
        return left, nth + own


def similarities(left: Tensor, right: Tensor, distance: Distance = "euclidean") -> Tensor:
    """Of the embeddings of pairs, (P, d) each, to (P,): minus the Euclidean distance, or the cosine.

    Example:
        >>> similarities(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]])).tolist()
        [-5.0]
    """
    check_tensors(left=left, right=right)
    if left.ndim != 2 or left.shape != right.shape or not len(left):
        raise ValueError(
            f"expected two embeddings per pair, (P, d) each with P >= 1, got {tuple(left.shape)} and {tuple(right.shape)}"
        )
    left, right = wide(left.detach()), wide(right.detach())
    if distance == "euclidean":
        return -torch.linalg.vector_norm(left - right, dim=1)
    if distance == "cosine":
        return torch.nn.functional.cosine_similarity(left, right)
    raise ValueError(f"distance must be 'euclidean' or 'cosine', got {distance!r}")


def cross_validated_accuracy(scores: Tensor, same: Tensor, fold: Tensor) -> Tensor:
    r"""The accuracy on every fold of the threshold that is best on the others, (K,) in the order of the folds.

    Of equally good thresholds the smallest counts: the largest similarity that must be rejected.

    .. math:: A_k = \frac{1}{|k|} \sum_{m \in k} \left[(s_m > t_k) = p_m\right], \qquad
        t_k = \arg\max_t \sum_{m \notin k} \left[(s_m > t) = p_m\right]

    Args:
        scores: (P,) similarities.
        same: (P,) bool.
        fold: (P,) integers, two or more different ones.

    Returns:
        Within [0, 1]; published numbers are their mean.

    Example:
        >>> scores, same = torch.tensor([0.9, 0.2, 0.8, 0.1]), torch.tensor([True, False, True, False])
        >>> cross_validated_accuracy(scores, same, torch.tensor([0, 0, 1, 1])).tolist()  # thresholds 0.1 and 0.2
        [0.5, 1.0]
    """
    check_tensors(scores=scores, same=same, fold=fold)
    if fold.shape != scores.shape or fold.is_floating_point():
        raise ValueError(f"expected an integer fold for each of {len(scores)} pairs, got {fold.dtype} {tuple(fold.shape)}")
    if same.shape != scores.shape:
        raise ValueError(f"expected scores and a mask of one shape (P,), got {tuple(scores.shape)} and {tuple(same.shape)}")
    names = torch.unique(fold)
    if len(names) < 2:
        raise ValueError("expected pairs in at least two folds: the threshold comes from the other folds")
    accuracies = []
    for name in names:
        inside = fold == name
        _, threshold = verification_accuracy(scores[~inside], same[~inside])
        accuracies.append(threshold_accuracy(scores[inside], same[inside], threshold))
    return torch.tensor(accuracies, dtype=torch.float64)


def tar_at_far(scores: Tensor, same: Tensor, far: float) -> float:
    r"""The largest share of same-class pairs accepted by a threshold that accepts at most the share ``far`` of the others.

    .. math:: \max_t \; \frac{|\{m: s_m > t,\, p_m\}|}{|\{m: p_m\}|}
        \quad\text{with}\quad |\{m: s_m > t,\, \neg p_m\}| \le \mathrm{FAR} \cdot |\{m: \neg p_m\}|

    Example:
        >>> scores, same = torch.tensor([0.9, 0.8, 0.6, 0.7, 0.1]), torch.tensor([True, True, True, False, False])
        >>> tar_at_far(scores, same, far=0.5), round(tar_at_far(scores, same, far=0.1), 3)
        (1.0, 0.667)
    """
    check_tensors(scores=scores, same=same)
    if not 0 <= far < 1:
        raise ValueError(f"expected a false accept rate within [0, 1), got {far}")
    threshold_accuracy(scores, same, 0.0)  # checks shapes and dtypes
    others = scores[~same].sort(descending=True).values
    if len(others) in (0, len(scores)):
        raise ValueError("expected pairs of the same class and of two classes")
    allowed = int(far * len(others) + 1e-9)  # 0.1 of 30 are 3, in spite of rounding
    return int((scores[same] > others[allowed]).sum()) / int(same.sum())
