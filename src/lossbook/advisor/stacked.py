r"""Many heads on the same features trained at once: one matrix product per step for all of them.

The features are frozen, so a head's weights get their gradient from the logits alone.  With the batch :math:`X` (B, d) and the
class vectors of all R heads in one tensor (R, N, d), a step is the product :math:`Z = X W^\top`, the losses of Z (head by
head, by the objectives' own functions), and the product :math:`(\partial L / \partial Z)^\top X`.  Cosines and distances are
made of Z and the vectors' lengths, so that they share the products.

The result is that of :func:`train_alone`, the usual loop, up to rounding: the same starts, batches, optimizer and schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import CosineHead, LinearHead
from lossbook.heads.multicenter import MultiCenterCosineHead
from lossbook.losses.bce3s import joint_bce, joint_ce, uniform_bce, uniform_ce
from lossbook.losses.multicenter import with_margin
from lossbook.losses.warped import warp
from lossbook.objectives.bce3s import TripartiteObjective
from lossbook.objectives.bench import EuclideanBinaryObjective
from lossbook.objectives.multicenter import AngularMarginObjective
from lossbook.objectives.objective import Objective
from lossbook.objectives.warped import EuclideanObjective

MOMENTUM = 0.9  # Nesterov's
_SMALLEST_SQUARE = 1e-12  # a squared distance from products may round below 0

Rows = Callable[[Tensor], Tensor]  # indices (B,) to features (B, d) of float32


@dataclass(frozen=True)
class Training:
    """How a head is trained.

    Attributes:
        epochs: passes over the samples.
        batch_size: samples per step; a smaller last batch is left out, unless it is the only one.
        weight_decay: of the class vectors; a bias has none.
        seed: of the batches' order, and of the heads' start (:mod:`lossbook.advisor.work` builds them).
    """

    epochs: int
    batch_size: int
    weight_decay: float
    seed: int


@dataclass(frozen=True)
class Member:
    """One head of a stack.

    Attributes:
        objective: trained in place.
        kind: equal for objectives that differ in the values of their parameters only, as their losses are taken together.
        lr: the learning rate at the start; it falls along half a cosine.
    """

    objective: Objective
    kind: Hashable
    lr: float


def batch_order(samples: int, training: Training) -> Iterator[Tensor]:
    """The indices of every batch of the training, epoch after epoch: those of :func:`lossbook.data.batches.batches`."""
    generator = torch.Generator().manual_seed(training.seed)
    steps = max(1, samples // training.batch_size)
    for _ in range(training.epochs):
        order = torch.randperm(samples, generator=generator)[: steps * training.batch_size]
        yield from order.split(training.batch_size)


def _steps(samples: int, training: Training) -> int:
    return training.epochs * max(1, samples // training.batch_size)


def _share(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def train_alone(member: Member, rows: Rows, labels: Tensor, training: Training) -> None:
    """Train one objective, of any kind, by the usual loop.

    Args:
        member: its objective, trained in place, and its learning rate.
        rows: the features of some of the samples.
        labels: (n,), int64.
        training: epochs, batches, seed.
    """
    objective = member.objective.train()
    decayed = [p for p in objective.parameters() if p.ndim > 1]
    plain = [p for p in objective.parameters() if p.ndim <= 1]
    groups = [{"params": part, "weight_decay": decay} for part, decay in ((decayed, training.weight_decay), (plain, 0.0)) if part]
    optimizer = torch.optim.SGD(groups, lr=member.lr, momentum=MOMENTUM, nesterov=True)
    steps = _steps(len(labels), training)
    for step, index in enumerate(batch_order(len(labels), training)):
        if step % (steps // training.epochs) == 0:
            objective.start_epoch(step // (steps // training.epochs), training.epochs)
        for group in optimizer.param_groups:
            group["lr"] = member.lr * _share(step, steps)
        features = rows(index)
        for _ in range(objective.steps_per_batch):
            optimizer.zero_grad()
            objective(features, labels[index]).backward()
            optimizer.step()
            objective.after_step()
    objective.eval()


@dataclass
class _Batch:
    """A batch as the members of one kind see it.

    Attributes:
        products: :math:`x^\top w`, (B, r, N).
        squares: squared lengths of the class vectors, (r, N).
        weight: the class vectors themselves, (r, N, d).
        bias: (r, N), (r, 1) or None.
        lengths: of the features, (B, 1, 1).
        labels: (B r,): each label r times.
    """

    products: Tensor
    squares: Tensor
    weight: Tensor
    bias: Tensor | None
    lengths: Tensor
    labels: Tensor

    @property
    def samples(self) -> int:
        return len(self.products)

    def flat(self, logits: Tensor) -> Tensor:
        """(B, r, N) as (B r, N): every head's logits of a sample are samples of their own."""
        return logits.flatten(0, 1)

    def unit_products(self) -> Tensor:
        """Products with class vectors of length 1; those of a zero vector are 0."""
        lengths = self.squares.clamp_min(torch.finfo(self.squares.dtype).tiny).sqrt()
        return self.products * torch.where(self.squares > 0, 1 / lengths, 0.0)

    def cosines(self) -> Tensor:
        return self.unit_products() * torch.where(self.lengths > 0, 1 / self.lengths.clamp_min(1e-12), 0.0)

    def distances(self) -> Tensor:
        squares = self.lengths.square() - 2 * self.products + self.squares
        return squares.clamp_min(_SMALLEST_SQUARE).sqrt()


