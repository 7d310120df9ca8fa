"""What a pass knows of the single samples: what each one's loss counts, and on request its loss and its prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lossbook.losses.checks import Reduction, check_reduction, check_sample_weight, is_soft


@dataclass
class Details:
    """What a fused loss finds on its way, for a training step that would form the logits again.  A loss fills the one that it
    is given as ``details``; nothing here has a gradient.

    Attributes:
        losses: every sample's loss, (B,), without its weight.
        predictions: the class with the largest logit, (B,), int64; the logits have their bias and no margin.
        right: how many predictions are the label, a scalar, int64; of soft targets, the class with the largest share.

    Example:
        >>> from lossbook.losses.fused.softmax import cross_entropy
        >>> details = Details()
        >>> loss = cross_entropy(torch.eye(2, 3), torch.eye(4, 3), torch.tensor([0, 3]), details=details)
        >>> details.predictions, details.right
        (tensor([0, 1]), tensor(1))
    """

    losses: Tensor = field(init=False)
    predictions: Tensor = field(init=False)
    right: Tensor = field(init=False)

    def fill(self, losses: Tensor, predictions: Tensor, labels: Tensor) -> None:
        target = labels.argmax(1) if is_soft(labels) else labels
        self.losses, self.predictions, self.right = losses.detach(), predictions, (predictions == target).sum()


@dataclass(frozen=True)
class Weighting:
    """``reduction`` and ``sample_weight`` of a fused loss, see :func:`~lossbook.losses.checks.reduce`."""

    reduction: Reduction = "mean"
    sample_weight: Tensor | None = None

    def check(self, labels: Tensor) -> None:
        check_reduction(self.reduction)
        if self.sample_weight is not None:
            check_sample_weight(self.sample_weight, len(labels), labels.device)
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (labels, self.sample_weight)):
            raise ValueError(
                "the fused losses have no gradient for soft targets and weights: detach them, or take the plain loss"
            )

    @property
    def per_sample(self) -> bool:
        return self.reduction == "none"

    def factors(self, labels: Tensor, wide: torch.dtype) -> Tensor | None:
        """What each sample's loss counts in the result, (B,); None where each counts 1/B."""
        if self.sample_weight is None:
            return None if self.reduction == "mean" else torch.ones(len(labels), dtype=wide, device=labels.device)
        weights = self.sample_weight.detach().to(wide)
        if self.reduction == "mean":
            return weights / weights.sum().clamp_min(torch.finfo(wide).tiny)
        return weights


class Largest:
    """The largest logit of every sample among the blocks seen so far, and its class."""

    def __init__(self, samples: int, dtype: torch.dtype, device: torch.device) -> None:
        self.logits = torch.full((samples,), -torch.inf, dtype=dtype, device=device)
        self.classes = torch.zeros(samples, dtype=torch.int64, device=device)

    def see(self, logits: Tensor, first: int) -> None:
        """A block of logits, (n, B), of the classes from ``first`` on."""
        largest, rows = logits.max(0)
        better = largest > self.logits
        self.logits = torch.where(better, largest, self.logits)
        self.classes = torch.where(better, rows + first, self.classes)
