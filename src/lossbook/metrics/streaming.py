"""Metrics over a stream of batches and over processes, as ``torchmetrics.Metric`` (the extra ``metrics``).

Each class equals the function of one call on all samples at once, however the batches are cut: it keeps the few numbers per
sample that the function needs, and ``compute`` calls the function.  ``compute`` gathers them from all processes first.
States are part of ``state_dict``.  Results are tensors of the device's widest dtype.

>>> metric = AUROC()
>>> for scores, known in (([0.9, 0.5], [True, False]), ([0.5, 0.1], [True, False])):
...     metric.update(torch.tensor(scores), torch.tensor(known))
>>> metric.compute().item()
0.875
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
import torch.distributed
from torch import Tensor

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.checks import check_mask, check_scores, check_tensors
from lossbook.metrics.longtail import Counts, accuracy_of_groups, class_groups, count_right
from lossbook.metrics.neighbours import Distance
from lossbook.metrics.openset import auroc, oscr_from_scores
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.metrics.thresholds import fpr_at_tpr
from lossbook.metrics.uniformity import (
    classwise_uniform_accuracy_from_split,
    samplewise_accuracy_from_split,
    split_similarities,
    top1,
    uniform_accuracy_from_split,
)
from lossbook.optional import extra
from lossbook.precision import at_least_float32, widest

with suppress(ModuleNotFoundError):  # torchmetrics imports torchvision where it is installed, and this cures it
    import lossbook._torchvision  # noqa: F401
with extra("metrics"):
    from torchmetrics import Metric
    from torchmetrics.utilities.data import dim_zero_cat
    from torchmetrics.utilities.distributed import gather_all_tensors


class _Stream(Metric):
    """A metric whose states are part of its state_dict and whose results are numbers."""

    full_state_update = False
    is_differentiable = False

    def _number(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=widest(self.device), device=self.device)

    def _numbers(self, values: Mapping[str, float]) -> dict[str, Tensor]:
        return {name: self._number(value) for name, value in values.items()}


class _Samples(_Stream):
    """Keeps columns of numbers per sample, each state a list of tensors."""

    def _keep(self, *columns: str) -> None:
        for name in columns:
            self.add_state(name, default=[], dist_reduce_fx="cat", persistent=True)

    def _append(self, **values: Tensor) -> None:
        """Add a batch, and join the last eight tensors while the first of them is no longer than the last.

        Thousands of small tensors would each keep a piece of the batches' freed memory from being used again (batches of 256 x
        1,000 took 4 GB); joined, there are seven per octal digit of the number of equal batches at most.
        """
        for name, value in values.items():
            kept = getattr(self, name)
            # With compute_on_cpu, the kept ones are on the CPU.
            kept.append(value.to(kept[-1].device) if kept else value)
            while len(kept) >= 8 and len(kept[-8]) <= len(kept[-1]):
                kept[-8:] = [torch.cat(kept[-8:])]

    def _columns(self) -> list[Tensor]:
        """All samples' numbers, in the order in which the columns were declared."""
        if not all(len(getattr(self, name)) for name in self._defaults):
            raise ValueError(f"expected samples before {type(self).__name__}.compute, got no update")
        return [dim_zero_cat(getattr(self, name)) for name in self._defaults]

    def _sync_dist(self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any | None = None) -> None:
        """A process without a batch takes part with empty columns in the dtypes of the others, which torchmetrics does not
        know: it would send float32."""
        group = process_group or self.process_group
        own = {name: (kept[0].dtype, kept[0].shape[1:]) for name in self._defaults if (kept := getattr(self, name))}
        kinds: list[Any] = [None] * torch.distributed.get_world_size(group)
        torch.distributed.all_gather_object(kinds, own, group)
        for name in set().union(*kinds) - set(own):
            dtype, shape = next(kind[name] for kind in kinds if name in kind)
            setattr(self, name, [torch.empty(0, *shape, dtype=dtype, device=self.device)])
        super()._sync_dist(dist_sync_fn, process_group)