# Each is the sum over the heads of their mean losses.
_Form = Callable[[Objective, _Batch], Tensor]


def _linear(objective: Objective, batch: _Batch) -> Tensor:
    logits = batch.products if batch.bias is None else batch.products + batch.bias
    return objective._of_logits(batch.flat(logits), batch.labels, "sum") / batch.samples


def _cosine(objective: Objective, batch: _Batch) -> Tensor:
    logits = objective.head.scale * batch.cosines()
    logits = logits if batch.bias is None else logits - batch.bias
    return objective._of_logits(batch.flat(logits), batch.labels, "sum") / batch.samples


def _angular(objective: AngularMarginObjective, batch: _Batch) -> Tensor:
    logits = batch.flat(objective.head.scale * batch.cosines()).unsqueeze(2)
    logits = with_margin(logits, batch.labels, logits.new_tensor(objective.head.scale), objective.margin)
    return objective.loss(logits, batch.labels, reduction="sum") / batch.samples


def _euclidean(objective: EuclideanObjective, batch: _Batch) -> Tensor:
    return objective.loss(batch.flat(batch.distances()), batch.labels, reduction="sum") / batch.samples


def _balls(objective: EuclideanBinaryObjective, batch: _Batch) -> Tensor:
    assert batch.bias is not None
    distances = batch.distances()
    if objective.alpha is not None:
        own = batch.labels.view(batch.samples, -1, 1)
        warped = warp(distances.gather(2, own), objective.alpha, objective.k1, objective.k2)
        distances = distances.scatter(2, own, warped)
    logits = objective.temperature * (batch.bias - distances)
    return objective.loss(batch.flat(logits), batch.labels, reduction="sum") / batch.samples


def _tripartite(objective: TripartiteObjective, batch: _Batch) -> Tensor:
    joint = joint_bce if objective.joint == "bce" else joint_ce
    weights = objective.class_weights
    logits = batch.flat(batch.unit_products() + batch.bias)
    loss = joint(logits, batch.labels, class_weights=weights, reduction="sum") / batch.samples
    if objective.uniform is None:
        return loss
    term = uniform_ce if objective.uniform == "ce" else _uniform_bce
    return loss + objective.lambda_cc * torch.stack([term(weight) for weight in batch.weight]).sum()


def _uniform_bce(weight: Tensor) -> Tensor:
    return uniform_bce(weight, constant=False)


def _form(objective: Objective) -> _Form | None:
    """How the losses of such objectives are taken from a batch's products; None where they cannot be."""
    kind, head = type(objective), type(objective.head)
    if objective.schedule is not None:
        return None
    if kind is AngularMarginObjective:  # without sub-centres, where it is ArcFace, its variances are not used
        return _angular if head is MultiCenterCosineHead and objective.head.num_subcenters == 0 else None
    if {name for name, _ in objective.named_parameters()} - {"head.weight", "head.bias"}:
        return None
    if kind is TripartiteObjective:
        plain = objective.contrastive is None and objective.r == 1 and objective.head.normalise == "classifier"
        return _tripartite if plain else None
    if kind is EuclideanObjective and head is EuclideanHead:
        return _euclidean
    if kind is EuclideanBinaryObjective:
        return _balls
    if kind._plain is Objective._plain:
        return {LinearHead: _linear, CosineHead: _cosine}.get(head)
    return None


def stackable(objective: Objective) -> bool:
    """Whether :func:`train_together` trains such an objective."""
    return _form(objective) is not None


