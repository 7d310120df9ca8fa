"""The mean distance to the proxy of the own class."""

import pytest
import reference_retrieval as longhand
import torch
from arrays import rows
from embeddings import clusters

from lossbook.metrics import avg_dtp


def test_avg_dtp(device):
    features, labels = clusters(device)
    proxies = torch.randn(6, 8, generator=torch.Generator().manual_seed(3)).to(device)
    pairs = zip(rows(features), labels.tolist(), strict=True)
    expected = sum(longhand.distance(x, rows(proxies)[y]) for x, y in pairs) / 60
    assert avg_dtp(features, labels, proxies) == pytest.approx(expected)
    assert avg_dtp(proxies, torch.arange(6, device=device), proxies) == 0


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"proxies \(N, d\), got \(4, 2\), \(4,\), \(3, 5\)"):
        avg_dtp(torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]), torch.zeros(3, 5))
