"""Head and loss in one pass beside torch.nn.functional, with the goals; and below which N the pass does not pay.

The objectives are those of the registry, which take the one pass from ``lossbook.losses.fused.LARGE`` classes on.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.losses import CASES, CROSS_ENTROPY, Case, case
from lossbook.losses import fused

# At N = 100,000: ours / peer at most (time, memory).
BINARY_GOAL, SOFTMAX_GOAL = (0.80, 0.55), (1.00, 0.85)
GOALS = {name: BINARY_GOAL if name.startswith(("bce", "uce")) else SOFTMAX_GOAL for name in CASES}
GOALS |= {"occe": SOFTMAX_GOAL, "ce+occe": SOFTMAX_GOAL}


def _one_cold(logits: Tensor, labels: Tensor) -> Tensor:
    log_anti = F.log_softmax(-logits, 1)
    own = log_anti.gather(1, labels.unsqueeze(1)).squeeze(1)
    return -(log_anti.sum(1) - own).mean() / (logits.shape[1] - 1)


def _occe(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return _one_cold(F.linear(features, head.weight, head.bias), labels)


def _both(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    logits = F.linear(features, head.weight, head.bias)
    return F.cross_entropy(logits, labels) + _one_cold(logits, labels)


ALL: dict[str, Case] = CASES | {
    "occe": ({}, "F.linear + F.log_softmax of minus the logits", _occe),
    "ce+occe": ({}, f"{CROSS_ENTROPY} + F.log_softmax of minus the logits", _both),
}


def _with_goal(name: str, num_classes: int) -> dict[str, Any]:
    time, memory = GOALS[name]
    return case(name, num_classes, repeats=5, cases=ALL) | {"time_goal": time, "memory_goal": memory}


def _one_pass_anyway(name: str, num_classes: int) -> dict[str, Any]:
    with mock.patch.object(fused, "LARGE", 0):
        return case(name, num_classes, repeats=15)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """All goals at N = 100,000 (not when ``quick``), then the pass at small N, where it has none."""
    rows = [] if quick else [_with_goal(name, 100_000) for name in ALL]
    return rows + [_one_pass_anyway(name, n) for n in (1_000, 3_000, 10_000) for name in ("bce-d", "soft-d")]