class _Kind:
    """The members of one kind within a stack: rows ``part`` of its tensors, and the biases as parameters of their own."""

    def __init__(self, members: Sequence[Member], part: slice, weight: Tensor) -> None:
        self.objective = members[0].objective.train()
        form = _form(self.objective)
        if form is None:
            raise ValueError(f"{self.objective.name} is not made of one matrix product; train it alone")
        self.form, self.part = form, part
        found = [member.objective.head.bias for member in members]
        self.biases = [bias.detach().clone().requires_grad_() for bias in found if bias is not None]
        # The class vectors enter a loss by themselves only in a term of the classes.
        of_classes = isinstance(self.objective, TripartiteObjective) and self.objective.uniform is not None
        self.weight = weight[part].detach().requires_grad_(of_classes)

    def loss(self, products: Tensor, squares: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        labels = labels.repeat_interleave(products.shape[1])
        bias = torch.stack(self.biases) if self.biases else None
        return self.form(self.objective, _Batch(products, squares, self.weight, bias, lengths, labels))


def train_together(members: Sequence[Member], rows: Rows, labels: Tensor, training: Training) -> None:
    """Train several :func:`stackable` objectives at once; each ends as :func:`train_alone` would leave it, up to rounding.

    A head whose learning rate is too large ends with weights that are not finite, and the others are not touched by it.

    Args:
        members: their objectives are trained in place; all have the same numbers of features and of classes.
        rows: the features of some of the samples.
        labels: (n,), int64.
        training: epochs, batches, seed.

    Raises:
        ValueError: for an objective that is not stackable.
    """
    members = sorted(members, key=lambda member: repr(member.kind))
    weight = torch.stack([member.objective.head.weight.detach() for member in members])
    flat, gradient = weight.flatten(0, 1), torch.empty_like(weight)
    kinds, sizes = [], []
    for _, group in groupby(members, key=lambda member: member.kind):
        same = list(group)
        kinds.append(_Kind(same, slice(sum(sizes), sum(sizes) + len(same)), weight))
        sizes.append(len(same))
    lengths_count = any(kind.form is not _linear for kind in kinds)
    optimizer = _optimizer(members, kinds, weight, gradient, training)
    steps = _steps(len(labels), training)
    for step, index in enumerate(batch_order(len(labels), training)):
        features, own = rows(index), labels[index]
        lengths = torch.linalg.vector_norm(features, dim=1)[:, None, None]
        products = (features @ flat.T).unflatten(1, weight.shape[:2]).requires_grad_()
        squares = torch.linalg.vector_norm(weight, dim=2).square_() if lengths_count else weight.new_ones(weight.shape[:2])
        squares.requires_grad_()
        parts = zip(kinds, products.split(sizes, 1), squares.split(sizes), strict=True)
        torch.stack([kind.loss(part, square, lengths, own) for kind, part, square in parts]).sum().backward()
        torch.mm(products.grad.flatten(1).T, features, out=gradient.flatten(0, 1))
        if squares.grad is not None:
            gradient.addcmul_(weight, squares.grad.unsqueeze(2), value=2)
        for kind in kinds:
            if kind.weight.grad is not None:
                gradient[kind.part] += kind.weight.grad
                kind.weight.grad = None
        for group in optimizer.param_groups:
            group["lr"] = group["start"] * _share(step, steps)
        optimizer.step()
        for kind in kinds:
            for bias in kind.biases:
                bias.grad = None
    _hand_back(members, kinds, weight)


def _optimizer(
    members: Sequence[Member], kinds: Sequence[_Kind], weight: Tensor, gradient: Tensor, training: Training
) -> torch.optim.SGD:
    """Heads that have their rate in common share a group, which keeps the rate at the start as ``start``."""
    grouped: dict[tuple[float, float], list[Tensor]] = {}
    for member, vectors, slope in zip(members, weight, gradient, strict=True):
        vectors = vectors.detach()  # a view: the stack's own memory
        vectors.grad = slope
        grouped.setdefault((member.lr, training.weight_decay), []).append(vectors)
    for kind in kinds:
        for member, bias in zip(members[kind.part], kind.biases, strict=False):
            grouped.setdefault((member.lr, 0.0), []).append(bias)
    groups = [{"params": same, "start": lr, "weight_decay": decay} for (lr, decay), same in grouped.items()]
    return torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, nesterov=True, fused=True)


@torch.no_grad()
def _hand_back(members: Sequence[Member], kinds: Sequence[_Kind], weight: Tensor) -> None:
    for member, vectors in zip(members, weight, strict=True):
        member.objective.head.weight.copy_(vectors)
        member.objective.eval()
    for kind in kinds:
        for member, bias in zip(members[kind.part], kind.biases, strict=False):
            member.objective.head.bias.copy_(bias)
