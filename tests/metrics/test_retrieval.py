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

from lossbook.metrics import ranking
from lossbook.metrics.retrieval import (
    map_at_r,
    mean_average_precision,
    mean_reciprocal_rank,
    precision_at_1,
    precision_at_k,
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


def everything(features, labels, **gallery) -> dict[str, float]:
    """All functions of the module, of k up to 3."""
    return {
        **retrieval_scores(features, labels, (1, 2, 3), **gallery),
        **{f"precision@{k}": value for k, value in precision_at_k(features, labels, (2, 3), **gallery).items()},
        "MAP": mean_average_precision(features, labels, **gallery),
        "MRR": mean_reciprocal_rank(features, labels, **gallery),
    }


def everything_longhand(features, labels, gallery=None, gallery_labels=None) -> dict[str, float]:
    points, classes = rows(features).tolist(), labels.tolist()
    other = {} if gallery is None else {"gallery": rows(gallery).tolist(), "gallery_labels": gallery_labels.tolist()}
    return {
        **{f"recall@{k}": longhand.recall_at(points, classes, k, **other) for k in (1, 2, 3)},
        **{f"precision@{k}": longhand.precision_at(points, classes, k, **other) for k in (2, 3)},
        "P@1": longhand.recall_at(points, classes, 1, **other),
        "R-precision": longhand.r_precision(points, classes, **other),
        "MAP@R": longhand.map_at_r(points, classes, **other),
        "MAP": longhand.mean_average_precision(points, classes, **other),
        "MRR": longhand.mean_reciprocal_rank(points, classes, **other),
    }


@given(tied_embeddings())
def test_all_functions_equal_the_mean_over_all_orders_of_equally_near_samples(drawn):
    assert everything(*drawn) == pytest.approx(everything_longhand(*drawn))


@given(tied_embeddings(), st.data())
def test_all_functions_equal_brute_force_with_a_gallery(drawn, data):
    features, labels = drawn
    size = data.draw(st.integers(1, len(labels) - 3))
    gallery = {"gallery": features[size:], "gallery_labels": labels[size:]}
    queries = features[:size], labels[:size]
    if not set(labels[:size].tolist()) & set(labels[size:].tolist()):
        with pytest.raises(ValueError, match="a query whose class is in the gallery"):
            everything(*queries, **gallery)
    else:
        assert everything(*queries, **gallery) == pytest.approx(everything_longhand(*queries, **gallery))


def test_a_gallery_of_other_samples_equals_brute_force(device):
    features, labels = clusters(device)
    queries, gallery = (features[:25], labels[:25]), {"gallery": features[25:], "gallery_labels": labels[25:]}
    assert everything(*queries, **gallery) == pytest.approx(everything_longhand(*queries, **gallery))


def test_the_whole_gallery_and_its_first_ranks_give_equal_numbers(monkeypatch):
    """All distances are one way, the search of near neighbours another; places that are taken once a third."""
    features, labels = clusters(samples=200)
    features[50:60] = features[0]
    expected = everything(features, labels)
    monkeypatch.setattr(ranking, "_places", lambda points: (points, torch.arange(len(points))))
    assert everything(features, labels) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(ranking, "_ELEMENTS", 700)
    assert everything(features, labels) == pytest.approx(expected, abs=1e-12)


def test_the_order_of_equally_near_samples_does_not_matter():
    """12 equal points, 4 of each class: the expectation is that of a random order."""
    labels = torch.arange(12) % 3
    scores = everything(torch.ones(12, 5), labels)
    assert scores["recall@1"] == scores["P@1"] == pytest.approx(3 / 11)
    assert scores["recall@2"] == pytest.approx(1 - 8 / 11 * 7 / 10)
    assert scores["R-precision"] == scores["precision@3"] == pytest.approx(3 / 11)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    assert everything(torch.ones(12, 5), labels[order]) == pytest.approx(scores)


def test_zeros_of_either_sign_are_one_place():
    features = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0], [5.0, 5.0]])
    assert precision_at_1(features, torch.tensor([0, 0, 1, 1])) == pytest.approx((1 / 2 + 1 / 2 + 0 + 1 / 3) / 4)


def test_equal_embeddings_take_no_more_products_than_others(monkeypatch):
    """The places are ranked, not the points: of 400 equal points there is one, and no distance is measured 400 times."""
    asked = []
    monkeypatch.setattr(ranking, "all_distances", lambda q, p: asked.append((len(q), len(p))) or torch.zeros(len(q), len(p)))
    recall_at_k(torch.ones(400, 3), torch.arange(400) % 4)
    assert all(places == 1 for _, places in asked)


