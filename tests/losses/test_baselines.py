"""The losses of Table 1 beside the one-cold cross entropy: values, limits, schedules, and what they refuse."""

import functools
import itertools
import math

import pytest
import reference_onecold as ref
import torch

from lossbook.losses import baselines, uniform
from lossbook.losses.onecold import one_cold_cross_entropy

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


# Precision -------------------------------------------------------------------------------------------------------


def test_negative_log_of_a_sure_mistake_is_not_rounded():
    """1 - p is 0 in float32 here; its logarithm is -30."""
    logits = torch.tensor([[0.0, 30.0]])
    assert baselines.negative_log(logits, torch.tensor([0])).item() == pytest.approx(30.0, rel=1e-6)


# Input -----------------------------------------------------------------------------------------------------------


def test_bad_arguments():
    batch = torch.zeros(2, 3), torch.tensor([0, 1])
    for call, message in (
        (lambda: baselines.label_smoothing(*batch, 1.1), r"smoothing within \[0, 1\], got 1.1"),
        (lambda: baselines.complement_cross_entropy(*batch, -1.0), "balance >= 0, got -1"),
        (lambda: baselines.focal(*batch, torch.ones(3)), r"one per sample, \(2,\), got \(3,\)"),
        (lambda: baselines.asymmetric(*batch, -1.0), "gamma_positive >= 0"),
        (lambda: baselines.cyclical_focal(*batch, 1.2), r"share within \[0, 1\]"),
        (lambda: baselines.cyclical_share(3, 3), "0 <= epoch < epochs"),
        (lambda: baselines.cyclical_share(0, 3, 1.0), "factor > 1"),
        (lambda: baselines.calibration_bins(torch.zeros(3), torch.zeros(3).bool(), 4), "1 <= bins <= M"),
        (lambda: baselines.adafocal_gammas(torch.ones(3), torch.ones(2)), r"same shape \(bins,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
