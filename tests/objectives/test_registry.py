"""The registry of objectives: every name builds and trains, and wrong requests are refused by name."""

import math

import pytest
import torch

from lossbook.losses import uniform
from lossbook.objectives import create_objective, list_objectives

NAMES = list(list_objectives())
UNIFORM = [name for name, paper in list_objectives().items() if paper == "uniform"]
FEATURES, CLASSES, BATCH = 8, 5, 10
COUNTS = torch.tensor([20, 10, 5, 3, 2])

every_name = pytest.mark.parametrize("name", NAMES)


def build(name, device="cpu", **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments).to(device)
    features = torch.randn(BATCH, FEATURES, device=device)
    return objective, features, torch.arange(BATCH, device=device) % CLASSES


def test_the_uniform_paper_has_fourteen():
    table_one = {f"{formula}-{variant}" for formula in ("soft", "bce") for variant in ("0", "d", "u", "n0", "nd", "nu")}
    assert set(UNIFORM) == table_one | {"bce-di", "uce"}


@every_name
def test_loss_and_gradients(name, device):
    objective, features, labels = build(name, device)
    loss = objective(features.requires_grad_(), labels)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    gradients = [features.grad, *(p.grad for p in objective.parameters() if p.grad is not None)]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert features.grad.abs().sum() > 0


@every_name
def test_shapes(name, device):
    objective, features, _ = build(name, device)
    assert objective.logits(features).shape == (BATCH, CLASSES)
    assert objective.head.weight.shape == (CLASSES, FEATURES)
    assert objective.head.bias is None or objective.head.bias.shape in [(1,), (CLASSES,)]
    assert objective.threshold().shape in [(), (CLASSES,)]
    assert not objective.threshold().requires_grad


@every_name
def test_mixed_images(name):
    objective, features, labels = build(name)
    partners = labels.roll(1)
    assert objective.mixed(features, labels, partners, 0.3).isfinite()
    assert all(value.shape == () and value.isfinite() for value in objective.measured.values())


@every_name
def test_state_dict_round_trip(name):
    objective, features, _ = build(name)
    torch.manual_seed(1)
    other = create_objective(name, FEATURES, CLASSES, COUNTS)
    other.load_state_dict(objective.state_dict())
    torch.testing.assert_close(other.logits(features), objective.logits(features), rtol=0, atol=0)


@pytest.mark.parametrize("name", UNIFORM)
def test_the_loss_is_the_mean_over_the_batch(name):
    objective, features, labels = build(name)
    singles = [objective(features[m : m + 1], labels[m : m + 1]) for m in range(BATCH)]
    torch.testing.assert_close(torch.stack(singles).mean(), objective(features, labels))


@pytest.mark.parametrize("name", UNIFORM)
def test_bias_shape_follows_the_name(name):
    bias = build(name)[0].head.bias
    expected = {"0": None, "u": (1,), "d": (CLASSES,)}["u" if name == "uce" else "d" if name == "bce-di" else name[-1]]
    assert (bias if bias is None else tuple(bias.shape)) == expected


def test_logits_of_bce_di_have_no_bias():
    objective, features, labels = build("bce-di", bias_mode=1)
    torch.testing.assert_close(objective.logits(features), features @ objective.head.weight.T)
    assert objective.threshold().tolist() == [1, 2, 3, 4, 5]
    expected = uniform.bce_di(objective.logits(features), objective.head.bias, labels)
    torch.testing.assert_close(objective(features, labels), expected)


def test_logits_have_the_bias_otherwise():
    objective, features, _ = build("bce-u", bias_start=3.0)
    torch.testing.assert_close(objective.logits(features), features @ objective.head.weight.T + 3.0)


def test_uce_starts_as_in_uniface():
    objective, features, labels = build("uce")
    assert objective.threshold().item() == pytest.approx(math.log(10 * CLASSES))
    assert objective.head.scale == 64
    expected = uniform.uce(objective.logits(features), labels, margin=0.4, scale=64)
    torch.testing.assert_close(objective(features, labels), expected)
    plain = build("uce", margin=0.0, scale=8.0, bias_start=1.0)[0]
    torch.testing.assert_close(plain(features, labels), uniform.binary_cross_entropy(plain.logits(features), labels))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("bce-nu", {"scale": 8.0, "bias_start": 2.0}), ("soft-nd", {"scale": 8.0, "bias_mode": 2}), ("soft-n0", {"scale": 8.0})],
)
def test_arguments_reach_the_head(name, arguments):
    head = build(name, **arguments)[0].head
    assert head.scale == 8
    if "bias_start" in arguments:
        assert head.bias.tolist() == [2.0]
    if "bias_mode" in arguments:
        assert head.bias.tolist() == pytest.approx([64 * i / CLASSES for i in range(1, CLASSES + 1)])


@pytest.mark.parametrize("name", ["bce-0", "bce-nu"])
def test_a_few_steps_lower_the_loss(name):
    objective, features, labels = build(name)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = objective(features, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown objective 'bce'") as caught:
        create_objective("bce", FEATURES, CLASSES)
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("bce-u", "scale"),
        ("bce-u", "bias_mode"),
        ("bce-nd", "bias_start"),
        ("soft-n0", "bias_start"),
        ("bce-di", "bias_start"),
        ("uce", "bias_mode"),
        ("soft-d", "depth"),
    ],
)
def test_wrong_argument_is_named(name, argument):
    with pytest.raises(TypeError, match=f"objective '{name}' does not take these arguments.*{argument}"):
        create_objective(name, FEATURES, CLASSES, **{argument: 1})


@pytest.mark.parametrize("argument", [{"bias": "unified"}, {"loss": uniform.cross_entropy}], ids=["bias", "loss"])
def test_an_argument_cannot_turn_an_objective_into_another(argument):
    with pytest.raises(TypeError, match=next(iter(argument))):
        create_objective("bce-0", FEATURES, CLASSES, **argument)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, CLASSES), "in_features >= 1"), ((FEATURES, 1), "num_classes >= 2")],
)
@pytest.mark.parametrize("name", UNIFORM)
def test_wrong_sizes(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_objective(name, *arguments)


@pytest.mark.parametrize("name", UNIFORM)
def test_wrong_labels(name):
    objective, features, labels = build(name)
    with pytest.raises(ValueError, match=r"labels within 0\.\.4"):
        objective(features, labels + 1)
    with pytest.raises(ValueError, match=r"labels of shape \(10,\)"):
        objective(features, labels[:-1])
