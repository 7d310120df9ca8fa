"""NMI and AMI of k-means clusters: separated clusters, noise, the geometric mean."""

import pytest
import reference_retrieval as longhand
import torch
from embeddings import clusters

from lossbook.metrics import nmi


def test_nmi_of_separated_clusters_is_one_and_of_noise_nearly_zero():
    features, labels = clusters(noise=0.01)
    assert nmi(features, labels) == pytest.approx((1, 1))
    assert nmi(features, labels, distance="cosine") == pytest.approx((1, 1))
    noise = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(400) % 40
    chance = nmi(noise, labels)
    assert chance.nmi > 0.3  # ten samples per class: far above zero by chance
    assert abs(chance.ami) < 0.05


def test_nmi_is_over_the_geometric_mean():
    """Three distinct points and three classes: k-means finds the points, whatever its start."""
    points = [0, 0, 0, 0, 0, 5, 5, 9]
    labels = [0, 0, 0, 1, 1, 1, 2, 2]
    value = nmi(torch.tensor(points).unsqueeze(1).float(), torch.tensor(labels)).nmi
    assert value == pytest.approx(longhand.nmi(labels, points))
