"""Neural collapse, Fisher's ratio and the independence deficit: longhand references, exact collapse, invariances, ties."""

import math

import numpy as np
import pytest
import reference_collapse as ref
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import (
    dimensions_needed,
    fisher_ratio,
    nc1,
    nc2,
    nc3,
    nc4,
    principal_accuracies,
    samplewise_accuracy,
)


def draw(classes=4, dimensions=6, each=5, seed=0, noise=1.0, unequal=False):
    """Features around random class means, labels, and a random linear classifier."""
    rng = np.random.default_rng(seed)
    counts = [each + (k if unequal else 0) for k in range(classes)]
    labels = np.repeat(np.arange(classes), counts)
    means = 3 * rng.standard_normal((classes, dimensions)) + 1
    features = means[labels] + noise * rng.standard_normal((len(labels), dimensions))
    order = rng.permutation(len(labels))
    tensors = (features[order], labels[order], rng.standard_normal((classes, dimensions)), rng.standard_normal(classes))
    return tuple(torch.from_numpy(t) for t in tensors)


def collapsed(classes=4, dimensions=6, each=3, size=2.0):
    """A simplex ETF of features off the origin, and the classifier dual to it."""
    frame = ref.simplex(classes, dimensions, np.random.default_rng(1))
    labels = torch.arange(classes).repeat(each)
    mean = torch.linspace(-1, 1, dimensions, dtype=torch.float64)
    weight = torch.from_numpy(frame)
    return size * weight[labels] + mean, labels, 0.5 * weight, -0.5 * weight @ mean


# Against the formulas --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize(("classes", "dimensions"), [(2, 3), (4, 6), (7, 3), (5, 4)])
def test_equal_to_the_longhand_formulas(classes, dimensions, unequal, device):
    features, labels, weight, bias = draw(classes, dimensions, unequal=unequal)
    on_device = features.to(device), labels.to(device)
    rows, classes_of = features.numpy(), labels.tolist()
    means = ref.class_means(rows, classes_of)
    assert nc1(*on_device) == pytest.approx(ref.nc1(rows, classes_of))
    assert nc2(weight.to(device)) == pytest.approx(ref.to_etf(weight @ weight.T))
    centred = means - means.mean(0)
    assert nc3(*on_device, weight.to(device)) == pytest.approx(ref.to_etf(weight.numpy() @ centred.T))
    mean_logits = weight.numpy() @ means.mean(0) + bias.numpy()
    assert nc4(*on_device, weight.to(device), bias.to(device)) == pytest.approx((mean_logits**2).sum())


def test_fisher_ratio_is_the_ratio_of_the_scatters():
    features, labels, _, _ = draw(unequal=True)
    rows = features.numpy()
    means, total = ref.class_means(rows, labels.tolist()), rows.mean(0)
    between = sum(((means[c] - total) ** 2).sum() for c in labels.tolist())
    within = sum(((h - means[c]) ** 2).sum() for h, c in zip(rows, labels.tolist(), strict=True))
    assert fisher_ratio(features, labels) == pytest.approx(between / within)


def test_nc1_agrees_with_a_pseudo_inverse_where_that_is_safe():
    """More classes than dimensions: the scatter between the classes is regular."""
    features, labels, _, _ = draw(classes=7, dimensions=3)
    within, between = ref.covariances(features.numpy(), labels.tolist())
    assert nc1(features, labels) == pytest.approx(np.trace(within @ np.linalg.pinv(between)) / 7)


def test_nc1_ignores_directions_that_are_rounding():
    """A dense pinv of the float32 scatter inverts its noise: thousands of times too large."""
    features, labels, _, _ = draw(classes=4, dimensions=64, each=20)
    exact = nc1(features, labels)
    single = features.float()
    assert nc1(single, labels) == pytest.approx(exact, rel=1e-4)
    within, between = ref.covariances(single.numpy().astype(np.float32), labels.tolist())
    dense = np.linalg.pinv(between.astype(np.float32), rcond=1e-9)
    assert abs(float(np.trace(within @ dense)) / 4) > 100 * exact


def test_nc1_leaves_dead_units_out():
    features, labels, _, _ = draw(classes=7, dimensions=3)
    dead = torch.cat([features, torch.zeros(len(features), 5, dtype=torch.float64)], 1)
    assert nc1(dead, labels) == pytest.approx(nc1(features, labels))


# Full collapse and its opposite ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_simplex_etf_is_full_collapse(classes):
    features, labels, weight, bias = collapsed(classes, dimensions=8)
    assert nc1(features, labels) == pytest.approx(0, abs=1e-25)
    assert nc2(weight) == pytest.approx(0, abs=1e-12)
    assert nc3(features, labels, weight) == pytest.approx(0, abs=1e-12)
    assert nc4(features, labels, weight, bias) == pytest.approx(0, abs=1e-24)
    assert fisher_ratio(features, labels) > 1e20


def test_equal_class_means_are_no_collapse():
    features = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert nc1(features, labels) == math.inf
    assert fisher_ratio(features, labels) == 0


def test_the_negative_etf_is_as_far_as_it_gets():
    features, labels, weight, _ = collapsed()
    assert nc3(features, labels, -weight) == pytest.approx(2)
    assert nc2(torch.ones(4, 6)) == pytest.approx(math.sqrt(2))
    assert math.isnan(nc2(torch.zeros(4, 6)))


