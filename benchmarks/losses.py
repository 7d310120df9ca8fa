"""Each objective's forward and backward pass beside what one would write with torch.nn.functional alone.

The value error is the distance of the two, not ours from the truth: binary_cross_entropy_with_logits takes a negative's
loss as c - (c - log(1 + e^c)), which loses small values (``uce`` at N = 100,000: a relative 8e-5; float64 agrees with us).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import DEVICE, Values, compare, incomparable, whole
from lossbook.objectives import create_objective

BATCH, FEATURES = 256, 512
SCALE, UCE_SCALE, UCE_MARGIN = 96.0, 64.0, 0.4


def _one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.zeros_like(logits).scatter_(1, labels.unsqueeze(1), 1.0)


def _bce(logits: Tensor, labels: Tensor) -> Tensor:
    target = _one_hot(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(labels)


def _cosine(features: Tensor, head: nn.Module, scale: float) -> Tensor:
    return F.linear(F.normalize(features), F.normalize(head.weight)) * scale - head.bias


def _soft_d(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return F.cross_entropy(F.linear(features, head.weight, head.bias), labels)


def _bce_d(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return _bce(F.linear(features, head.weight, head.bias), labels)


def _bce_u(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return _bce(F.linear(features, head.weight) + head.bias, labels)


def _soft_nd(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return F.cross_entropy(_cosine(features, head, SCALE), labels)


def _bce_nu(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return _bce(_cosine(features, head, SCALE), labels)


def _bce_di(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    return _bce(F.linear(features, head.weight) - head.bias[labels].unsqueeze(1), labels)


def _uce(features: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    logits = _cosine(features, head, UCE_SCALE)
    target = _one_hot(logits, labels)
    logits = logits - UCE_SCALE * UCE_MARGIN * target
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(labels)


CROSS_ENTROPY, BINARY = "F.linear + F.cross_entropy", "F.linear + F.binary_cross_entropy_with_logits"

Case = tuple[dict[str, float], str, Callable[[Tensor, Tensor, nn.Module], Tensor]]

# objective -> (its arguments, the peer's name, the peer)
CASES: dict[str, Case] = {
    "soft-d": ({}, CROSS_ENTROPY, _soft_d),
    "bce-d": ({}, BINARY, _bce_d),
    "bce-u": ({}, BINARY, _bce_u),
    "soft-nd": ({"scale": SCALE}, f"F.normalize + {CROSS_ENTROPY}", _soft_nd),
    "bce-nu": ({"scale": SCALE}, f"F.normalize + {BINARY}", _bce_nu),
    "bce-di": ({}, BINARY, _bce_di),
    "uce": ({"scale": UCE_SCALE, "margin": UCE_MARGIN}, f"F.normalize + {BINARY}", _uce),
}


def case(
    name: str, num_classes: int, repeats: int, cases: dict[str, Case] | None = None, bfloat16: bool = False
) -> dict[str, Any]:
    """The loss and all gradients of the objective, beside its peer; ``bfloat16``: both under autocast, values not compared."""
    arguments, peer_name, peer = (cases or CASES)[name]
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, num_classes, **arguments).to(DEVICE)
    features = torch.randn(BATCH, FEATURES, device=DEVICE, requires_grad=True)
    labels = torch.randint(num_classes, (BATCH,), device=DEVICE)
    inputs = (features, *objective.parameters())

    def with_gradients(form: Callable[[], Tensor]) -> Values:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bfloat16):
            loss = form()
        return loss.detach(), *torch.autograd.grad(loss, inputs)

    return compare(
        f"{name}, B={BATCH}, N={num_classes:,}, d={FEATURES}" + (", bfloat16" if bfloat16 else ""),
        peer_name,
        whole(lambda: with_gradients(lambda: objective(features, labels))),
        whole(lambda: with_gradients(lambda: peer(features, labels, objective.head))),
        items=BATCH,
        error=incomparable if bfloat16 else None,
        repeats=repeats,
    )


def run(quick: bool = False) -> list[dict[str, Any]]:
    """All objectives at N = 1,000 (the same when ``quick``), values are the loss and all gradients; many classes: ``fused``."""
    return [case(name, 1_000, repeats=25) for name in CASES]
