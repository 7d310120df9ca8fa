"""Heads: features (B, d) to logits (B, N), one file per kind; the names below are the public ones."""

from lossbook.heads.dual import DualHead
from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import Bias, CosineHead, LinearHead, diverse_bias
from lossbook.heads.multicenter import MultiCenterCosineHead, MultiCenterHead, sample_subcenters

__all__ = [
    "Bias",
    "CosineHead",
    "DualHead",
    "EuclideanHead",
    "LinearHead",
    "MultiCenterCosineHead",
    "MultiCenterHead",
    "diverse_bias",
    "sample_subcenters",
]
