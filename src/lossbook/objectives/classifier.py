"""A trained objective as a plain classifier: what a deployed program needs of it, and nothing of its training."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lossbook.heads.class_vectors import class_vectors
from lossbook.heads.dual import DualHead
from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import CosineHead, Head, LinearHead, unit_vectors
from lossbook.heads.multicenter import MultiCenterCosineHead, MultiCenterHead
from lossbook.objectives.objective import Objective


class UnitVectors(nn.Module):
    """Features (B, d) to length 1; a zero feature stays zero."""

    def forward(self, features: Tensor) -> Tensor:
        return unit_vectors(features)


class Distances(nn.Module):
    r"""Logits from Euclidean distances to one proxy per class: :math:`z_j = g\,(r - \|x - p_j\|)`.

    ONNX has no operator for distances, so an exported model forms the differences (B, N, d); elsewhere the memory is (B, N).
    """

    def __init__(self, proxies: Tensor, radius: float, gain: float) -> None:
        super().__init__()
        self.proxies = nn.Parameter(proxies)
        self.radius, self.gain = radius, gain

    def forward(self, features: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            distances = (features.unsqueeze(1) - self.proxies).square().sum(2).sqrt()
        else:
            distances = torch.cdist(features, self.proxies, compute_mode="donot_use_mm_for_euclid_dist")
        return self.gain * (self.radius - distances)


def to_classifier(objective: Objective) -> nn.Module:
    r"""The logits of a trained objective as a module of its own: features (B, d) to logits (B, N).

    It gives what ``objective.logits`` gives in evaluation, up to the order of the sums, and holds copies of no other
    parameter or buffer than the class vectors and their biases: no projector, memory bank, variance or class count.

    - inner products: one ``nn.Linear``;
    - cosines: :class:`UnitVectors`, then an ``nn.Linear`` whose rows have the scale as their length;
    - distances: :class:`Distances`;
    - any other head: a copy of the head.

    Args:
        objective: a trained one; it is left alone.

    Returns:
        A module in evaluation mode, which ``torch.export``, ``torch.onnx.export`` and safetensors take.

    Example:
        >>> from lossbook.objectives.create import create_objective
        >>> to_classifier(create_objective("multicenter", in_features=4, num_classes=3))
        Linear(in_features=4, out_features=3, bias=True)
        >>> to_classifier(create_objective("bce-nu", in_features=4, num_classes=3))
        Sequential(
          (0): UnitVectors()
          (1): Linear(in_features=4, out_features=3, bias=True)
        )
    """
    with torch.no_grad():
        head = _predicting(objective.head)
        if isinstance(head, LinearHead | CosineHead | MultiCenterHead | MultiCenterCosineHead):
            classifier = _of_products(objective, head)
        elif isinstance(head, EuclideanHead):
            radius = 0.0 if head.bias is None else float(head.bias)
            classifier = Distances(head.weight.detach().clone(), radius, getattr(objective, "temperature", 1.0))
        else:
            classifier = copy.deepcopy(head)
    return classifier.eval()


def _predicting(head: nn.Module) -> nn.Module:
    """Of two heads the one that predicts, if it is one."""
    if isinstance(head, DualHead) and head.prediction != "combined":
        return head.ce if head.prediction == "ce" else head.occe
    return head


def _of_products(objective: Objective, head: Head) -> nn.Module:
    """Products with class vectors, of the features or of their directions.

    The logits at the zero feature are the biases: the head's, shifted where the objective predicts with a shift.
    """
    vectors, directions_only = class_vectors(head)
    classes, width = vectors.shape
    # By way of the meta device, because start values would be drawn from the default generator.
    linear = nn.Linear(width, classes, dtype=head.weight.dtype, device="meta").to_empty(device=head.weight.device)
    linear.weight.copy_(vectors)
    linear.bias.copy_(objective.logits(head.weight.new_zeros(1, width))[0])
    return nn.Sequential(UnitVectors(), linear) if directions_only else linear
