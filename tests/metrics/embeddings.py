"""Embeddings with classes, for the tests of what is measured on them."""

from __future__ import annotations

import torch
from hypothesis import strategies as st


@st.composite
def tied_embeddings(draw):
    """Features on a coarse grid, so that many distances are equal, and labels with at least one pair."""
    m, d = draw(st.integers(4, 12)), draw(st.integers(1, 3))
    features = draw(st.lists(st.lists(st.integers(-2, 2).map(float), min_size=d, max_size=d), min_size=m, max_size=m))
    labels = draw(st.lists(st.integers(0, 4), min_size=m - 1, max_size=m - 1))
    return torch.tensor(features), torch.tensor([*labels, labels[0]])


def clusters(device="cpu", samples=60, classes=6, noise=1.0, dtype=torch.float32):
    """Overlapping clusters of unequal sizes around random centres."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % classes
    labels[: samples // 4] = 0
    features = 2 * torch.randn(classes, 8, generator=generator)[labels]
    features += 2 * noise * torch.randn(samples, 8, generator=generator)
    return features.to(device, dtype), labels.to(device)
