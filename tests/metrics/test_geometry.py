"""Compactness and separability: brute force over every pair, invariances, collapsed and degenerate features."""

import math

import numpy as np
import pytest
import reference_geometry as ref
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import classifier_separability, compactness, feature_separability, geometry, separability_matrix

CENTERS = ["class", "global"]


def draw(n: int = 40, width: int = 6, classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes around their own means, so that every class differs."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    means = 2 * torch.randn(classes, width, generator=generator, dtype=torch.float64)
    return means[labels] + torch.randn(n, width, generator=generator, dtype=torch.float64), labels


def simplex(classes: int, width: int = 8) -> torch.Tensor:
    """A simplex ETF in a random rotation: unit vectors with cosines -1 / (K - 1)."""
    basis = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    return F.normalize(centred, dim=1) @ basis[:classes]


@st.composite
def data(draw_from):
    """Whole coordinates, so that zero vectors, equal samples and empty classes occur."""
    classes = draw_from(st.integers(2, 4))
    n = draw_from(st.integers(1, 9))
    labels = draw_from(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    coordinates = st.lists(st.integers(-2, 2).map(float), min_size=3, max_size=3)
    rows = draw_from(st.lists(coordinates, min_size=n, max_size=n))
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(labels), classes


def assert_close(found: torch.Tensor, expected: list[float]) -> None:
    np.testing.assert_allclose(found.cpu().numpy(), np.array(expected), atol=1e-9)


# Against every pair -----------------------------------------------------------------------------------------------


@given(data())
def test_compactness_is_the_mean_over_all_pairs(drawn):
    features, labels, classes = drawn
    assert_close(compactness(features, labels, classes), ref.compactness(features.tolist(), labels.tolist(), classes))


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("seed", range(5))
def test_feature_separability_is_the_mean_over_all_pairs(center, seed, device):
    features, labels = draw(seed=seed)
    expected = ref.feature_separability(features.tolist(), labels.tolist(), 5, center)
    assert_close(feature_separability(features.to(device), labels.to(device), center=center), expected)


@pytest.mark.parametrize("center", CENTERS)
def test_an_empty_class_is_left_out(center):
    features, labels = draw()
    labels = labels + 2 * (labels > 2).long()  # classes 3 and 4 become 5 and 6
    expected = ref.feature_separability(features.tolist(), labels.tolist(), 9, center)
    found = feature_separability(features, labels, 9, center=center)
    assert found.isnan().tolist() == [k not in (0, 1, 2, 5, 6) for k in range(9)]
    assert_close(found, expected)


def test_without_a_number_only_classes_that_occur_count():
    features, labels = draw(seed=1)
    for measure in (compactness, feature_separability, lambda x, y: feature_separability(x, y, center="global")):
        torch.testing.assert_close(measure(features, labels * 10**12 + 3), measure(features, labels))


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_classifier_measures(classes, device):
    weight = draw(classes, 6)[0] + 5  # a common offset is taken off
    assert_close(classifier_separability(weight.to(device)), ref.classifier_separability(weight.tolist()))
    np.testing.assert_allclose(
        separability_matrix(weight.to(device)).cpu().numpy(), ref.separability_matrix(weight.tolist()), atol=1e-12
    )


def test_the_rows_of_the_matrix_average_to_the_separability():
    weight = draw(7, 6)[0]
    matrix = separability_matrix(weight).fill_diagonal_(0)
    torch.testing.assert_close(100 * matrix.sum(1) / 6, classifier_separability(weight))


# Collapse ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 4, 8])
def test_a_collapsed_simplex_has_the_values_of_neural_collapse(classes):
    """App. B: 100 % compactness, and 50 K / (K - 1) % separability of features and classifier vectors."""
    centres = simplex(classes)
    labels = torch.arange(classes).repeat_interleave(3)
    lengths = torch.arange(1.0, len(labels) + 1, dtype=torch.float64)[:, None]
    torch.testing.assert_close(compactness(lengths * centres[labels], labels), torch.full((classes,), 100.0).double())
    expected = torch.full((classes,), 50 * classes / (classes - 1), dtype=torch.float64)
    torch.testing.assert_close(classifier_separability(centres), expected)
    torch.testing.assert_close(feature_separability(centres[labels], labels, center="global"), expected)


def test_eq_13_prints_50_505_for_100_classes():
    """The paper's "500 / 99" is 5000 / 99."""
    assert classifier_separability(simplex(100, 128)).mean().item() == pytest.approx(5000 / 99)


@pytest.mark.parametrize("distance", [0.1, 1.0, 1000.0])
def test_eq_15_as_printed_cannot_tell_near_from_far_classes(distance):
    """A sample's offset from its own class mean says nothing about where the other classes are: symmetric clouds give
    50 % at every distance, while global centring separates them."""
    offsets = torch.randn(10, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    clouds = torch.cat([offsets, -offsets])
    features = torch.cat([clouds + distance * centre for centre in simplex(3, 6)])
    labels = torch.arange(3).repeat_interleave(20)
    torch.testing.assert_close(feature_separability(features, labels), torch.full((3,), 50.0).double())
    separated = feature_separability(features, labels, center="global").mean().item()
    assert (separated > 74) == (distance == 1000.0)


def test_a_collapsed_class_has_no_direction_of_its_own():
    """Its samples are their mean: the centred features are 0 and their cosines count 0."""
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    assert feature_separability(features, torch.tensor([0, 0, 1, 1]))[0] == 50


# Properties -------------------------------------------------------------------------------------------------------


@given(data(), st.sampled_from(CENTERS))
def test_range(drawn, center):
    features, labels, classes = drawn
    for values in (compactness(features, labels, classes), feature_separability(features, labels, classes, center)):
        values = values[~values.isnan()]
        assert ((values >= -1e-9) & (values <= 100 + 1e-9)).all()


@given(st.floats(1e-3, 1e3), st.integers(0, 3))
def test_scale_and_order_do_not_matter(factor, seed):
    features, labels = draw(seed=seed)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    measures = (compactness, feature_separability, lambda x, y: feature_separability(x, y, center="global"))
    for measure in measures:
        torch.testing.assert_close(measure(factor * features[order], labels[order]), measure(features, labels))
    torch.testing.assert_close(classifier_separability(factor * features), classifier_separability(features))


def test_a_shift_of_everything_matters_to_the_printed_form_only():
    features, labels = draw()
    shift = torch.linspace(1, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(
        feature_separability(features + shift, labels, center="global"), feature_separability(features, labels, center="global")
    )
    assert not torch.allclose(feature_separability(features + shift, labels), feature_separability(features, labels))
    torch.testing.assert_close(classifier_separability(features + shift), classifier_separability(features))


@given(st.integers(2, 9), st.integers(0, 50))
def test_the_separability_of_all_classifier_vectors_cannot_beat_the_simplex(classes, seed):
    weight = draw(classes, 4, seed=seed)[0]
    assert classifier_separability(weight).mean() <= 50 * classes / (classes - 1) + 1e-9


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_narrow_features_are_summed_in_float64(dtype):
    features, labels = (100 * draw()[0]).to(dtype), draw()[1]
    for measure in (compactness, feature_separability):
        assert torch.equal(measure(features, labels), measure(features.double(), labels))
    assert torch.equal(classifier_separability(features), classifier_separability(features.double()))


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_chunks_do_not_change_the_result(rows, monkeypatch):
    features, labels = draw()
    expected = [compactness(features, labels), feature_separability(features, labels)]
    monkeypatch.setattr(geometry, "_CHUNK_ROWS", rows)
    for found, one in zip([compactness(features, labels), feature_separability(features, labels)], expected, strict=True):
        torch.testing.assert_close(found, one)


def test_no_matrix_of_all_pairs_is_made():
    """60,000 samples: their matrix would take 28 GB."""
    features, labels = torch.ones(60_000, 4), torch.arange(60_000) % 10
    assert compactness(features, labels).tolist() == pytest.approx([100.0] * 10)


# Input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [compactness, feature_separability])
def test_what_is_refused(measure):
    features, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    with pytest.raises(ValueError, match=r"floating-point features \(n, d\), got torch\.float32 of shape \(4,\)"):
        measure(features[:, 0], labels)
    with pytest.raises(ValueError, match=r"floating-point features \(n, d\), got torch\.int64"):
        measure(features.long(), labels)
    with pytest.raises(ValueError, match=r"int64 labels of shape \(4,\)"):
        measure(features, labels[:3])
    with pytest.raises(ValueError, match=r"labels within 0\.\.1, got 0 to 2"):
        measure(features, labels, 2)
    with pytest.raises(ValueError, match=r"labels within 0\.\., got -1 to 1"):
        measure(features, labels - 1)
    features[0, 0] = math.nan
    with pytest.raises(ValueError, match="finite features; did the training diverge"):
        measure(features, labels)


def test_wrong_center_and_wrong_weight():
    with pytest.raises(ValueError, match="'class' or 'global', got 'median'"):
        feature_separability(*draw(), center="median")
    for weight in (torch.ones(1, 3), torch.ones(3), torch.ones(3, 3).long()):
        with pytest.raises(ValueError, match=r"classifier vectors \(K, d\), K >= 2"):
            classifier_separability(weight)


def test_one_class_alone_has_no_separability():
    assert feature_separability(torch.randn(3, 2), torch.zeros(3).long(), 4).isnan().all()
