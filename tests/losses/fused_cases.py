"""Objectives with a fused form beside their plain ones, for its tests; losses of a linear head in both forms."""

from __future__ import annotations

import contextlib
from unittest import mock

import torch

from lossbook.losses import fused, onecold, uniform
from lossbook.losses.fused import distances, products
from lossbook.losses.fused.binary import binary_cross_entropy
from lossbook.losses.fused.softmax import cross_entropy, cross_entropy_with_one_cold, one_cold_cross_entropy
from lossbook.objectives import create_objective

TABLE_ONE = [f"{formula}-{variant}" for formula in ("soft", "bce") for variant in ("0", "d", "u", "n0", "nd", "nu")]
OBJECTIVES = {name: {"scale": 6.0} if "-n" in name else {} for name in TABLE_ONE}
OBJECTIVES |= {
    "bce-di": {},
    "uce": {"scale": 6.0, "margin": 0.3},
    "occe": {},
    "ce+occe": {"occe_weight": 0.3},
    "normalized-softmax": {"temperature": 0.2},
    "euclidean-softmax": {"temperature": 2.0},
    "warped-softmax": {"alpha": 3.0, "temperature": 0.7},
    "multicenter": {"num_subcenters": 2, "label_smoothing": 0.1, "kl_weight": 0.0},
}
BATCH, FEATURES, CLASSES = 45, 8, 50

LINEAR = {
    "bce": (binary_cross_entropy, uniform.binary_cross_entropy),
    "softmax": (cross_entropy, uniform.cross_entropy),
    "occe": (one_cold_cross_entropy, onecold.one_cold_cross_entropy),
    "both": (
        lambda *a, **k: cross_entropy_with_one_cold(*a, **k, one_cold_weight=2.0)[0],
        lambda *a: uniform.cross_entropy(*a) + 2 * onecold.one_cold_cross_entropy(*a),
    ),
}


@contextlib.contextmanager
def blocks(size: int):
    with (
        mock.patch.object(products, "block_size", lambda *_: size),
        mock.patch.object(distances, "block_size", lambda *_: size),
    ):
        yield


def build(name: str, dtype=torch.float64, device="cpu"):
    """The objective in one pass and the plain one, features and labels; biases away from zero."""
    torch.manual_seed(1)
    plain = create_objective(name, FEATURES, CLASSES, **OBJECTIVES[name])
    torch.manual_seed(1)
    with mock.patch.object(fused, "LARGE", 0):
        one_pass = create_objective(name, FEATURES, CLASSES, **OBJECTIVES[name])
    if plain.head.bias is not None:
        torch.nn.init.uniform_(plain.head.bias, 0.5, 2.0)
    one_pass.load_state_dict(plain.state_dict())
    assert plain.fused_loss is None
    assert one_pass.fused_loss is not None
    features = torch.randn(BATCH, FEATURES, dtype=dtype, device=device)
    labels = torch.randint(CLASSES, (BATCH,)).to(device)
    return one_pass.to(device, dtype), plain.to(device, dtype), features, labels


def values_and_gradients(objective, features, labels, factor=1.0):
    """With the same noise each time."""
    torch.manual_seed(2)
    features = features.clone().requires_grad_()
    loss = objective(features, labels)
    return loss.detach(), torch.autograd.grad(factor * loss, (features, *objective.parameters()))