class UniformAccuracies(_Samples):
    """A_SW, A_CW and A_Uni of `uniform`, and A_Uni's threshold: :mod:`lossbook.metrics.uniformity` over a stream.

    Keeps the positive and the negative similarity and the label: 16 bytes per sample (24 for float64), whatever the number of
    classes; ``compute`` takes about 150 bytes per sample while it sorts.

    Example:
        >>> metric = UniformAccuracies()
        >>> for similarities, label in (([3.0, 1.0], 0), ([0.0, 2.0], 1), ([1.5, 0.0], 0)):
        ...     metric.update(torch.tensor([similarities]), torch.tensor([label]))
        >>> {name: value.item() for name, value in metric.compute().items()}
        {'A_SW': 1.0, 'A_CW': 1.0, 'A_Uni': 1.0, 'threshold': 1.25}
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._keep("positive", "negative", "labels")

    def update(self, similarities: Tensor, labels: Tensor) -> None:
        """Of a batch: similarities or logits (B, N), and labels (B,)."""
        positive, negative = split_similarities(similarities, labels)
        self._append(positive=positive, negative=negative, labels=labels.clone())

    def compute(self) -> dict[str, Tensor]:
        positive, negative, labels = self._columns()
        accuracy, threshold = uniform_accuracy_from_split(positive, negative)
        values = {
            "A_SW": samplewise_accuracy_from_split(positive, negative),
            "A_CW": classwise_uniform_accuracy_from_split(positive, negative, labels),
            "A_Uni": accuracy,
            "threshold": threshold,
        }
        return self._numbers(values)


class OSCR(_Samples):
    """:func:`lossbook.metrics.openset.oscr` over a stream of known and unknown samples in any mixture.

    Keeps the confidence and two flags: 6 bytes per sample (10 for float64).

    Example:
        >>> metric = OSCR()
        >>> metric.update(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), torch.tensor([0, 0, 0]))
        >>> metric.update(torch.tensor([[0.4, 0.6], [0.5, 0.5]]), torch.tensor([-1, -1]))
        >>> metric.compute().item()
        0.5833333333333334
    """

    higher_is_better = True

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._keep("scores", "known", "right")

    def update(self, probs: Tensor, labels: Tensor) -> None:
        """Of a batch: any score per class (B, N), and labels (B,), -1 for a sample of an unknown class."""
        check_tensors(probs=probs, labels=labels)
        if probs.ndim != 2 or probs.shape[1] < 2 or labels.shape != probs.shape[:1] or labels.dtype != torch.int64:
            raise ValueError(
                "expected probs (B, N) of N >= 2 classes and int64 labels (B,), "
                f"got {tuple(probs.shape)} and {labels.dtype} {tuple(labels.shape)}"
            )
        if len(labels) and not bool(((labels >= -1) & (labels < probs.shape[1])).all()):
            low, high = int(labels.min()), int(labels.max())
            raise ValueError(f"expected labels within -1..{probs.shape[1] - 1}, got values from {low} to {high}")
        known = labels >= 0
        confidence, right = top1(probs, labels.clamp_min(0))
        self._append(scores=confidence, known=known, right=right & known)

    def compute(self) -> Tensor:
        scores, known, right = self._columns()
        return self._number(oscr_from_scores(scores[known], right[known], scores[~known]) if _both(known) else math.nan)


def _both(known: Tensor) -> bool:
    """Whether there are samples of known and of unknown classes: a batch of one kind alone has no such metric (NaN)."""
    return bool(known.any()) and not bool(known.all())


class _KnownUnknown(_Samples):
    """Scores, and which of them are of known classes: 5 bytes per sample (9 for float64)."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._keep("scores", "known")

    def update(self, scores: Tensor, known: Tensor) -> None:
        """Of a batch: scores (B,), larger means more likely known, and a boolean mask of the known samples (B,)."""
        check_tensors(scores=scores, known=known)
        check_mask("known", known)
        check_scores("scores", scores)
        if known.shape != scores.shape:
            raise ValueError(f"expected known of shape {tuple(scores.shape)}, one per score, got {tuple(known.shape)}")
        self._append(scores=at_least_float32(scores.detach()).clone(), known=known.clone())


