"""The losses of Table 1 beside the one-cold cross entropy: values, gradients, stability, schedules, and what they refuse."""

import functools
import itertools
import math

import pytest
import reference_onecold as ref
import torch
from torch.autograd import gradcheck

from lossbook.losses import baselines, uniform
from lossbook.losses.onecold import one_cold_cross_entropy
from lossbook.objectives import create_objective, list_objectives
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

HALF = [torch.float16, torch.bfloat16]
CASES = {  # name: (loss of logits and labels, longhand, its arguments)
    "label_smoothing": (baselines.label_smoothing, ref.label_smoothing, (0.1,)),
    "negative_log": (baselines.negative_log, ref.negative_log, ()),
    "complement_entropy": (baselines.complement_entropy, ref.complement_entropy, ()),
    "complement_cross_entropy": (baselines.complement_cross_entropy, ref.complement_cross_entropy, (1.0,)),
    "focal": (baselines.focal, ref.focal, (2.0,)),
    "focal half": (functools.partial(baselines.focal, gamma=0.5), ref.focal, (0.5,)),
    "focal inverse": (functools.partial(baselines.focal, gamma=-1.5), ref.focal, (-1.5,)),
    "asymmetric": (baselines.asymmetric, ref.asymmetric, (0.0, 4.0, 0.1)),
    "asymmetric both": (
        functools.partial(baselines.asymmetric, gamma_positive=1.0, gamma_negative=0.5, smoothing=0.2),
        ref.asymmetric,
        (1.0, 0.5, 0.2),
    ),
    "cyclical_focal": (functools.partial(baselines.cyclical_focal, share=0.3), ref.cyclical_focal, (0.3, 3.0, 2.0)),
}
every_loss = pytest.mark.parametrize("loss", [loss for loss, _, _ in CASES.values()], ids=CASES.keys())


def draw(batch: int = 7, classes: int = 5, scale: float = 3.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (batch,), generator=generator)


# Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 40])
@pytest.mark.parametrize(("loss", "longhand", "arguments"), CASES.values(), ids=CASES.keys())
def test_value(loss, longhand, arguments, classes, device):
    logits, labels = draw(classes=classes)
    expected = ref.batch_mean(longhand, logits, labels, *arguments)
    assert loss(logits.to(device), labels.to(device)).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_limits_in_the_cross_entropy():
    logits, labels = draw()
    cross_entropy = uniform.cross_entropy(logits, labels)
    for loss in (
        baselines.focal(logits, labels, 0.0),
        baselines.label_smoothing(logits, labels, 0.0),
        baselines.complement_cross_entropy(logits, labels, 0.0),
        baselines.asymmetric(logits, labels, 0.0, 4.0, 0.0),
        baselines.cyclical_focal(logits, labels, 1.0, gamma_confident=0.0),
    ):
        torch.testing.assert_close(loss, cross_entropy)


def test_an_exponent_a_sample():
    logits, labels = draw()
    gammas = torch.tensor([2.0, -1.0, 0.0, 0.5, -0.2, 3.0, 1.0], dtype=torch.float64)
    singles = [baselines.focal(logits[m : m + 1], labels[m : m + 1], float(gammas[m])) for m in range(7)]
    torch.testing.assert_close(baselines.focal(logits, labels, gammas), torch.stack(singles).mean())


def test_asymmetric_is_the_single_label_variant_of_timm():
    import lossbook._torchvision  # noqa: F401

    # isort: split
    from timm.loss import AsymmetricLossSingleLabel

    logits, labels = draw()
    for positive, negative, smoothing in ((0, 4, 0.1), (1, 4, 0.1), (2, 1, 0.0)):
        expected = AsymmetricLossSingleLabel(positive, negative, smoothing)(logits, labels)
        torch.testing.assert_close(baselines.asymmetric(logits, labels, positive, negative, smoothing), expected)


