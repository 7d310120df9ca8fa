"""Layer by layer: the numerical rank of the Jacobians and the activations at the end (`onecold`, Secs. A.3 and A.5)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lossbook.data.batches import resize, to_float
from lossbook.metrics.similarity import jacobian_ranks
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_IMAGES = 20  # Jacobians are slow, and their ranks differ little from image to image
_BINS = 60


def measure(outputs: Outputs) -> Measured:
    """The layers of a small backbone are those of its sequence that have a weight matrix or a convolution."""
    if not isinstance(outputs.backbone, nn.Sequential):
        raise ValueError(f"the suite 'layers' needs a sequential backbone (mlp, cnn, resnet8), got {outputs.spec.model}")
    return Measured(_ranks(outputs) | _spread(outputs), {"activations": _histogram(outputs)})


def prefixes(backbone: nn.Sequential) -> list[nn.Sequential]:
    """The backbone up to each layer: a layer begins at a module with a weight matrix or a convolution."""
    starts = [k for k, module in enumerate(backbone) if any(p.ndim > 1 for p in module.parameters())]
    return [backbone[:end] for end in [*starts[1:], len(backbone)]]


def _ranks(outputs: Outputs) -> dict[str, float]:
    # In float64, because float32's rounding errors of small singular values are as large as the threshold.
    backbone = copy.deepcopy(outputs.backbone).cpu().double()
    logits = nn.Sequential(backbone, copy.deepcopy(outputs.objective.head).double())
    images = resize(outputs.data.test, outputs.spec.image_size).images
    chosen = torch.linspace(0, len(images) - 1, min(_IMAGES, len(images))).long()
    inputs = to_float(images[chosen]).double()
    layers = {f"rank_{k}": layer for k, layer in enumerate(prefixes(backbone), 1)} | {"rank_logits": logits}
    return {name: float(jacobian_ranks(layer, inputs).double().mean()) for name, layer in layers.items()}


def _logits(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """The label's logit (n,) and the other logits (n, N - 1) of the test images."""
    with torch.no_grad():
        logits = outputs.objective.logits(outputs.test_features)
    own = nn.functional.one_hot(outputs.test_labels, logits.shape[1]).bool()
    return logits[own], logits[~own].reshape(len(logits), -1)


def _spread(outputs: Outputs) -> dict[str, float]:
    own, others = _logits(outputs)
    return {"complement_spread": float(others.std(1, correction=0).mean() / (own - others.mean(1)).mean())}


def _histogram(outputs: Outputs) -> list[dict[str, float]]:
    own, others = _logits(outputs)
    low, high = float(min(own.min(), others.min())), float(max(own.max(), others.max()))
    edges = torch.linspace(low, high, _BINS + 1)
    width = float(edges[1] - edges[0])
    shares = [part.flatten().histc(_BINS, low, high) / part.numel() / width for part in (own, others)]
    return [
        {"left": float(edges[k]), "right": float(edges[k + 1]), "label": float(shares[0][k]), "others": float(shares[1][k])}
        for k in range(_BINS)
    ]


SUITE = Suite(
    measure,
    metrics={
        "rank_logits": "mean rank of the logits' Jacobian with respect to the image, over some test images",
        "rank_<layer>": "the same of a layer's output; layers count from 1",
        "complement_spread": "standard deviation of an image's complementary logits over the distance of their mean to"
        " the label's logit, both averaged over the test images, at least 0; 0 where all complementary logits are equal",
    },
    small_tables={
        "activations": "one row per bin from `left` to `right`: density of the `label`'s logits and of the `others` (Fig. 11)"
    },
)