def test_nc4_without_and_with_a_unified_bias():
    features, labels, weight, _ = draw()
    none = nc4(features, labels, weight, torch.zeros(4, dtype=torch.float64))
    assert nc4(features, labels, weight, None) == pytest.approx(none)
    unified = nc4(features, labels, weight, torch.full((4,), 0.7, dtype=torch.float64))
    assert nc4(features, labels, weight, torch.tensor([0.7], dtype=torch.float64)) == pytest.approx(unified)


# Invariances -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_invariances(seed, size, shift):
    features, labels, weight, _ = draw(seed=seed % 7)
    rotation = torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))[0])
    moved = size * features @ rotation + shift
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    renamed = 3 - labels
    for metric in (nc1, fisher_ratio):
        expected = metric(features, labels)
        assert metric(moved, labels) == pytest.approx(expected, rel=1e-8)
        assert metric(features[order], labels[order]) == pytest.approx(expected, rel=1e-8)
        assert metric(features, renamed) == pytest.approx(expected, rel=1e-8)
    assert nc2(size * weight @ rotation) == pytest.approx(nc2(weight), rel=1e-8)
    assert nc3(moved, labels, size * weight @ rotation) == pytest.approx(nc3(features, labels, weight), rel=1e-8)


# Independence deficit --------------------------------------------------------------------------------------------


def test_principal_accuracies_against_projections():
    rng = np.random.default_rng(0)
    labels = torch.arange(5).repeat(8)
    logits = torch.from_numpy(rng.standard_normal((40, 5)) @ rng.standard_normal((5, 5))) + 2 * torch.eye(5)[labels]
    accuracies = principal_accuracies(logits, labels)
    z = logits.numpy()
    mean = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    for k in range(6):
        top = vectors[:, np.argsort(-values)[:k]]
        kept = mean + (z - mean) @ top @ top.T
        assert accuracies[k].item() == pytest.approx((kept.argmax(1) == labels.numpy()).mean())


def test_symmetric_logits_need_every_direction_but_one_and_dependent_ones_few():
    """One-hot logits: no direction is better than another, and the last carries nothing.  Logits on a circle: two."""
    labels = torch.arange(8).repeat(3)
    symmetric = principal_accuracies(5 * torch.eye(8)[labels], labels)
    assert symmetric[-2:].tolist() == [1, 1]
    assert dimensions_needed(symmetric, 0.99) >= 6
    angles = torch.arange(8) * math.pi / 4
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    dependent = principal_accuracies((circle @ circle.T)[labels], labels)
    assert dimensions_needed(dependent, 0.99) == 2


def test_the_last_accuracy_is_the_accuracy():
    logits, labels = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 6
    accuracies = principal_accuracies(logits, labels)
    assert accuracies.shape == (7,)
    assert accuracies[-1].item() == pytest.approx(samplewise_accuracy(logits, labels))


def test_dimensions_needed():
    curve = torch.tensor([0.1, 0.5, 0.4, 0.81, 0.9], dtype=torch.float64)
    assert [dimensions_needed(curve, share) for share in (0.1, 0.5, 0.9, 1.0)] == [0, 1, 3, 4]
    assert dimensions_needed(torch.tensor([0.72, 0.9], dtype=torch.float64), 0.8) == 0  # 0.8 * 0.9 rounds above 0.72


# Input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [nc1, fisher_ratio])
def test_what_is_refused(metric):
    features = torch.zeros(3, 2)
    for labels, error, message in (
        (torch.tensor([0, 1]), ValueError, r"features \(M, d\) and labels \(M,\)"),
        (torch.tensor([0, 0, 0]), ValueError, r"at least 2 classes, got the labels \[0\]"),
        (torch.tensor([0, 1, 1]).int(), TypeError, "torch.int64, got torch.int32"),
    ):
        with pytest.raises(error, match=message):
            metric(features, labels)
    with pytest.raises(ValueError, match="finite features"):
        metric(features / 0, torch.tensor([0, 1, 1]))


def test_what_the_classifier_metrics_refuse():
    features, labels, weight, bias = draw()
    with pytest.raises(ValueError, match=r"each of the 5 classes, got the labels \[0, 1, 2, 3\]"):
        nc3(features, labels, torch.ones(5, 6))
    with pytest.raises(ValueError, match="weight's 3 dimensions, got 6"):
        nc3(features, labels, weight[:, :3])
    with pytest.raises(ValueError, match="weight's 3 dimensions, got 6"):
        nc4(features, labels, weight[:, :3], bias)
    with pytest.raises(ValueError, match=r"bias of shape \(4,\) or \(1,\), got \(2,\)"):
        nc4(features, labels, weight, bias[:2])
    with pytest.raises(ValueError, match=r"weight \(K, d\)"):
        nc2(weight[:1])
    with pytest.raises(ValueError, match=r"share within \(0, 1\]"):
        dimensions_needed(torch.ones(3), 0.0)
    with pytest.raises(ValueError, match=r"accuracies \(N \+ 1,\)"):
        dimensions_needed(torch.ones(3, 1), 0.5)
