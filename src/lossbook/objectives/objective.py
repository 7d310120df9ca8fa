"""What an objective is: a head and a loss in one module."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from lossbook.heads.linear import Head
from lossbook.heads.protocol import AnyHead
from lossbook.losses import fused
from lossbook.losses.checks import (
    Reduction,
    check_labels,
    check_reduction,
    check_sample_weight,
    check_soft_targets,
    is_soft,
    reduce,
)
from lossbook.losses.fused.autograd import transformed
from lossbook.losses.fused.samples import Details
from lossbook.objectives.checks import check_dtype, check_features, check_share
from lossbook.objectives.distributed import FollowsBatches
from lossbook.objectives.schedule import Hook, Schedule, watch

Loss = Callable[..., Tensor]
Fused = Literal["auto"] | bool
H = TypeVar("H", bound=AnyHead)
Targets = Sequence[tuple[float | Tensor, Tensor]]


def mixture(targets: Targets, loss_of: Callable[[Tensor], Tensor]) -> Tensor:
    """The losses of several labels, each times its share: a scalar, or (B,) with shares per sample."""
    (share, labels), *others = targets
    total = share * loss_of(labels)
    for share, labels in others:
        total = total + share * loss_of(labels)
    return total


class ScheduledLoss(FollowsBatches):
    """A loss of (logits, labels) that changes in the course of the training.  Its buffers are stored with the objective."""

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch 0, 1, ... of ``epochs``."""
        raise NotImplementedError


