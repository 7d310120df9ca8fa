"""Heads: features (B, d) to class metrics (B, N), one file a kind; the names below are the public ones."""

from lossbook.heads.dual import DualHead
from lossbook.heads.linear import Bias, CosineHead, LinearHead, diverse_bias

__all__ = ["Bias", "CosineHead", "DualHead", "LinearHead", "diverse_bias"]