def test_complement_entropy_is_largest_for_equal_complements():
    logits = torch.tensor([[5.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    label = torch.tensor([0])
    assert baselines.complement_entropy(logits, label).item() == pytest.approx(math.log(3))
    assert baselines.complement_entropy(logits, torch.tensor([1])).item() < math.log(3)


def test_the_complement_entropy_does_not_see_the_own_logit_but_occe_does():
    logits, labels = draw()
    logits.requires_grad_()
    own = labels.unsqueeze(1)
    (entropy,) = torch.autograd.grad(baselines.complement_entropy(logits, labels), logits)
    (one_cold,) = torch.autograd.grad(one_cold_cross_entropy(logits, labels), logits)
    assert entropy.gather(1, own).abs().max() < 1e-15
    assert (one_cold.gather(1, own) < 0).all()


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_cyclical_share_falls_to_zero_and_comes_back(factor):
    shares = [baselines.cyclical_share(epoch, 101, factor) for epoch in range(101)]
    assert shares[0] == 1 and shares[-1] == pytest.approx(1)
    turning = int(100 / factor)
    assert shares[turning] == pytest.approx(0, abs=1e-12)
    assert all(a > b for a, b in itertools.pairwise(shares[: turning + 1]))
    assert all(a < b for a, b in itertools.pairwise(shares[turning:]))
    assert baselines.cyclical_share(0, 1, factor) == 1


# AdaFocal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "bins"), [(7, 3), (12, 4), (5, 5), (6, 1)])
def test_calibration_bins_against_a_loop(count, bins):
    generator = torch.Generator().manual_seed(count)
    confidences = torch.rand(count, generator=generator, dtype=torch.float64)
    correct = torch.rand(count, generator=generator) > 0.4
    edges, gaps = baselines.calibration_bins(confidences, correct, bins)
    pairs = sorted(zip(confidences.tolist(), correct.tolist(), strict=True))
    groups = [[p for k, p in enumerate(pairs) if k * bins // count == b] for b in range(bins)]
    for b, group in enumerate(groups):
        expected = sum(c for c, _ in group) / len(group) - sum(r for _, r in group) / len(group)
        assert gaps[b].item() == pytest.approx(expected)
    assert edges.tolist() == pytest.approx([(a[-1][0] + b[0][0]) / 2 for a, b in itertools.pairwise(groups)])
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


def test_exponents_follow_overconfidence_and_switch_sides():
    gammas = torch.tensor([1.0, 0.21, -0.21, 19.0, -1.9])
    gaps = torch.tensor([0.5, -0.5, 0.5, 0.9, -0.9])
    moved = baselines.adafocal_gammas(gammas, gaps)
    assert moved.tolist() == pytest.approx([math.exp(0.5), -0.2, 0.2, 20.0, -2.0])


def test_adafocal_learns_its_exponents_between_epochs():
    torch.manual_seed(0)
    objective = create_objective("adafocal", 6, 4, bins=3.0)
    features, labels = 4 * torch.randn(30, 6), torch.arange(30) % 4
    objective.start_epoch(0, 3)
    torch.testing.assert_close(objective(features, labels), baselines.focal(objective.logits(features), labels, 1.0))
    confidence, predicted = objective.logits(features).detach().softmax(1).max(1)
    edges, gaps = baselines.calibration_bins(confidence, predicted == labels, 3)
    objective.start_epoch(1, 3)
    torch.testing.assert_close(objective.edges, edges)
    torch.testing.assert_close(objective.gammas, baselines.adafocal_gammas(torch.ones(3), gaps))
    own = objective.logits(features).detach().softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    gamma = torch.stack([objective.gammas[sum(float(p) >= float(e) for e in edges)] for p in own])
    torch.testing.assert_close(objective(features, labels), baselines.focal(objective.logits(features), labels, gamma))


# Objectives ------------------------------------------------------------------------------------------------------

WITH = sorted(name for name, paper in list_objectives().items() if paper == "baselines" and name.endswith("+occe"))


@pytest.mark.parametrize("name", WITH)
def test_with_occe_is_the_loss_plus_its_share_of_occe(name):
    alone_name = "bce-d" if name == "bce+occe" else name.removesuffix("+occe")
    values = []
    for built, arguments in ((name, {"occe_weight": 0.5}), (alone_name, {})):
        torch.manual_seed(0)
        objective = create_objective(built, 6, 4, **arguments)
        features, labels = torch.randn(9, 6), torch.arange(9) % 4
        values.append(objective(features, labels))
        one_cold = one_cold_cross_entropy(objective.logits(features), labels)
    torch.testing.assert_close(values[0], values[1] + 0.5 * one_cold)


def test_alone_takes_no_weight():
    assert len(WITH) == 9
    with pytest.raises(TypeError, match=r"'focal' does not take these arguments.*occe_weight"):
        create_objective("focal", 6, 4, occe_weight=1.0)


def test_complement_training_alternates():
    torch.manual_seed(0)
    objective = create_objective("cot+occe", 6, 4, occe_weight=0.5)
    features, labels = torch.randn(9, 6), torch.arange(9) % 4
    logits = objective.logits(features)
    first = uniform.cross_entropy(logits, labels) + 0.5 * one_cold_cross_entropy(logits, labels)
    second = -baselines.complement_entropy(logits, labels) / 3
    assert objective.steps_per_batch == 2
    for expected in (first, second, first):
        for _ in range(2):  # several views of a batch make one step
            torch.testing.assert_close(objective(features, labels), expected)
        objective.after_step()
    assert set(objective.measured) == {"loss_base", "loss_occe"}  # the second step of a batch adds the third


def test_complement_training_in_a_run():
    """Two steps a batch; the curves have the same length."""
    spec = RunSpec(objective="cot+occe", train_per_class=10, model="mlp", image_size=7, epochs=2, lr=0.03, batch_size=20)
    curves = train(spec).curves
    assert {"loss_base", "loss_occe", "complement_entropy"} <= set(curves)
    assert {len(values) for values in curves.values()} == {2}
    assert all(0 < value <= math.log(9) for value in curves["complement_entropy"])


@pytest.mark.parametrize("objective", ["adafocal+occe", "cyclical-focal"])
def test_schedules_in_a_run_are_deterministic(objective):
    spec = RunSpec(objective=objective, train_per_class=10, model="mlp", image_size=7, epochs=3, lr=0.03, batch_size=20)
    first, second = train(spec), train(spec)
    assert first.metrics == second.metrics
    assert first.curves == second.curves


def test_cyclical_focal_follows_the_epochs():
    torch.manual_seed(0)
    objective = create_objective("cyclical-focal", 6, 4, factor=2.0)
    features, labels = torch.randn(9, 6), torch.arange(9) % 4
    for epoch, share in ((0, 1.0), (5, 0.0), (10, 1.0)):
        objective.start_epoch(epoch, 11)
        expected = baselines.cyclical_focal(objective.logits(features), labels, share)
        torch.testing.assert_close(objective(features, labels), expected)


# Precision -------------------------------------------------------------------------------------------------------

HUGE = 1e4
EXTREMES = torch.tensor([[HUGE, -HUGE, HUGE], [-HUGE, HUGE, HUGE], [HUGE, 0, 0], [HUGE] * 3, [-HUGE] * 3, [0.0] * 3])


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_huge_logits_give_finite_loss_and_gradient(loss, dtype, device):
    logits = EXTREMES.to(device, dtype).requires_grad_()
    for label in range(3):
        value = loss(logits, torch.full((6,), label, device=device))
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


def test_negative_log_of_a_sure_mistake_is_not_rounded():
    """1 - p is 0 in float32 here; its logarithm is -30."""
    logits = torch.tensor([[0.0, 30.0]])
    assert baselines.negative_log(logits, torch.tensor([0])).item() == pytest.approx(30.0, rel=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_half_precision_is_computed_in_float32(loss, dtype, device):
    logits, labels = (tensor.to(device) for tensor in draw())
    half = logits.to(dtype)
    value = loss(half, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.float(), labels))


@every_loss
def test_gradcheck(loss):
    logits, labels = draw(batch=3, classes=4)
    assert gradcheck(lambda z: loss(z, labels), (logits.requires_grad_(),))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_losses_are_the_same(backend, device):
    def every_value(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.stack([loss(logits, labels) for loss, _, _ in CASES.values()])

    logits, labels = (tensor.to(device) for tensor in draw())
    value = torch.compile(every_value, backend=backend, fullgraph=True)(logits, labels)
    torch.testing.assert_close(value, every_value(logits, labels))


# Input -----------------------------------------------------------------------------------------------------------


@every_loss
def test_bad_input(loss):
    good, labels = torch.zeros(2, 3), torch.tensor([0, 1])
    for arguments, error, message in (
        ((good, labels + 2), ValueError, r"labels within 0\.\.2"),
        ((good, labels[:1]), ValueError, r"labels of shape \(2,\)"),
        ((good[:, :1], labels), ValueError, r"N >= 2 classes"),
        ((good, labels.int()), TypeError, "torch.int64"),
        ((good.long(), labels), TypeError, "floating-point logits"),
    ):
        with pytest.raises(error, match=message):
            loss(*arguments)


def test_bad_arguments():
    batch = torch.zeros(2, 3), torch.tensor([0, 1])
    for call, message in (
        (lambda: baselines.label_smoothing(*batch, 1.1), r"smoothing within \[0, 1\], got 1.1"),
        (lambda: baselines.complement_cross_entropy(*batch, -1.0), "balance >= 0, got -1"),
        (lambda: baselines.focal(*batch, torch.ones(3)), r"one a sample, \(2,\), got \(3,\)"),
        (lambda: baselines.asymmetric(*batch, -1.0), "gamma_positive >= 0"),
        (lambda: baselines.cyclical_focal(*batch, 1.2), r"share within \[0, 1\]"),
        (lambda: baselines.cyclical_share(3, 3), "0 <= epoch < epochs"),
        (lambda: baselines.cyclical_share(0, 3, 1.0), "factor > 1"),
        (lambda: baselines.calibration_bins(torch.zeros(3), torch.zeros(3).bool(), 4), "1 <= bins <= M"),
        (lambda: baselines.adafocal_gammas(torch.ones(3), torch.ones(2)), r"same shape \(bins,\)"),
        (lambda: create_objective("adafocal", 4, 3, switch=0.0), "switch > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