def test_labels_may_be_any_integers():
    features, labels = clusters()
    expected = everything(features, labels)
    assert everything(features, labels * 10**12 - 7) == expected
    assert everything(features, labels.to(torch.int32)) == expected


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_a_gallery_equal_to_pytorch_metric_learning(distance):
    """Queries of a class that the gallery lacks are left out there too."""
    own = distances.CosineSimilarity() if distance == "cosine" else distances.LpDistance(normalize_embeddings=False)
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r", "mean_average_precision", "mean_reciprocal_rank")
    calculator = AccuracyCalculator(names, k=200, knn_func=CustomKNN(own))
    features, labels = clusters(samples=300, classes=12)
    labels[3] = 99
    queries, gallery = (features[:100], labels[:100]), {"gallery": features[100:], "gallery_labels": labels[100:]}
    expected = calculator.get_accuracy(*queries, *gallery.values(), ref_includes_query=False)
    functions = (precision_at_1, r_precision, map_at_r, mean_average_precision, mean_reciprocal_rank)
    values = {name: function(*queries, distance, **gallery) for name, function in zip(names, functions, strict=True)}
    assert values == pytest.approx(expected, abs=1e-5)


def test_equal_to_torchmetrics():
    import lossbook._torchvision  # noqa: F401  before torchmetrics, which imports torchvision

    # isort: split
    from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_precision, retrieval_reciprocal_rank

    features, labels = clusters(samples=80)
    far = torch.cdist(features.double(), features.double())
    per_query = []
    for i in range(80):
        others = torch.arange(80) != i
        near, match = 1 / far[i][others], (labels == labels[i])[others]  # it drops scores below 0
        peers = (retrieval_average_precision, retrieval_reciprocal_rank, lambda n, m: retrieval_precision(n, m, top_k=5))
        per_query.append([float(peer(near, match)) for peer in peers])
    expected = torch.tensor(per_query, dtype=torch.float64).mean(0).tolist()
    found = [mean_average_precision(features, labels), mean_reciprocal_rank(features, labels)]
    assert [*found, precision_at_k(features, labels, (5,))[5]] == pytest.approx(expected, abs=1e-6)


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
    "an array": (GOOD[0].numpy(), GOOD[1], TypeError, "expected features as a tensor, got ndarray"),
    "a list of labels": (GOOD[0], [0, 0, 1, 1], TypeError, "expected labels as a tensor, got list"),
    "labels elsewhere": (
        GOOD[0],
        GOOD[1].to("meta"),
        ValueError,
        "all tensors on one device, got features on cpu, labels on meta",
    ),
    "all alone": (GOOD[0], torch.arange(4), ValueError, "a class with at least two samples"),
}


@pytest.mark.parametrize(("features", "labels", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(features, labels, error, message):
    with pytest.raises(error, match=message):
        map_at_r(features, labels)


def test_bad_arguments():
    for ks in ((0,), (), (1.5,), ("max",), (True,), 5, "8"):
        for function in (recall_at_k, precision_at_k, retrieval_scores):
            with pytest.raises(ValueError, match="one or more k >= 1, whole numbers"):
                function(*GOOD, ks)
    with pytest.raises(ValueError, match=r"k within 1\.\.3, one less than the samples, got 4"):
        recall_at_k(*GOOD, (4,))
    with pytest.raises(ValueError, match="'euclidean' or 'cosine', got 'dot'"):
        map_at_r(*GOOD, "dot")


def test_bad_galleries():
    labels = torch.tensor([0, 1, 1])
    for gallery, message in (
        ({"gallery": torch.zeros(3, 2)}, "gallery and gallery_labels together"),
        ({"gallery_labels": labels}, "gallery and gallery_labels together"),
        ({"gallery": torch.zeros(3, 5), "gallery_labels": labels}, r"a gallery \(G, 2\) on cpu.*got \(3, 5\)"),
        ({"gallery": torch.zeros(0, 2), "gallery_labels": labels[:0]}, "M >= 1"),
        ({"gallery": torch.zeros(9, 2), "gallery_labels": torch.full((9,), 7)}, "a query whose class is in the gallery"),
        ({"gallery": torch.zeros(1, 2), "gallery_labels": labels[:1]}, r"k within 1\.\.1, the size of the gallery, got 8"),
    ):
        with pytest.raises(ValueError, match=message):
            recall_at_k(*GOOD, **gallery)
