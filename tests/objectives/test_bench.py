"""The combinations: each falls back to a known loss at one end, and to a longhand formula elsewhere."""

from __future__ import annotations

import math

import pytest
import torch

from lossbook.losses.multicenter import gaussian_kl
from lossbook.losses.uniform import binary_cross_entropy
from lossbook.losses.warped import warp
from lossbook.objectives import create_objective

FEATURES, CLASSES, BATCH = 8, 5, 12


def build(name, **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, **arguments).double()
    return objective, torch.randn(BATCH, FEATURES, dtype=torch.float64), torch.arange(BATCH) % CLASSES


def test_centres_without_noise_are_a_plain_bce():
    objective, features, labels = build("multicenter-bce", sigma_scale=0.0, kl_weight=0.0)
    torch.testing.assert_close(objective(features, labels), binary_cross_entropy(features @ objective.head.weight.T, labels))


def test_centres_longhand():
    objective, features, labels = build("multicenter-bce", num_subcenters=3, kl_weight=0.5)
    torch.manual_seed(7)
    loss = objective(features, labels)
    torch.manual_seed(7)
    centers = objective.head.centers().detach()  # the same noise
    total = 0.0
    for m in range(BATCH):
        for c in range(CLASSES):
            for k in range(4):
                z = float(features[m] @ centers[c, k])
                share = 1 / 2 if k == 0 else 1 / 6
                total += share * math.log1p(math.exp(-z if c == labels[m] else z)) / BATCH
    assert loss.item() == pytest.approx(total + 0.5 * gaussian_kl(objective.head.log_var).item())
    torch.testing.assert_close(objective.logits(features), features @ objective.head.weight.T)


@pytest.mark.parametrize("name", ["euclidean-bce", "warped-bce"])
def test_balls_longhand(name):
    objective, features, labels = build(name, temperature=1.5, radius=3.0)
    proxies = objective.head.weight.detach()
    total = 0.0
    for m in range(BATCH):
        for j in range(CLASSES):
            distance = (features[m] - proxies[j]).norm()
            if j == labels[m]:
                own = warp(distance, 8.0, 0.8, 1.3) if name == "warped-bce" else distance
                total += math.log1p(math.exp(1.5 * (float(own) - 3))) / BATCH
            else:
                total += math.log1p(math.exp(1.5 * (3 - float(distance)))) / BATCH
    assert objective(features, labels).item() == pytest.approx(total)
    distances = torch.cdist(features, proxies)
    torch.testing.assert_close(objective.logits(features), 1.5 * (3 - distances))


def test_the_radius_is_learned_and_is_the_threshold():
    objective, features, labels = build("euclidean-bce", radius=3.0)
    objective(features, labels).backward()
    assert objective.head.bias.grad.abs() > 0
    assert objective.threshold() == -3
    # An image lies in a ball exactly when its metric is above the threshold.
    inside = torch.cdist(features, objective.head.weight) < 3
    assert (inside == (objective.head.similarities(features) > objective.threshold())).all()


def test_a_warp_within_alpha_keeps_the_value_and_weakens_the_pull():
    plain, features, labels = build("euclidean-bce", radius=3.0)
    warped = build("warped-bce", radius=3.0, alpha=1e6, k1=0.5)[0]
    pulls = []
    for objective in (plain, warped):
        e = features[:1].clone().requires_grad_()
        own = objective.head.distances(e.detach())[0, 0].detach()
        objective(e, labels[:1]).backward()
        others = e.detach() - objective.head.weight[1:].detach()
        distances = others.norm(dim=1, keepdim=True)
        push = -(torch.sigmoid(3.0 - distances) * others / distances).sum(0)
        pulls.append((e.grad[0] - push).norm())
        assert own < 1e6
    torch.testing.assert_close(plain(features, labels), warped(features, labels))
    torch.testing.assert_close(pulls[1], 0.5 * pulls[0])


@pytest.mark.parametrize(
    ("name", "arguments"), [("multicenter-bce", {"num_subcenters": 0}), ("euclidean-bce", {"temperature": 0.0})]
)
def test_wrong_arguments(name, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        build(name, **arguments)
