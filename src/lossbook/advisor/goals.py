r"""What a loss may be chosen for.  Every goal gives one value per test sample, whose mean is the score.

So differences between two methods are differences of paired values, and their intervals come from the samples themselves.
All values are larger where a method is better; a calibration error is stored negated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lossbook.metrics.uniformity import split_similarities, uniform_accuracy
from lossbook.objectives.objective import Objective

LEAST_CLASSES = 4  # to hold some of them out
_BINS = 15
_RARE_SHARE, _IMBALANCE = 0.25, 3.0


@dataclass(frozen=True)
class Goal:
    """A goal.

    Attributes:
        title: in a heading.
        measure: (objective, logits (n, N) float32, labels (n,), training images per class (N,)) to one value per sample, (n,).
        what: one sentence that says what the score is.
        lower: the score is shown negated, and smaller is better.
        wanted: whether the goal makes a question for such class counts.
        hides: some classes are held out of the training; their test samples have the label -1.
    """

    title: str
    measure: Callable[[Objective, Tensor, Tensor, Tensor], Tensor]
    what: str
    lower: bool = False
    wanted: Callable[[Tensor], bool] = lambda counts: True
    hides: bool = False

    def shown(self, value: float) -> float:
        """A score as it is shown."""
        return -value if self.lower else value


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) == labels).double()


def _mean_over_classes(values: Tensor, labels: Tensor, classes: Tensor) -> Tensor:
    """Values per sample whose mean is the mean over some classes of their mean value; ``classes`` is a mask (N,)."""
    sizes = torch.bincount(labels, minlength=len(classes)).double()
    present = classes & (sizes > 0)
    weight = torch.where(present, len(labels) / (sizes.clamp_min(1) * present.sum().clamp_min(1)), 0.0)
    return values * weight[labels]


def accuracy(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    return _right(logits, labels)


def balanced(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    return _mean_over_classes(_right(logits, labels), labels, torch.ones_like(counts, dtype=torch.bool))


def rare_classes(counts: Tensor) -> Tensor:
    """The rarest quarter of the classes, at least one: a mask (N,)."""
    most = max(1, round(_RARE_SHARE * len(counts)))
    return torch.zeros_like(counts, dtype=torch.bool).index_fill_(0, counts.argsort(stable=True)[:most], True)


def rarest(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    return _mean_over_classes(_right(logits, labels), labels, rare_classes(counts))


def _imbalanced(counts: Tensor) -> bool:
    return bool(counts.max() >= _IMBALANCE * counts.min())


def threshold(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """Each half of the samples is judged by the threshold that is best on the other half."""
    values = torch.zeros(len(labels), dtype=torch.float64)
    halves = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)) % 2 == 0
    for mine, other in ((halves, ~halves), (~halves, halves)):
        if not bool(mine.any() and other.any()):
            continue
        _, bound = uniform_accuracy(logits[other], labels[other])
        positive, negative = split_similarities(logits[mine], labels[mine])
        values[mine] = ((positive > bound) & (negative <= bound)).double()
    return values


def calibration(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    r"""The terms of minus the expected calibration error.

    With :math:`s_b` the sign of the gap of bin b, :math:`\mathrm{ECE} = \frac1M \sum_i s_{b(i)} (p_i - [\text{right}_i])`.
    A binary cross entropy gives the sigmoid of its largest logit as the probability, the others their softmax.
    """
    logits = logits.double()
    sure = logits.amax(1).sigmoid() if objective.learns_threshold else logits.softmax(1).amax(1)
    gaps = sure - _right(logits, labels)
    edges = torch.arange(1, _BINS, dtype=sure.dtype) / _BINS
    place = torch.bucketize(sure, edges)
    signs = torch.zeros(_BINS, dtype=sure.dtype).index_add_(0, place, gaps).sign()
    return -signs[place] * gaps


def unknown(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    r"""Values whose mean is the area under the ROC curve of known against unknown samples by their largest logit.

    With :math:`V_i` the share of unknown scores below that of known sample i (equal ones count half), :math:`V_j` the share of
    known scores above that of unknown sample j, and n = M + U, the values are :math:`A + \tfrac nM (V_i - A)` and
    :math:`A + \tfrac nU (V_j - A)`: the variance of their mean is that of DeLong et al. (1988).
    """
    scores, known = logits.double().amax(1), labels >= 0
    mine, other = scores[known], scores[~known]
    if not len(mine) or not len(other):
        raise ValueError("expected test samples of known and of unknown classes")
    values = torch.empty(len(labels), dtype=torch.float64)
    values[known] = _below(mine, other)
    values[~known] = _below(-other, -mine)
    area = values[known].mean()
    share = torch.where(known, len(labels) / len(mine), len(labels) / len(other)).double()
    return area + share * (values - area)


def _below(scores: Tensor, others: Tensor) -> Tensor:
    """The share of the others below each score; equal ones count half."""
    ordered = others.sort().values
    less, reached = torch.searchsorted(ordered, scores), torch.searchsorted(ordered, scores, right=True)
    return (less + reached).double() / (2 * len(others))


def _several(counts: Tensor) -> bool:
    return len(counts) >= LEAST_CLASSES


GOALS: dict[str, Goal] = {
    "accuracy": Goal("accuracy", accuracy, "the share of right predictions"),
    "balanced": Goal("balanced accuracy", balanced, "the mean over the classes of the share of right predictions"),
    "rarest": Goal(
        "rarest classes",
        rarest,
        "the same over the rarest quarter of the classes, where classes differ in size",
        wanted=_imbalanced,
    ),
    "threshold": Goal(
        "one threshold",
        threshold,
        "the share of samples with their own class above one threshold for all, and every other class at or below it;"
        " the threshold comes from the other half of the test samples",
    ),
    "calibration": Goal(
        "calibration error", calibration, "the expected calibration error of the predicted class's probability", lower=True
    ),
    "unknown": Goal(
        "unknown classes",
        unknown,
        "the area under the ROC curve of known against unknown samples by their largest logit; in every fold a quarter of the "
        "classes, drawn anew, is held out of the training",
        wanted=_several,
        hides=True,
    ),
}


def measure(objective: Objective, logits: Tensor, labels: Tensor, counts: Tensor, goals: tuple[str, ...]) -> Tensor:
    """(goals, n), in float64."""
    return torch.stack([GOALS[name].measure(objective, logits, labels, counts) for name in goals])