class Objective(FollowsBatches, Generic[H]):
    """Head and loss.

    A subclass says how its loss is computed in ``_of_logits``, or in ``_plain`` where the loss takes more than the head's
    logits, and in ``_fused`` where it has a form for many classes; and in ``_logits`` how it predicts, where that is not with
    the head's logits.

    Args:
        head: features (B, d) to logits (B, N); has ``weight``, ``bias``, ``similarities`` and ``threshold``.
        loss: (logits, labels) to a scalar; with ``reduction="none"`` to one loss per sample, (B,).
        fused_loss: head and loss in one function of :mod:`lossbook.losses.fused`, used where the classes are many.  None:
            the loss has no such form.
        learns_threshold: the loss compares every logit with 0, as a binary cross entropy does, so that the head's bias is a
            threshold on the similarities.  A softmax compares the logits with each other, and its bias is none.
        soft_targets: the loss takes a distribution over the classes per sample, (B, N), in the labels' place.

    Attributes:
        name: its name in the registry, or the name of its class.
        steps_per_batch: optimizer steps per batch (an objective that alternates between losses has two).
        measured: scalars of the last ``forward`` that training averages over the epoch, one curve each.
        weight: weight per class, (N,), or None; see :func:`~lossbook.objectives.create.create_objective`.
        ignore_index: label of the samples to leave out, or None.
        schedule: the place in the training, of an objective that needs a hook; None for the others.
    """

    steps_per_batch = 1
    per_sample = True  # the loss is the mean of one loss per sample
    head: H
    weight: Tensor | None

    def __init__(
        self,
        head: H,
        loss: Loss,
        fused_loss: Callable[..., Any] | None = None,
        *,
        learns_threshold: bool = False,
        soft_targets: bool = False,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.head = head
        self.loss = loss
        self.learns_threshold = learns_threshold
        self.soft_targets = soft_targets
        self._fused_form = fused_loss
        self.fused_loss: Callable[..., Any] | None = None
        self.use_fused("auto")
        self.register_buffer("weight", None, persistent=False)
        self.ignore_index: int | None = None
        self.measured: dict[str, Tensor] = {}
        self._details: Details | None = None  # to be filled by the fused loss
        self.schedule: Schedule | None = Schedule("start_epoch") if isinstance(loss, ScheduledLoss) else None
        watch(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy is watched as the original is."""
        super().__setstate__(state)
        watch(self)

    @property
    def has_fused_form(self) -> bool:
        """Whether head and loss can be computed in one pass, without the logits (B, N)."""
        return self._fused_form is not None

    def use_fused(self, choice: Fused) -> None:
        """Compute head and loss in one pass, without the logits (B, N): never, always, or where the classes are many.

        Raises:
            ValueError: for ``True`` where the loss has no such form.
        """
        if choice not in ("auto", True, False):
            raise ValueError(f'fused must be "auto", True or False, got {choice!r}')
        if choice is True and not self.has_fused_form:
            raise ValueError(f"{self.name} has no fused form of its loss: pass fused='auto' or False")
        used = fused.many(self.head) if choice == "auto" else choice
        self.fused_loss = self._fused_form if used else None

    def forward(
        self, features: Tensor, labels: Tensor, *, sample_weight: Tensor | None = None, reduction: Reduction = "mean"
    ) -> Tensor:
        r"""The loss: a scalar, the mean over the batch.

        With weights the mean is :math:`\sum_i w_i l_i / \sum_i w_i`, where :math:`w_i` is the sample's weight times the
        weight of its class.  A term that no sample enters (one on the class vectors) counts once in a mean and is part of
        every sample's loss otherwise.

        Args:
            features: (B, d), B >= 1, in the dtype of the objective's parameters, or under autocast.
            labels: (B,) of int64 within 0..N-1, or ``ignore_index``; where ``soft_targets``, also floating (B, N), rows
                that are >= 0 and sum to 1.
            sample_weight: (B,), floating and >= 0; None: all 1.
            reduction: ``"mean"``, ``"sum"`` or ``"none"``: one loss per sample, (B,), times its weight, and 0 for an
                ignored one.

        Returns:
            A scalar, or (B,) for ``reduction="none"``.  A batch of ignored samples only gives 0 and gradients of 0.

        Raises:
            ValueError, TypeError: for features, labels or weights of a wrong shape, dtype, device or range; for weights or
                a reduction where the loss is no mean over samples (losses of pairs).
        """
        check_features(features, self.head.weight)
        check_reduction(reduction)
        if sample_weight is not None:
            check_sample_weight(sample_weight, len(features), features.device)
        form = self._forward if self.ignore_index is None else self._forward_of_kept
        if not (self.synchronized and self.training and self.per_sample and reduction == "mean"):
            return form(features, labels, sample_weight, reduction)
        loss = form(features, labels, sample_weight, reduction)
        return self._in_proportion(loss, self._weight_of(features, labels, sample_weight))

    def _forward(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None, reduction: Reduction) -> Tensor:
        if is_soft(labels) and not self.soft_targets:
            raise TypeError(
                f"{self.name} takes no soft targets: expected labels of shape ({len(features)},) and dtype torch.int64"
            )
        check = check_soft_targets if is_soft(labels) else check_labels
        check(labels, len(features), len(self.head.weight), features.device)
        weights = self._sample_weights(labels, sample_weight)
        plain = self.fused_loss is None or transformed(features, self.head.weight) or self._has_more_gradients(labels, weights)
        if reduction == "mean" and weights is None:
            return self._plain(features, labels, "mean") if plain else self._fused(features, labels, "mean", None)
        self.check_per_sample()
        if plain:
            return reduce(self._plain(features, labels, "none"), reduction, weights)
        if reduction == "mean":
            return self._fused(features, labels, "mean", weights)
        return reduce(self._fused(features, labels, "none", None), reduction, weights)

    def check_per_sample(self) -> None:
        """Weights, shares per sample and other reductions than the mean need one loss per sample.

        Raises:
            TypeError: where the loss is one of pairs.
        """
        if not self.per_sample:
            raise TypeError(f"{self.name} has no loss per sample: it takes no weights, no shares, and reduces to the mean")

    @staticmethod
    def _has_more_gradients(*tensors: Tensor | None) -> bool:
        """Soft targets or weights with a gradient, which the fused losses do not form."""
        return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)

    def _forward_of_kept(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None, reduction: Reduction) -> Tensor:
        """As if the samples with the label ``ignore_index`` were not in the batch; on a GPU this waits for the device."""
        if not isinstance(labels, Tensor) or labels.ndim != 1 or len(labels) != len(features):
            return self._forward(features, labels, sample_weight, reduction)  # soft targets, or a shape that it refuses
        assert self.ignore_index is not None
        kept = labels.ne(self.ignore_index)
        if kept.all():
            return self._forward(features, labels, sample_weight, reduction)
        if not kept.any():
            zero = sum((p.flatten()[:0].sum() for p in self.parameters()), features.flatten()[:0].sum())
            return zero + features.new_zeros(len(features)) if reduction == "none" else zero
        chosen = None if sample_weight is None else sample_weight[kept]
        loss = self._forward(features[kept], labels[kept], chosen, reduction)
        return loss.new_zeros(len(features)).masked_scatter(kept, loss) if reduction == "none" else loss

    def _sample_weights(self, labels: Tensor, sample_weight: Tensor | None) -> Tensor | None:
        """Weight per sample, (B,), or None where all weigh the same."""
        if self.weight is None:
            return sample_weight
        if is_soft(labels):
            raise TypeError("a weight per class goes with labels, not with soft targets: pass sample_weight")
        weights = self.weight[labels]
        return weights if sample_weight is None else weights * sample_weight

    def _weight_of(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None) -> Tensor | None:
        """The weight of the batch, a scalar; None where it is the number of samples."""
        if sample_weight is None and self.weight is None and self.ignore_index is None:
            return None
        weights = features.new_ones(len(features), dtype=torch.float32) if sample_weight is None else sample_weight.float()
        if self.ignore_index is not None and not is_soft(labels):
            kept = labels != self.ignore_index
            weights, labels = weights * kept, labels.where(kept, 0)
        return (weights if self.weight is None else weights * self.weight[labels]).sum()

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        """The loss through the logits (B, N): its mean, or one per sample."""
        return self._of_logits(self.head(features), labels, reduction)

    def _of_logits(self, logits: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self.loss(logits, labels, reduction=reduction)

    def _fused(self, features: Tensor, labels: Tensor, reduction: Reduction, sample_weight: Tensor | None) -> Tensor:
        """The same loss without a (B, N) tensor; the mean may be weighted."""
        return self._fused_call()(
            features, labels=labels, reduction=reduction, sample_weight=sample_weight, **fused.inputs(cast(Head, self.head))
        )

    def _fused_call(self) -> Callable[..., Any]:
        assert self.fused_loss is not None
        return self.fused_loss if self._details is None else functools.partial(self.fused_loss, details=self._details)

    def loss_and_right(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and how many of the batch's predictions are right, a scalar of int64.

        Where head and loss are one pass, it counts them, and the logits (B, N) are not formed for it.
        """
        details = self._details = Details()
        try:
            loss = self(features, labels)
        finally:
            self._details = None
        if hasattr(details, "right"):
            return loss, details.right
        with torch.no_grad():
            return loss, (self.predict(features) == labels).sum()

    def mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float | Tensor) -> Tensor:
        """The loss of images mixed from two: ``share`` of the one with ``labels``, the rest of the one with ``partners``.

        Args:
            features: (B, d), of the mixed images.
            labels, partners: (B,), int64.
            share: within [0, 1]; a number, or a tensor (B,) with one share per sample.

        Returns:
            Scalar.

        Raises:
            ValueError: for a share outside [0, 1] or of a wrong shape.
        """
        check_share(share, features)
        if not isinstance(share, Tensor):
            return share * self(features, labels) + (1 - share) * self(features, partners)
        return self._shared(features, labels, share) + self._shared(features, partners, 1 - share)

    def _shared(self, features: Tensor, labels: Tensor, share: Tensor) -> Tensor:
        """The part of each sample's loss that is its share, as a mean that is weighted as ``forward`` weights it."""
        total = (share * self(features, labels, reduction="none")).sum()
        weight = self._weight_of(features, labels, None)
        return total / (len(features) if weight is None else weight.clamp_min(torch.finfo(weight.dtype).tiny))

    def _check_mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float | Tensor) -> None:
        """For an objective that mixes inside its loss."""
        check_share(share, features)
        check_features(features, self.head.weight)
        for y in (labels, partners):
            check_labels(y, len(features), len(self.head.weight), features.device)
        if self.weight is not None or self.ignore_index is not None:
            raise ValueError(f"{self.name} mixes images without a weight per class and without an ignore_index")

    def logits(self, features: Tensor) -> Tensor:
        """Logits, (B, d) -> (B, N): predict with ``argmax(1)``.

        Raises:
            TypeError: for features of another dtype than the objective's, outside autocast.
        """
        check_dtype(features, self.head.weight)
        return self._logits(features)

    def _logits(self, features: Tensor) -> Tensor:
        return self.head(features)

    def predict(self, features: Tensor) -> Tensor:
        """The class of the largest logit, (B, d) -> (B,) of int64."""
        return self.logits(features).argmax(1)

    def scores(self, features: Tensor) -> Tensor:
        """How surely a sample is of a known class: the similarity of the predicted class, (B, d) -> (B,).

        The scores of images of known classes, and of unknown ones where there are any, go into
        :func:`lossbook.calibrate <lossbook.metrics.thresholds.calibrate>`.
        """
        return self._scores(features, self.predict(features))

    def _scores(self, features: Tensor, predicted: Tensor) -> Tensor:
        return self.head.similarities(features).gather(1, predicted.unsqueeze(1)).squeeze(1)

    def reject(self, features: Tensor, threshold: float | Tensor | None = None) -> Tensor:
        """The predicted class, or -1 for a sample of no known class: one with :meth:`scores` at or below the threshold.

        Args:
            features: (B, d).
            threshold: a number, or one per class, (N,), of which the predicted class's counts.  None: the one that the loss
                has learned, see :meth:`threshold`.

        Returns:
            (B,) of int64 within -1..N-1.

        Raises:
            ValueError: where no threshold is given and the loss has learned none, or for one of a wrong shape.

        Example:
            >>> from lossbook.objectives.create import create_objective
            >>> objective = create_objective("bce-nu", in_features=4, num_classes=3, scale=8.0)
            >>> objective.reject(torch.randn(5, 4), threshold=8.0)  # no cosine is above 1
            tensor([-1, -1, -1, -1, -1])
        """
        if threshold is None:
            if not self.learns_threshold:
                raise ValueError(
                    f"{self.name} has learned no threshold, as its loss holds no logit against a fixed value: pass one, "
                    "for instance lossbook.calibrate(objective.scores(held_out_features))"
                )
            threshold = self.threshold()
        predicted = self.predict(features)
        scores = self._scores(features, predicted)
        dtype = None if isinstance(threshold, Tensor) else scores.dtype
        bounds = torch.as_tensor(threshold, dtype=dtype, device=predicted.device).squeeze()
        if bounds.ndim and bounds.shape != self.head.weight.shape[:1]:
            raise ValueError(f"expected a threshold or one per class, ({len(self.head.weight)},), got {tuple(bounds.shape)}")
        accepted = scores > (bounds[predicted] if bounds.ndim else bounds)  # false for NaN
        return predicted.masked_fill(~accepted, -1)

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """The names of the hooks, ``start_epoch`` and ``after_step``, that a training loop has to call.

        Without them this objective would train another loss: an optimizer's second step without one raises a RuntimeError.
        """
        return () if self.schedule is None else self.schedule.hooks

    def _scheduled(self) -> Schedule:
        assert self.schedule is not None
        return self.schedule

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch 0, 1, ... of ``epochs``, for losses that follow the training's progress.

        A training that is resumed in mid-epoch calls it for that epoch again, and goes on with what it had stored.
        """
        if self.schedule is None or self.schedule.start_epoch(epoch, epochs):
            self._new_epoch(epoch, epochs)

    def _new_epoch(self, epoch: int, epochs: int) -> None:
        if isinstance(self.loss, ScheduledLoss):
            self.loss.start_epoch(epoch, epochs)

    def after_step(self) -> None:
        """Called after every optimizer step, for constraints on the parameters and losses that alternate."""
        if self.schedule is not None:
            self.schedule.after_step()

    def attach(self, optimizer: torch.optim.Optimizer) -> RemovableHandle:
        """Let ``optimizer`` call ``after_step`` after each of its steps from now on, instead of the training loop.

        Args:
            optimizer: or what accelerate or Lightning Fabric have wrapped it in.

        Returns:
            A handle whose ``remove()`` ends it.
        """
        optimizer = getattr(optimizer, "optimizer", optimizer)  # what is wrapped
        return optimizer.register_step_post_hook(lambda *_: self.after_step())

    def threshold(self) -> Tensor:
        """The threshold on the similarities ``head.similarities(features)`` that the bias stands for: a scalar for a unified
        bias (0 for none), (N,) for a diverse one.  It is a learned threshold where ``learns_threshold``."""
        return self.head.threshold()
