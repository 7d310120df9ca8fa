"""The adapter for losses of pytorch-metric-learning, on modules of the same shape and on the library itself."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossbook.objectives import create_objective
from lossbook.objectives.metric_learning import PairObjective, ProxyObjective

NAMES = {"proxy-nca++", "proxy-anchor", "normalized-softmax", "arcface", "cosface", "multi-similarity", "contrastive"}


class Proxies(nn.Module):
    """A normalised softmax that keeps its proxies as the library's losses do, casting them in place."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Parameter(torch.randn((5, 8) if name == "proxies" else (8, 5))))

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        parameter = getattr(self, self.name)
        parameter.data = parameter.data.to(features.device, features.dtype)
        proxies = parameter if self.name == "proxies" else parameter.T
        return F.cross_entropy(10 * F.normalize(features) @ F.normalize(proxies).T, labels)


class Compactness(nn.Module):
    """A loss of pairs without parameters."""

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        unit = F.normalize(features)
        return (1 - unit @ unit.T)[labels.unsqueeze(1) == labels].mean()


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(10, 8, generator=generator), torch.arange(10) % 5


@pytest.mark.parametrize("name", ["proxies", "W"])
def test_the_proxies_are_the_heads_weight(name):
    torch.manual_seed(0)
    module = Proxies(name)
    own = getattr(module, name).detach().clone()
    objective = ProxyObjective(8, 5, module, scale=10.0)
    features, labels = draw()
    assert [key for key, _ in objective.named_parameters()] == list(objective.state_dict()) == ["head.weight"]
    assert torch.equal(objective.head.weight.T if name == "W" else objective.head.weight, own)
    value = objective(features, labels)
    torch.testing.assert_close(value, F.cross_entropy(objective.logits(features), labels))
    value.backward()
    (expected,) = torch.autograd.grad(F.cross_entropy(objective.logits(features), labels), objective.head.weight)
    torch.testing.assert_close(objective.head.weight.grad, expected)
    torch.testing.assert_close(getattr(module, name).detach(), own, rtol=0, atol=0)


def test_training_the_proxies_changes_the_loss_and_a_copy_is_independent():
    torch.manual_seed(0)
    objective = ProxyObjective(8, 5, Proxies("W"), scale=10.0)
    features, labels = draw()
    before = objective(features, labels)
    before.backward()
    twin = copy.deepcopy(objective)
    torch.optim.SGD(objective.parameters(), lr=0.1).step()
    assert objective(features, labels) < before
    torch.testing.assert_close(twin(features, labels), before)


def test_half_precision_features_under_autocast():
    torch.manual_seed(0)
    objective = ProxyObjective(8, 5, Proxies("W"), scale=10.0)
    features, labels = draw()
    with torch.autocast("cpu", torch.bfloat16):
        value = objective(features.bfloat16(), labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, objective(features.bfloat16().float(), labels))


def test_pairs_follow_the_means_of_the_classes():
    objective = PairObjective(8, 5, Compactness())
    features, labels = draw()
    assert torch.equal(objective.logits(features), torch.zeros(10, 5))
    assert not [p for p in objective.parameters() if p.requires_grad]
    some = labels != 4
    objective(features[some], labels[some])
    unit = F.normalize(features)
    first = torch.stack([unit[labels == k].mean(0) for k in range(4)] + [torch.zeros(8)])
    torch.testing.assert_close(objective.head.weight, nn.Parameter(first, requires_grad=False))
    other, _ = draw(1)
    objective(other, labels)
    second = torch.stack([F.normalize(other)[labels == k].mean(0) for k in range(5)])
    torch.testing.assert_close(objective.head.weight[:4], 0.9 * first[:4] + 0.1 * second[:4])
    torch.testing.assert_close(objective.head.weight[4], second[4])


def test_pairs_leave_the_means_alone_in_evaluation():
    objective = PairObjective(8, 5, Compactness()).eval()
    objective(*draw())
    assert not objective.head.weight.any()


def test_separated_classes_are_predicted_from_their_means():
    objective = PairObjective(8, 5, Compactness())
    labels = torch.arange(20) % 5
    features = 3 * torch.eye(5, 8)[labels] + 0.1 * torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    value = objective(features.requires_grad_(), labels)
    value.backward()
    assert features.grad.abs().sum() > 0
    assert torch.equal(objective.logits(features).argmax(1), labels)


@pytest.mark.parametrize(
    ("name", "margin"), [("arcface", 0.0), ("cosface", 0.0), ("normalized-softmax", None), ("proxy-nca++", None)]
)
def test_logits_are_the_losses_own(name, margin):
    """Without a margin these four are the softmax cross entropy of the logits."""
    torch.manual_seed(0)
    objective = create_objective(name, 8, 5, **({} if margin is None else {"margin": margin}))
    features, labels = draw()
    expected = F.cross_entropy(objective.logits(features), labels)
    torch.testing.assert_close(objective(features, labels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_few_steps_separate_the_classes(name):
    torch.manual_seed(0)
    objective = create_objective(name, 8, 5)
    features, labels = draw()
    features.requires_grad_()
    optimizer = torch.optim.Adam([features, *(p for p in objective.parameters() if p.requires_grad)], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        objective(features, labels).backward()
        optimizer.step()
    assert torch.equal(objective.logits(features).argmax(1), labels)
    assert copy.deepcopy(objective).logits(features).isfinite().all()
