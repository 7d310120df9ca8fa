"""The objectives of `warped`: what they predict and measure, which arguments reach the loss, and two phases of training."""

import pytest
import torch

from lossbook.losses.warped import euclidean_softmax, generalized_softmax, warped_softmax
from lossbook.objectives import create_objective, list_objectives
from lossbook.objectives.warped import FUNCTIONS
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

FEATURES, CLASSES, BATCH = 8, 5, 10
WARP = {"alpha": 1.5, "k1": 0.6, "k2": 1.4, "temperature": 2.0, "margin": 1.2}
NAMES = [name for name, paper in list_objectives().items() if paper == "warped"]


def build(name, **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, **arguments)
    return objective, torch.randn(BATCH, FEATURES), torch.arange(BATCH) % CLASSES


def test_there_are_three():
    assert NAMES == ["euclidean-softmax", "warped-softmax", "generalized-softmax"]


@pytest.mark.parametrize("name", NAMES)
def test_the_nearest_proxy_is_predicted(name):
    objective, features, labels = build(name)
    distances = torch.cdist(features, objective.head.weight)
    torch.testing.assert_close(objective.logits(features), -distances)
    assert objective.threshold().item() == 0
    own_proxies = objective.head.weight.detach()[labels]
    assert torch.equal(objective.logits(own_proxies).argmax(1), labels)


@pytest.mark.parametrize("name", NAMES)
def test_avg_dtp_is_measured(name):
    objective, features, labels = build(name)
    assert objective.measured == {}
    objective(features, labels)
    expected = (features - objective.head.weight.detach()[labels]).norm(dim=1).mean()
    torch.testing.assert_close(objective.measured["avg_dtp"], expected)
    assert not objective.measured["avg_dtp"].requires_grad


def test_arguments_reach_the_loss():
    objective, features, labels = build("warped-softmax", **WARP)
    distances = torch.cdist(features, objective.head.weight)
    torch.testing.assert_close(objective(features, labels), warped_softmax(distances, labels, **WARP))
    objective, features, labels = build("euclidean-softmax", temperature=3.0)
    torch.testing.assert_close(objective(features, labels), euclidean_softmax(distances, labels, 3.0))


def test_the_defaults_are_the_authors_first_phase_on_cub():
    objective, features, labels = build("warped-softmax")
    distances = torch.cdist(features, objective.head.weight)
    expected = warped_softmax(distances, labels, 28.40, 0.93, 1.15, temperature=4.525, margin=1.30)
    torch.testing.assert_close(objective(features, labels), expected)


@pytest.mark.parametrize("f1", FUNCTIONS)
@pytest.mark.parametrize("f2", FUNCTIONS)
def test_functions_by_name(f1, f2):
    objective, features, labels = build("generalized-softmax", f1=f1, f2=f2, temperature=0.5)
    distances = torch.cdist(features, objective.head.weight)
    expected = generalized_softmax(distances, labels, FUNCTIONS[f1], FUNCTIONS[f2], 0.5)
    torch.testing.assert_close(objective(features, labels), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_strictly_increasing_from_zero_with_a_finite_slope(name):
    x = torch.linspace(0, 20, 200, dtype=torch.float64, requires_grad=True)
    value = FUNCTIONS[name](x)
    assert value[0] == 0
    assert (value.diff() > 0).all()
    assert torch.autograd.grad(value.sum(), x)[0].isfinite().all()


def test_an_unknown_function_is_named():
    with pytest.raises(ValueError, match="unknown function 'cube'; expected one of identity, log1p"):
        create_objective("generalized-softmax", FEATURES, CLASSES, f2="cube")


@pytest.mark.parametrize("name", NAMES)
def test_wrong_argument_is_named(name):
    with pytest.raises(TypeError, match=f"objective '{name}' does not take these arguments.*scale"):
        create_objective(name, FEATURES, CLASSES, scale=1.0)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
def test_features_that_follow_the_gradient_settle_at_alpha(alpha):
    """Two classes with their proxies held: the mean distance to the proxy is the warp's alpha."""
    torch.manual_seed(0)
    objective = create_objective("warped-softmax", 2, 2, alpha=alpha, k1=0.5, k2=2.0, temperature=1.0, margin=1.0)
    objective.head.weight.data.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    features, labels = torch.randn(20, 2), torch.arange(20) % 2
    for step in range(1000):
        features = features.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(len(features) * objective(features, labels), features)
        features = features - 30 / (step + 30) * gradient
    assert objective.measured["avg_dtp"].item() == pytest.approx(alpha, abs=0.05)


def test_two_phases_on_left_out_classes():
    """The second phase goes on from the first one's proxies with its own alpha and temperature."""
    spec = RunSpec(
        "warped-softmax",
        {"alpha": 4.0, "k1": 0.7, "k2": 1.3, "temperature": 2.0, "margin": 1.0},
        classes=(0, 1, 2),
        train_per_class=40,
        image_size=7,
        model="mlp",
        embedding_size=8,
        epochs=2,
        batch_size=30,
        batch_classes=3,
        lr=0.03,
        suites=("retrieval",),
        second_phase={"epochs": 1, "lr": 0.01, "objective_args": {"alpha": 1.0, "temperature": 1.0}},
    )
    second = spec.phases()[1].objective_args
    assert second == {"alpha": 1.0, "k1": 0.7, "k2": 1.3, "temperature": 1.0, "margin": 1.0}
    result = train(spec)
    assert len(result.curves["avg_dtp"]) == len(result.curves["train_loss"]) == 3
    assert result.metrics["train_avg_dtp"] > 0
    assert 1 / 7 < result.metrics["unknown_recall@1"] <= result.metrics["unknown_recall@8"] <= 1
    assert {"known_MAP@R", "unknown_NMI", "unknown_AMI_cosine"} <= set(result.metrics)
