"""The optimizer of a run and the course of its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from lossbook.runs.spec import RunSpec


def create_optimizer(
    backbone: nn.Module, objective: nn.Module, spec: RunSpec, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """Weight decay on matrices and kernels only; the rate follows the batches: linear warm-up, then cosine decay or steps."""
    # One group per pair of rate and decay, because every group costs an update of its own.
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for part, lr in ((backbone, spec.lr), (objective, spec.head_lr or spec.lr)):
        for parameter in part.parameters():
            if parameter.requires_grad:
                decay = spec.weight_decay if parameter.ndim > 1 else 0.0
                members.setdefault((lr, decay), []).append(parameter)
    groups = [{"params": chosen, "lr": lr, "weight_decay": decay} for (lr, decay), chosen in members.items()]
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    if spec.optimizer not in kinds:
        raise ValueError(f"unknown optimizer {spec.optimizer!r}; expected one of {', '.join(kinds)}")
    # A fused step is one pass over memory.  SGD in float32 keeps the arithmetic that the committed evidence was made with.
    if spec.optimizer == "sgd":
        kernel = "fused" if spec.mixed_precision else "foreach"
        kind_args = {kernel: True, "momentum": spec.momentum, "nesterov": spec.momentum > 0}
    else:
        kind_args = {"fused": True}
    optimizer = kinds[spec.optimizer](groups, lr=spec.lr, **kind_args, **spec.optimizer_args)
    warmup = spec.warmup_epochs * steps_per_epoch
    total = spec.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if spec.lr_steps:
            return 0.1 ** sum(step >= epoch * steps_per_epoch for epoch in spec.lr_steps)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, total - warmup)))

    return optimizer, LambdaLR(optimizer, factor)
