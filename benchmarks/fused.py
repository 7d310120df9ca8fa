"""Head and loss in one pass beside torch.nn.functional, with its goals, and at small N, where it has no goals.

The objectives are those of the registry, which take the one pass from ``lossbook.losses.fused.LARGE`` classes on.  Under bfloat16
autocast they are compared on a GPU, and on a CPU that has units for the products (AMX); elsewhere these rows are left out.
The values of ``occe`` differ by 1e-3 because the peer loses digits in float32: against float64, ours are right to 1e-6.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.losses import BATCH, CASES, CROSS_ENTROPY, FEATURES, Case, case
from benchmarks.measure import DEVICE, Values, compare, incomparable, whole
from lossbook.losses import fused
from lossbook.objectives import create_objective
from lossbook.precision import bfloat16_units

# At N = 100,000: ours / peer at most (time, memory).
BINARY_GOAL, SOFTMAX_GOAL = (0.80, 0.55), (1.00, 0.85)
GOALS = {name: BINARY_GOAL if name.startswith(("bce", "uce")) else SOFTMAX_GOAL for name in CASES}
GOALS |= {"occe": SOFTMAX_GOAL, "ce+occe": SOFTMAX_GOAL}
# The same under bfloat16 autocast on a CPU with units for it.
BINARY_GOAL_HALF, SOFTMAX_GOAL_HALF = (0.45, 0.40), (0.80, 0.60)
# Goal of the Triton kernel beside the products alone.
PRODUCTS_GOAL = {"time": 1.25} if DEVICE.type == "cuda" else None


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


def _in_bfloat16(name: str, num_classes: int) -> dict[str, Any]:
    """Both sides under autocast; each rounds in its own way, so the values are not compared."""
    row = case(name, num_classes, repeats=5, cases=ALL, bfloat16=True)
    time, memory = BINARY_GOAL_HALF if GOALS[name] == BINARY_GOAL else SOFTMAX_GOAL_HALF
    return row if DEVICE.type == "cuda" else row | {"time_goal": time, "memory_goal": memory}


def _beside_products(num_classes: int) -> dict[str, Any]:
    """``bce-0`` beside the three matrix products that no method avoids."""
    torch.manual_seed(0)
    objective = create_objective("bce-0", FEATURES, num_classes).to(DEVICE)
    features = torch.randn(BATCH, FEATURES, device=DEVICE, requires_grad=True)
    labels = torch.randint(num_classes, (BATCH,), device=DEVICE)
    inputs = (features, objective.head.weight)

    def products() -> Values:
        logits = F.linear(*inputs)
        return torch.autograd.grad(logits, inputs, grad_outputs=logits.detach())

    return compare(
        f"bce-0, B={BATCH}, N={num_classes:,}, d={FEATURES}",
        "its three matrix products alone",
        whole(lambda: torch.autograd.grad(objective(features, labels), inputs)),
        whole(products),
        items=BATCH,
        error=incomparable,
        goals=PRODUCTS_GOAL,
    )


def _one_pass_anyway(name: str, num_classes: int) -> dict[str, Any]:
    with mock.patch.object(fused, "LARGE", 0):
        return case(name, num_classes, repeats=15)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """All goals at N = 100,000 (not when ``quick``), the products alone, bfloat16, then the pass at small N."""
    rows = [] if quick else [_with_goal(name, 100_000) for name in ALL]
    rows.append(_beside_products(fused.LARGE if quick else 100_000))
    if DEVICE.type == "cuda" or bfloat16_units():
        rows += [_in_bfloat16(name, fused.LARGE if quick else 100_000) for name in ALL]
    else:
        print("fused under bfloat16 autocast is left out: this CPU has no units for bfloat16 products (AMX)", flush=True)
    return rows + [_one_pass_anyway(name, n) for n in (1_000, 3_000, 10_000, 30_000) for name in ("bce-d", "soft-d")]
