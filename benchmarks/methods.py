"""Every method of the cross-paper bench beside the cross entropy: head and loss, forward and backward, without the network.

The arguments are those that the bench's searches start from; none of them changes the work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, Values, compare, incomparable, whole
from lossbook.objectives import Objective, create_objective
from lossbook.papers.bench.tables import COMBINATIONS, METHODS, TAIL_ONLY, Method

# Batch, features and classes of a small head, and of a large one.
SIZES = ((128, 128, 100), (256, 512, 1_000))


def _objective(method: Method, features: int, classes: int) -> Objective:
    counts = [10] * classes
    return create_objective(method.objective, features, classes, counts, **method.arguments).to(DEVICE)


def case(name: str, size: tuple[int, int, int], repeats: int) -> dict[str, Any]:
    """The loss and all gradients of a method, beside those of the cross entropy, in one row with ``method`` and ``classes``."""
    batch, width, classes = size
    torch.manual_seed(0)
    features = torch.randn(batch, width, device=DEVICE, requires_grad=True)
    labels = torch.randint(classes, (batch,), device=DEVICE)
    sides = [_objective(method, width, classes) for method in ((METHODS | COMBINATIONS | TAIL_ONLY)[name], METHODS["CE"])]

    def with_gradients(objective: Objective) -> Values:
        loss = objective(features, labels)
        inputs: list[Tensor] = [features, *objective.parameters()]
        return loss.detach(), *(g for g in torch.autograd.grad(loss, inputs, allow_unused=True) if g is not None)

    row = compare(
        f"{name}, B={batch}, N={classes:,}, d={width}",
        "the cross entropy (soft-d)",
        whole(lambda: with_gradients(sides[0])),
        whole(lambda: with_gradients(sides[1])),
        items=batch,
        error=incomparable,
        repeats=repeats,
    )
    return {"method": name, "classes": classes} | row


def run(quick: bool = False) -> list[dict[str, Any]]:
    """All methods at both sizes (at the small one when ``quick``)."""
    sizes = SIZES[:1] if quick else SIZES
    return [case(name, size, repeats=25) for size in sizes for name in METHODS | COMBINATIONS | TAIL_ONLY]
