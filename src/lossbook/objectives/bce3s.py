"""Objectives of the `bce3s` paper: ``bce3s``, ``ce3s`` and every combination of Table 2."""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.linear import LinearHead, unit_vectors
from lossbook.losses import bce3s as losses
from lossbook.losses.checks import Reduction
from lossbook.losses.longtail import max_norm as clip_norms
from lossbook.objectives.objective import Loss, Objective, Targets, mixture
from lossbook.objectives.schedule import Hook, Schedule

Form = Literal["bce", "ce"]
Normalise = Literal["neither", "features", "classifier", "both"]

_JOINT: dict[Form, Loss] = {"bce": losses.joint_bce, "ce": losses.joint_ce}
_CONTRASTIVE: dict[Form, Loss] = {"bce": losses.contrastive_bce, "ce": losses.contrastive_ce}
_UNIFORM: dict[Form, Loss] = {"bce": functools.partial(losses.uniform_bce, constant=False), "ce": losses.uniform_ce}


def _check_choice(name: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")


class UnitHead(LinearHead):
    r"""A linear head that may put features and classifier vectors on the unit sphere first (Table 6).

    .. math:: c_j(x) = \tilde w_j^\top \tilde x + b_j, \qquad \tilde v = v\ \text{or}\ v / \|v\|
    """

    def __init__(self, in_features: int, num_classes: int, normalise: Normalise = "classifier") -> None:
        super().__init__(in_features, num_classes)
        _check_choice("normalise", normalise, ("neither", "features", "classifier", "both"))
        self.normalise = normalise

    def similarities(self, features: Tensor) -> Tensor:
        """Bias-free similarities, (B, d) -> (B, K)."""
        features = unit_vectors(features) if self.normalise in ("features", "both") else features
        weight = unit_vectors(self.weight) if self.normalise in ("classifier", "both") else self.weight
        return F.linear(features, weight)

    def forward(self, features: Tensor) -> Tensor:
        """Logits: the similarities with the bias."""
        return self.similarities(features) + self.bias


def _contrastive_share(epoch: int, epochs: int) -> float:
    return float(epoch > 0)


class TripartiteObjective(Objective[UnitHead]):
    r"""Joint, contrastive and uniform learning together, Eqs. 6 and 25.

    .. math:: L = L^{(sc)} + \lambda_{ss} L^{(ss)} + \lambda_{cc} L^{(cc)}

    The memory bank (``bank``) and the projector belong to the objective and are checkpointed with it; in
    training mode every batch of plain images updates the bank after its loss has been taken.  As in the authors' code, the
    contrastive term is only measured, not added, in the first epoch of training.  Prediction uses the head alone.

    Args:
        joint: form of the joint term.
        contrastive: form of the contrastive term, None = none (no projector, no bank).
        uniform: form of the uniform term, None = none.
        lambda_ss, lambda_cc: weights of the contrastive and the uniform term.
        tau: temperature of the contrastive term.
        r: share of the negatives that count in a BCE joint term (Eq. 3), drawn in training mode.
        resampling: ``"sample"`` as in Eq. 3, or ``"batch"`` as in the authors' code.
        hidden_size, projection_size: of the projector, a two-layer perceptron; ``hidden_size=0`` = ``in_features``.
        normalise: what the head puts on the unit sphere (Table 6).
        beta: weight the joint term by effective numbers of samples (Eqs. 26, 35), the weights scaled to a sum of
            ``num_classes``; None = no weights.  The authors' code scales them so (``Class_Balanced_Loss_with_normalize_weight``),
            though the equations do not: the paper's rate of the second stage, 1e-4, belongs to the scaled ones.
        max_norm: no classifier vector is longer than this after a step; None = no limit.
    """

    projector: nn.Sequential
    bank: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        class_counts: Tensor | None = None,
        joint: Form = "bce",
        contrastive: Form | None = "bce",
        uniform: Form | None = "bce",
        lambda_ss: float = 0.1,
        lambda_cc: float = 1.0,
        tau: float = 1.0,
        r: float = 0.4,
        resampling: losses.Resampling = "sample",
        hidden_size: int = 0,
        projection_size: int = 128,
        normalise: Normalise = "classifier",
        beta: float | None = None,
        max_norm: float | None = None,
    ) -> None:
        _check_choice("joint", joint, ("bce", "ce"))
        _check_choice("contrastive", contrastive, (None, "bce", "ce"))
        _check_choice("uniform", uniform, (None, "bce", "ce"))
        _check_choice("resampling", resampling, ("sample", "batch"))
        if not 0 < r <= 1 or not tau > 0 or min(lambda_ss, lambda_cc) < 0:
            raise ValueError(f"expected 0 < r <= 1, tau > 0 and weights >= 0, got {r}, {tau}, {lambda_ss} and {lambda_cc}")
        super().__init__(UnitHead(in_features, num_classes, normalise), _JOINT[joint], learns_threshold=joint == "bce")
        self.joint: Form = joint
        self.contrastive: Form | None = contrastive
        self.uniform: Form | None = uniform
        self.lambda_ss, self.lambda_cc, self.tau = lambda_ss, lambda_cc, tau
        self.r, self.max_norm = r, max_norm
        self.resampling: losses.Resampling = resampling
        self.register_buffer("class_weights", self._weights(class_counts, beta), persistent=False)
        hooks: list[Hook] = []
        if contrastive is not None:
            hidden, size = int(hidden_size) or in_features, int(projection_size)
            self.projector = nn.Sequential(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, size))
            self.register_buffer("bank", torch.zeros(num_classes, size))
            hooks.append("start_epoch")
        if max_norm is not None:
            hooks.append("after_step")
        if hooks:
            self.schedule = Schedule(*hooks, share=_contrastive_share)

    @property
    def seen(self) -> Tensor:
        """The classes whose row of the bank is set, bool (K,): the others are zero."""
        return self.bank.any(1)

    @staticmethod
    def _weights(class_counts: Tensor | None, beta: float | None) -> Tensor | None:
        if beta is None:
            return None
        if class_counts is None:
            raise ValueError("beta re-weights by the classes' training images: pass class_counts")
        return losses.class_balanced_weights(class_counts, beta, normalise=True)

    def after_step(self) -> None:
        super().after_step()
        if self.max_norm is not None:
            with torch.no_grad():
                self.head.weight.copy_(clip_norms(self.head.weight, self.max_norm))

    def _plain(self, features: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        return self._loss(features, ((1.0, labels),), reduction)

    def mixed(self, features: Tensor, labels: Tensor, partners: Tensor, share: float | Tensor) -> Tensor:
        """The joint and the contrastive term are interpolated between the two labels; the uniform term, which no image
        enters, counts once.  A mixed image is of no class, so the bank is left alone.

        The authors' code trains on a plain, a mixup and a cutmix view, as ``RunSpec.views = ("plain", "mixup", "cutmix")``
        does, and differs in three ways.  In BCE terms it has no negative part for either of the two classes, where the
        interpolation leaves each the share of the other one.  Its mixed views meet all negatives, whatever ``r``.  Its
        contrastive term is the sum of the two mixed views, without the plain one, where views are averaged here.
        """
        self._check_mixed(features, labels, partners, share)
        reduction: Reduction = "none" if isinstance(share, Tensor) else "mean"
        return self._loss(features, ((share, labels), (1 - share, partners)), reduction).mean()

    def _loss(self, features: Tensor, targets: Targets, reduction: Reduction) -> Tensor:
        """``targets``: shares, which add up to 1, and the labels that they belong to."""
        joint = self._joint(features, targets, reduction)
        loss, self.measured = joint, {"joint_loss": joint.detach().mean()}
        if self.contrastive is not None:
            projections = self.projector(features)
            term = mixture(targets, lambda labels: self._contrastive(projections, labels, reduction))
            if self._scheduled().share:
                loss = loss + self.lambda_ss * term
            elif self.training and self._gathers():
                loss = loss + 0.0 * term  # DDP waits for a gradient of each parameter
            self.measured["contrastive_loss"] = term.detach().mean()
            if self.training and len(targets) == 1:
                # In place, so that whoever holds the buffer (DDP's broadcast, an average of models) sees the new rows.
                newest = self._of_all_processes(projections.detach(), targets[0][1])
                self.bank.copy_(losses.update_bank(self.bank, self.seen, *newest)[0])
        if self.uniform is not None:
            term = _UNIFORM[self.uniform](self.head.weight)
            loss = loss + self.lambda_cc * term
            self.measured["uniform_loss"] = term.detach()
        return loss

    def _joint(self, features: Tensor, targets: Targets, reduction: Reduction) -> Tensor:
        logits = self.head(features)
        arguments: dict[str, Any] = {"class_weights": self.class_weights, "reduction": reduction}
        if self.joint == "bce" and self.r < 1 and self.training:
            arguments["keep"] = losses.draw_negatives(targets[0][1], logits.shape[1], self.r, self.resampling)
        return mixture(targets, lambda labels: self.loss(logits, labels, **arguments))

    def _contrastive(self, projections: Tensor, labels: Tensor, reduction: Reduction) -> Tensor:
        assert self.contrastive is not None
        return _CONTRASTIVE[self.contrastive](projections, labels, self.bank, self.tau, self.seen, reduction=reduction)


def ce3s(in_features: int, num_classes: int, class_counts: Tensor | None = None, **arguments: Any) -> TripartiteObjective:
    """Eq. 25: every term in its CE form, unless an argument says otherwise."""
    forms: dict[str, Any] = {"joint": "ce", "contrastive": "ce", "uniform": "ce"}
    return TripartiteObjective(in_features, num_classes, class_counts, **forms | arguments)
