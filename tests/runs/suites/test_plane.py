"""Fig. 10's suite: the training images and the proxies of an embedding in the plane."""

import math

import pytest
import torch

from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

SPEC = RunSpec(
    objective="euclidean-softmax",
    dataset="digits",
    train_per_class=5,
    model="mlp",
    embedding_size=2,
    epochs=2,
    batch_size=25,
    suites=("plane",),
)


def test_rows_are_the_images_and_the_proxies():
    result = train(SPEC)
    rows = result.small_tables["plane"]
    images = [row for row in rows if not row["proxy"]]
    assert [row["label"] for row in rows if row["proxy"]] == list(range(10))
    assert [row["label"] for row in images] == [k for k in range(10) for _ in range(5)]
    places = torch.tensor([[row["x"], row["y"]] for row in images]).view(10, 5, 2)
    means = places.mean(1)
    pairs = [math.dist(means[a].tolist(), means[b].tolist()) for a in range(10) for b in range(a)]
    assert result.metrics["gap"] == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    assert result.metrics["spread"] == pytest.approx((places - means[:, None]).norm(dim=2).mean().item(), rel=1e-5)
    proxies = torch.tensor([[row["x"], row["y"]] for row in rows if row["proxy"]])
    assert result.metrics["to_proxy"] == pytest.approx((places - proxies[:, None]).norm(dim=2).mean().item(), rel=1e-5)


def test_only_the_plane():
    with pytest.raises(ValueError, match=r"embedding_size = 2, got features of 3 dimensions"):
        train(SPEC.replace(embedding_size=3))
