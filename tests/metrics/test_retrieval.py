"""Retrieval metrics against brute force and pytorch-metric-learning: ties, lone classes, invariances."""

import math

import pytest
import reference_retrieval as longhand
import torch
from arrays import rows
from embeddings import clusters, tied_embeddings
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning import distances
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from lossbook.metrics import (
    map_at_r,
    precision_at_1,
    r_precision,
    recall_at_k,
    retrieval_scores,
)

APART = {"euclidean": longhand.distance, "cosine": longhand.cosine_distance}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def brute_force(features, labels, ks, apart) -> dict[str, float]:
    points, classes = rows(features).tolist(), labels.tolist()
    values = {f"recall@{k}": longhand.recall_at(points, classes, k, apart) for k in ks}
    values["P@1"] = longhand.recall_at(points, classes, 1, apart)
    return values | {
        "R-precision": longhand.r_precision(points, classes, apart),
        "MAP@R": longhand.map_at_r(points, classes, apart),
    }


# Against brute force ---------------------------------------------------------------------------------------------


@given(tied_embeddings())
def test_equal_to_brute_force_with_many_ties(drawn):
    features, labels = drawn
    assert retrieval_scores(features, labels, (1, 2, 3)) == pytest.approx(
        brute_force(features, labels, (1, 2, 3), longhand.distance)
    )


@pytest.mark.parametrize("distance", APART)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_equal_to_brute_force(distance, dtype, device):
    features, labels = clusters(device, dtype=dtype)
    expected = brute_force(features, labels, (1, 2, 4, 8), APART[distance])
    assert retrieval_scores(features, labels, distance=distance) == pytest.approx(expected)
    assert 0.2 < expected["MAP@R"] < expected["R-precision"] < expected["recall@1"] < expected["recall@2"] < 1


@pytest.mark.parametrize("distance", APART)
def test_every_function_alone_gives_the_number_of_the_one_pass(distance):
    features, labels = clusters()
    scores = retrieval_scores(features, labels, (1, 3), distance)
    assert recall_at_k(features, labels, (1, 3), distance) == {1: scores["recall@1"], 3: scores["recall@3"]}
    assert precision_at_1(features, labels, distance) == scores["P@1"] == scores["recall@1"]
    assert r_precision(features, labels, distance) == scores["R-precision"]
    assert map_at_r(features, labels, distance) == scores["MAP@R"]


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_equal_to_pytorch_metric_learning(distance):
    """Its AccuracyCalculator on the same neighbours' definition; a lone class is left out there too."""
    own = distances.CosineSimilarity() if distance == "cosine" else distances.LpDistance(normalize_embeddings=False)
    metrics = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    calculator = AccuracyCalculator(metrics, k="max_bin_count", knn_func=CustomKNN(own))
    features, labels = clusters(samples=300, classes=12)
    labels[-1] = 99
    expected = calculator.get_accuracy(features, labels)
    scores = retrieval_scores(features, labels, distance=distance)
    values = dict(zip(metrics, (scores["P@1"], scores["R-precision"], scores["MAP@R"]), strict=True))
    assert values == pytest.approx(expected, abs=1e-5)


# Lone classes, labels, invariances -------------------------------------------------------------------------------


def test_a_class_with_one_sample_is_found_but_never_asks():
    features = torch.tensor([[0.0], [1.0], [1.1], [5.0]])
    labels = torch.tensor([0, 0, 7, 3])
    assert retrieval_scores(features, labels, (1, 2)) == {
        "recall@1": 0.5,  # of two queries: the second one's nearest neighbour is the lone sample
        "recall@2": 1.0,
        "P@1": 0.5,
        "R-precision": 0.5,
        "MAP@R": 0.5,
    }


@given(tied_embeddings(), st.randoms(use_true_random=False))
def test_names_of_classes_do_not_matter(drawn, random):
    features, labels = drawn
    names = torch.tensor(random.sample(range(-50, 50), 5))
    assert retrieval_scores(features, names[labels], (1, 2)) == retrieval_scores(features, labels, (1, 2))


def test_order_rotation_shift_and_scale_do_not_matter():
    features, labels = clusters(dtype=torch.float64)
    before = retrieval_scores(features, labels)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))).Q
    assert retrieval_scores(3 * features[order] @ turn + 5, labels[order]) == pytest.approx(before)


def test_cosine_ignores_lengths_and_equals_euclidean_on_the_sphere():
    features, labels = clusters(dtype=torch.float64)
    cosine = retrieval_scores(features, labels, distance="cosine")
    lengths = torch.rand(60, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    assert retrieval_scores(lengths * features, labels, distance="cosine") == pytest.approx(cosine)
    assert retrieval_scores(torch.nn.functional.normalize(features), labels) == pytest.approx(cosine)
    assert cosine != retrieval_scores(features, labels)


@given(tied_embeddings())
def test_inequalities(drawn):
    scores = retrieval_scores(*drawn, (1, 2, 3))
    assert 0 <= scores["MAP@R"] <= scores["R-precision"] <= 1
    assert 0 <= scores["recall@1"] <= scores["recall@2"] <= scores["recall@3"] <= 1


def test_perfect_and_hopeless():
    labels = torch.arange(12) // 4
    apart = 10 * labels.unsqueeze(1) + torch.rand(12, 1, generator=torch.Generator().manual_seed(0))
    assert set(retrieval_scores(apart, labels).values()) == {1.0}
    pairs = torch.tensor([[0.0], [0.1], [100.0], [100.1]])
    assert set(retrieval_scores(pairs, torch.tensor([0, 1, 0, 1]), (1,)).values()) == {0.0}


# Input -----------------------------------------------------------------------------------------------------------

GOOD = torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])
BAD_INPUT = {
    "1-D": (torch.zeros(4), GOOD[1], ValueError, r"shape \(M, d\).*got \(4,\)"),
    "one sample": (torch.zeros(1, 2), torch.tensor([0]), ValueError, "M >= 2"),
    "integers": (torch.zeros(4, 2).long(), GOOD[1], TypeError, "floating-point features"),
    "labels too few": (GOOD[0], torch.tensor([0, 0]), ValueError, r"labels of shape \(4,\).*got \(2,\)"),
    "labels floating": (GOOD[0], torch.zeros(4), TypeError, "integer labels"),
    "NaN": (torch.full((4, 2), math.nan), GOOD[1], ValueError, "did the training diverge"),
    "all alone": (GOOD[0], torch.arange(4), ValueError, "a class with at least two samples"),
}


@pytest.mark.parametrize(("features", "labels", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(features, labels, error, message):
    with pytest.raises(error, match=message):
        map_at_r(features, labels)


def test_bad_arguments():
    for ks in ((0,), ()):
        with pytest.raises(ValueError, match="one or more k >= 1"):
            recall_at_k(*GOOD, ks)
    with pytest.raises(ValueError, match=r"k within 1\.\.3, one less than the samples, got 4"):
        recall_at_k(*GOOD, (4,))
    with pytest.raises(ValueError, match="'euclidean' or 'cosine', got 'dot'"):
        map_at_r(*GOOD, "dot")