class AUROC(_KnownUnknown):
    """:func:`lossbook.metrics.openset.auroc` over a stream of known and unknown samples in any mixture.

    Keeps the score and one flag: 5 bytes per sample (9 for float64).
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        scores, known = self._columns()
        return self._number(auroc(scores[known], scores[~known]) if _both(known) else math.nan)


class FPRAtTPR(_KnownUnknown):
    """:func:`lossbook.metrics.thresholds.fpr_at_tpr` over a stream: FPR95 for the default.

    Keeps the score and one flag: 5 bytes per sample (9 for float64).

    Example:
        >>> metric = FPRAtTPR(tpr=0.5)
        >>> metric.update(torch.tensor([0.9, 0.2, 0.5]), torch.tensor([True, True, False]))
        >>> metric.compute().item()
        0.0
    """

    higher_is_better = False

    def __init__(self, tpr: float = 0.95, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.tpr = tpr

    def compute(self) -> Tensor:
        scores, known = self._columns()
        return self._number(fpr_at_tpr(scores[known], scores[~known], self.tpr) if _both(known) else math.nan)


class ExpectedCalibrationError(_Samples):
    """:func:`lossbook.metrics.calibration.expected_calibration_error` over a stream.

    Keeps the confidence and one flag: 5 bytes per sample (9 for float64).  Over several processes the samples stand in another
    order, so that the last digit may differ from that of one process.

    Example:
        >>> metric = ExpectedCalibrationError(bins=2)
        >>> for confidence, correct in ((0.75, True), (0.75, False), (0.25, False)):
        ...     metric.update(torch.tensor([confidence]), torch.tensor([correct]))
        >>> metric.compute().item()
        0.25
    """

    higher_is_better = False

    def __init__(self, bins: int = 15, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.bins = bins
        self._keep("confidences", "correct")

    def update(self, confidences: Tensor, correct: Tensor) -> None:
        """Of a batch: the probability of the predicted class (B,), and whether the prediction was right, (B,) bool."""
        expected_calibration_error(confidences, correct, self.bins)  # checks the batch
        self._append(confidences=at_least_float32(confidences.detach()).clone(), correct=correct.clone())

    def compute(self) -> Tensor:
        confidences, correct = self._columns()
        return self._number(expected_calibration_error(confidences, correct, self.bins))


class GroupAccuracies(_Stream):
    """:func:`lossbook.metrics.longtail.group_accuracy` over a stream: accuracy on all, many, medium and few.

    Keeps six numbers.

    Args:
        class_counts: training images per class, (K,).
        many, few: the groups' bounds, see :func:`lossbook.metrics.longtail.class_groups`.

    Example:
        >>> metric = GroupAccuracies([500, 50, 5])
        >>> for logits, labels in ((torch.eye(3)[[0, 1]], [0, 1]), (torch.eye(3)[[0, 2]], [1, 2])):
        ...     metric.update(logits, torch.tensor(labels))
        >>> {name: value.item() for name, value in metric.compute().items()}
        {'all': 0.75, 'many': 1.0, 'medium': 0.5, 'few': 1.0}
    """

    higher_is_better = True
    groups: Tensor
    right: Tensor
    samples: Tensor

    def __init__(self, class_counts: Counts, many: int = 100, few: int = 20, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.register_buffer("groups", class_groups(class_counts, many, few), persistent=False)
        for name in ("right", "samples"):
            self.add_state(name, default=torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum", persistent=True)

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Of a batch: logits (B, K) and labels (B,)."""
        right, samples = count_right(logits, labels, self.groups)
        self.right = self.right + right
        self.samples = self.samples + samples

    def compute(self) -> dict[str, Tensor]:
        return self._numbers(accuracy_of_groups(self.right, self.samples)._asdict())


class RetrievalScores(_Samples):
    """:func:`lossbook.metrics.retrieval.retrieval_scores` over a stream: recall@k, P@1, R-precision and MAP@R.

    Keeps every embedding and its label: 4 d + 8 bytes per sample (2 d + 8 for half precision), since each sample is compared
    with all others.  Over several processes the samples stand in another order, so that the last digit of a mean may differ
    from that of one process.

    Args:
        ks: of recall@k.
        distance: ``"euclidean"`` or ``"cosine"``.

    Example:
        >>> metric = RetrievalScores(ks=(1,))
        >>> for position, label in ((0.0, 0), (5.0, 1), (1.0, 0), (6.0, 1)):
        ...     metric.update(torch.tensor([[position]]), torch.tensor([label]))
        >>> metric.compute()["recall@1"].item()
        1.0
    """

    higher_is_better = True

    def __init__(self, ks: Sequence[int] = (1, 2, 4, 8), distance: Distance = "euclidean", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.ks = tuple(ks)
        self.distance: Distance = distance
        self._keep("features", "labels")

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Of a batch: embeddings (B, d) and labels (B,), any integers."""
        check_tensors(features=features, labels=labels)
        if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
            raise ValueError(
                f"expected features (B, d) and labels (B,) with B >= 1, got {tuple(features.shape)} and {tuple(labels.shape)}"
            )
        if not features.is_floating_point() or labels.is_floating_point() or labels.dtype == torch.bool:
            raise TypeError(f"expected floating-point features and integer labels, got {features.dtype} and {labels.dtype}")
        self._append(features=features.detach().clone(), labels=labels.clone())

    def compute(self) -> dict[str, Tensor]:
        features, labels = self._columns()
        return self._numbers(retrieval_scores(features, labels, self.ks, self.distance))
