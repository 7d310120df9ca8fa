"""Diversity, within-class share, effective rank and purity against brute force."""

import math

import pytest
import reference_diversity as ref
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def draw(n=30, d=4, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64), torch.arange(n) % classes


def blobs(spread=0.1):
    """Two classes of two sub-classes each, far apart: (features, labels, fine)."""
    generator = torch.Generator().manual_seed(0)
    fine = torch.arange(80) % 4
    places = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    return places[fine] + spread * torch.randn(80, 2, generator=generator), fine // 2, fine


def rotation(d, seed=1):
    return torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0]


# Against brute force -----------------------------------------------------------------------------------------------


@given(st.integers(2, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_equal_to_brute_force(n, d, classes, seed):
    features, labels = draw(n, d, classes, seed)
    if n > classes:
        expected = ref.intra_class_diversity(features.tolist(), labels.tolist())
        assert intra_class_diversity(features, labels) == pytest.approx(expected, abs=1e-9)
    assert within_class_share(features, labels) == pytest.approx(ref.within_class_share(features.tolist(), labels.tolist()))


@given(st.integers(0, 99))
def test_invariances(seed):
    features, labels = draw(seed=seed)
    turned, order = features @ rotation(4), torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    for metric in (intra_class_diversity, within_class_share, lambda x, _: effective_rank(x)):
        value = metric(features, labels)
        assert metric(turned, labels) == pytest.approx(value)
        assert metric(7 * features, labels) == pytest.approx(value)
        assert metric(features[order], labels[order]) == pytest.approx(value)
    scales = torch.rand(30, 1, dtype=torch.float64) + 0.1
    assert intra_class_diversity(scales * features, labels) == pytest.approx(intra_class_diversity(features, labels))
    assert within_class_share(features + 5, labels) == pytest.approx(within_class_share(features, labels))
    assert effective_rank(features + 5) == pytest.approx(effective_rank(features))


@given(st.integers(0, 99), st.integers(2, 20), st.integers(1, 8))
def test_ranges(seed, n, d):
    features, labels = draw(n, d, 2, seed)
    assert 0 <= within_class_share(features, labels) <= 1
    assert 1 - 1e-9 <= effective_rank(features) <= min(n - 1, d) + 1e-9
    if n > 2:
        assert 0 <= intra_class_diversity(features, labels) <= 2 + 1e-9


# Known values ------------------------------------------------------------------------------------------------------


def test_collapsed_classes():
    means, labels = draw(3)[0], torch.arange(30) % 3
    features = means[labels]
    assert intra_class_diversity(features, labels) == pytest.approx(0, abs=1e-12)
    assert within_class_share(features, labels) == pytest.approx(0, abs=1e-12)
    assert effective_rank(features) == pytest.approx(effective_rank(means))


def test_one_sample_a_class_and_equal_features():
    features = torch.eye(3)
    assert math.isnan(intra_class_diversity(features, torch.arange(3)))
    assert math.isnan(within_class_share(torch.ones(4, 2), torch.zeros(4).long()))
    assert math.isnan(effective_rank(torch.ones(4, 2)))


def test_a_class_of_one_sample_is_left_out():
    features, labels = draw(9, 4, 3)
    more = torch.cat([features, torch.ones(1, 4)]), torch.cat([labels, torch.tensor([7])])
    assert intra_class_diversity(*more) == pytest.approx(intra_class_diversity(features, labels))


def test_a_zero_feature_has_cosine_zero():
    features = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert intra_class_diversity(features, torch.zeros(2).long()) == 1


def test_effective_rank_of_known_spectra():
    assert effective_rank(torch.tensor([[0.0, 1.0], [0.0, 3.0]])) == pytest.approx(1)
    axes = torch.cat([torch.eye(5), -torch.eye(5)])
    assert effective_rank(axes) == pytest.approx(5)
    shares = torch.tensor([0.5, 0.25, 0.25])
    spectrum = torch.cat([torch.diag(shares), -torch.diag(shares)])
    assert effective_rank(spectrum) == pytest.approx(2**1.5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype, device):
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [-4.0, 0.0]], device=device, dtype=dtype)
    labels = torch.tensor([0, 0, 1, 1], device=device)
    assert intra_class_diversity(features, labels) == pytest.approx(0.5)
    assert within_class_share(features, labels) == pytest.approx(ref.within_class_share(features.tolist(), labels.tolist()))
    assert subcluster_purity(features, labels, torch.arange(4, device=device)) == 1


# Purity ------------------------------------------------------------------------------------------------------------


def test_separated_sub_classes_are_pure(device):
    features, labels, fine = (tensor.to(device) for tensor in blobs())
    assert subcluster_purity(features, labels, fine) == 1
    assert subcluster_purity(features, labels, fine) == subcluster_purity(features, labels, fine)


def test_mixed_sub_classes_have_chance_purity():
    _, labels, fine = blobs()
    noise = torch.randn(80, 2, generator=torch.Generator().manual_seed(3))
    assert 0.5 <= subcluster_purity(noise, labels, fine) < 0.7
    assert subcluster_purity(torch.ones(80, 2), labels, fine) == 0.5


def test_purity_counts_the_majority():
    """Two clusters at 0 and 10: the first has two of sub-class 0 and one of 1, the second three of 1."""
    features = torch.tensor([[0.0], [0.1], [0.2], [10.0], [10.1], [10.2]])
    fine = torch.tensor([0, 0, 1, 1, 1, 1])
    assert subcluster_purity(features, torch.zeros(6).long(), fine) == pytest.approx(5 / 6)


def test_a_class_without_sub_classes_is_pure():
    features, labels, _ = blobs()
    assert subcluster_purity(features, labels, labels) == 1


def test_purity_is_the_mean_over_samples_of_the_classes_purities():
    features, labels, fine = blobs(spread=4.0)
    parts = [subcluster_purity(features[labels == c], labels[labels == c], fine[labels == c]) for c in (0, 1)]
    assert subcluster_purity(features, labels, fine) == pytest.approx(sum(parts) / 2)
    assert max(parts) < 1


# Input -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [intra_class_diversity, within_class_share, lambda x, y: subcluster_purity(x, y, y)])
def test_bad_input(metric):
    features, labels = draw()
    with pytest.raises(ValueError, match=r"features of shape \(n, d\) with n >= 2, got \(30,\)"):
        metric(features[:, 0], labels)
    with pytest.raises(ValueError, match="expected 30 labels"):
        metric(features, labels[:-1])
    with pytest.raises(ValueError, match=r"torch\.int64"):
        metric(features, labels.int())
    with pytest.raises(TypeError, match="floating-point features"):
        metric(features.long(), labels)
    with pytest.raises(ValueError, match="finite features"):
        metric(features.where(features > 0, torch.nan), labels)


def test_a_fine_label_lies_within_one_class():
    features, labels = draw()
    with pytest.raises(ValueError, match="every fine label within one class"):
        subcluster_purity(features, labels, torch.zeros(30).long())
