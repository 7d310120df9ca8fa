"""Training in two processes, for the tests: a module of its own, because processes import it."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lossbook.objectives import Objective, create_objective

FEATURES, CLASSES, SHARE, EPOCHS, STEPS = 6, 5, 10, 2, 2
COUNTS = torch.tensor([20, 10, 5, 3, 2])


class Model(nn.Module):
    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.backbone = nn.Linear(FEATURES, FEATURES)
        self.objective = objective

    def forward(self, images: Tensor, labels: Tensor, sample_weight: Tensor | None) -> Tensor:
        return self.objective(self.backbone(images), labels, sample_weight=sample_weight)


def build(name: str, arguments: dict) -> Model:
    torch.manual_seed(0)
    return Model(create_objective(name, FEATURES, CLASSES, COUNTS, **arguments))


def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
    """The joint batch of both processes: images, labels (the last two of class 5, if that is to be ignored) and weights."""
    source = torch.Generator().manual_seed(step)
    images = torch.randn(2 * SHARE, FEATURES, generator=source)
    return images, torch.randint(0, CLASSES, (2 * SHARE,), generator=source), torch.rand(2 * SHARE, generator=source)


def trained(model: Model, rank: int | None, weighted: bool) -> dict[str, Tensor]:
    """Parameters and buffers after a few steps of the shard of a process, or of the joint batch where ``rank`` is None."""
    objective = model.objective
    joint = DistributedDataParallel(model) if rank is not None else model
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05, momentum=0.9)
    own = slice(None) if rank is None else slice(rank * SHARE, (rank + 1) * SHARE)
    step = 0
    for epoch in range(EPOCHS):
        objective.start_epoch(epoch, EPOCHS)
        for _ in range(STEPS):
            images, labels, weights = batch(step)
            if objective.ignore_index is not None:
                labels[-2:] = objective.ignore_index
            torch.manual_seed(step)  # the same noise everywhere
            loss = joint(images[own], labels[own], weights[own] if weighted else None)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            objective.after_step()
            step += 1
    objective.start_epoch(EPOCHS - 1, EPOCHS)  # takes in what the last epoch has left
    return {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor) and "extra" not in key}


def class_means(name: str, rank: int | None) -> Tensor:
    objective = build(name, {}).objective.synchronize()
    for step in range(2):
        images, labels, _ = batch(step)
        own = slice(None) if rank is None else slice(rank * SHARE, (rank + 1) * SHARE)
        objective(images[own], labels[own])
    return objective.head.weight.detach()


def work(rank: int, folder: str, cases: list[tuple[str, str, dict, bool]], pairs: list[str]) -> None:
    """One of two processes: the states after training each case, written by the second process, which no broadcast favours."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    states = {}
    for label, name, arguments, weighted in cases:
        model = build(name, arguments)
        model.objective.synchronize()
        states[label] = trained(model, rank, weighted)
    for name in pairs:
        states[name] = class_means(name, rank)
    try:
        build("bce3s", {}).objective(*batch(0)[:2])
    except RuntimeError as error:
        states["refused"] = str(error)
    if rank == 1:
        torch.save(states, Path(folder) / "states.pt")
    dist.destroy_process_group()
