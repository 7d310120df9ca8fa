"""Retrieval metrics against brute force and pytorch-metric-learning: ties, chunks, lone classes, invariances, clustering."""

import math

import pytest
import reference_retrieval as longhand
import torch
from arrays import rows
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning import distances
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from lossbook.metrics import (
    avg_dtp,
    map_at_r,
    nearest_neighbours,
    nmi,
    precision_at_1,
    r_precision,
    recall_at_k,
    retrieval,
    retrieval_scores,
)

APART = {"euclidean": longhand.distance, "cosine": longhand.cosine_distance}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@st.composite
def data(draw):
    """Features on a coarse grid, so that many distances are equal, and labels with at least one pair."""
    m, d = draw(st.integers(4, 12)), draw(st.integers(1, 3))
    features = draw(st.lists(st.lists(st.integers(-2, 2).map(float), min_size=d, max_size=d), min_size=m, max_size=m))
    labels = draw(st.lists(st.integers(0, 4), min_size=m - 1, max_size=m - 1))
    return torch.tensor(features), torch.tensor([*labels, labels[0]])


def clusters(device="cpu", samples=60, classes=6, noise=1.0, dtype=torch.float32):
    """Overlapping clusters of unequal sizes around random centres."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % classes
    labels[: samples // 4] = 0
    features = 2 * torch.randn(classes, 8, generator=generator)[labels]
    features += 2 * noise * torch.randn(samples, 8, generator=generator)
    return features.to(device, dtype), labels.to(device)


def brute_force(features, labels, ks, apart) -> dict[str, float]:
    points, classes = rows(features).tolist(), labels.tolist()
    values = {f"recall@{k}": longhand.recall_at(points, classes, k, apart) for k in ks}
    values["P@1"] = longhand.recall_at(points, classes, 1, apart)
    return values | {
        "R-precision": longhand.r_precision(points, classes, apart),
        "MAP@R": longhand.map_at_r(points, classes, apart),
    }


# Against brute force ---------------------------------------------------------------------------------------------


@given(data())
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


# Neighbours ------------------------------------------------------------------------------------------------------


@given(data(), st.integers(1, 3))
def test_neighbours_are_ranked_as_longhand_and_ties_keep_the_order_of_the_samples(drawn, k):
    features, _ = drawn
    expected = [longhand.ranking(features.tolist(), i)[:k] for i in range(len(features))]
    assert nearest_neighbours(features, k).tolist() == expected


@pytest.mark.parametrize("distance", APART)
def test_chunk_sizes_give_equal_results(distance, monkeypatch, device):
    features, labels = clusters(device)
    features[10:20] = features[0]  # ties of real-valued points too
    whole, neighbours = retrieval_scores(features, labels, distance=distance), nearest_neighbours(features, 59, distance)
    for elements in (1, 60 * 7, 60 * 59):
        monkeypatch.setattr(retrieval, "_CHUNK_ELEMENTS", elements)
        assert retrieval_scores(features, labels, distance=distance) == whole
        assert torch.equal(nearest_neighbours(features, 59, distance), neighbours)


def hard_to_tell(kind):
    """300 points whose distances a float32 product confuses, more or less."""
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return {
        "apart": x,
        "close": 3 + 1e-9 * x,
        "twins": x[torch.arange(300) // 2] + 1e-10 * x,
        "equal": x[torch.arange(300) // 30],
        "grid": x.round(),
        "outlier": torch.cat([x[1:], 1e12 * x[:1]]),
        "crowd": torch.cat([x[:100], 1 + 1e-8 * x[100:]]),
        "flat": torch.zeros_like(x),
    }[kind]


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("kind", ["apart", "close", "twins", "equal", "grid", "outlier", "crowd", "flat"])
def test_neighbours_that_a_product_cannot_tell_apart(kind, precision, device):
    points = hard_to_tell(kind).to(device)
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        for k in (1, 8, 40):
            found = nearest_neighbours(points, k)
            torch.testing.assert_close(distances.gather(1, found), distances.sort(dim=1).values[:, :k], rtol=1e-12, atol=0)
            if kind != "crowd":  # whose distances are rounding
                assert torch.equal(found, distances.sort(dim=1, stable=True).indices[:, :k])
    finally:
        torch.set_float32_matmul_precision(before)


def brute_neighbours(points, k):
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    return distances.sort(dim=1, stable=True).indices[:, :k]


def wide(samples=500, dimensions=130):
    """Clusters in many dimensions, duplicates among them, and a few points far out."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10, dimensions, generator=generator, dtype=torch.float64)[torch.arange(samples) % 10]
    x += torch.randn(samples, dimensions, generator=generator, dtype=torch.float64)
    x[100:120] = x[0]
    x[-3:] *= 5
    return x


@pytest.mark.parametrize("capability", ["AVX512", "AVX2"])
@pytest.mark.parametrize("k", [1, 8, 60, 250, 498, 499])
def test_neighbours_with_and_without_a_coarse_product(k, capability, device, monkeypatch):
    """Groups of one and of many columns, a last chunk of its own size, and the machines without fast bfloat16."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(retrieval, "_CHUNK_ROWS", 151)
    points = wide().to(device)
    assert torch.equal(nearest_neighbours(points, k), brute_neighbours(points, k))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", ["wide", "coherent", "one number", "equal"])
def test_rounding_stays_within_its_bound(kind, dtype, device):
    """Coherent: all coordinates of a point are equal, so that their rounding errors add up."""
    x = {"wide": wide(), "coherent": wide()[:, :1].expand(-1, 130), "one number": wide()[:, :1], "equal": wide()[:1]}[kind]
    x = x.expand(500, -1)
    unit = (x / x.norm(dim=1).amax()).to(device)
    half = unit.square().sum(1) / 2
    precise = torch.promote_types(dtype, torch.float32)
    screen = retrieval._Screen(unit.to(precise), half.to(precise), 8, dtype, rows=500)
    found = screen.products(torch.arange(500, device=device))[:, :500].double()
    assert bool((found < 0).all())  # so that their bits are in order
    constant = screen.own.to(dtype).double().unsqueeze(1)
    last = found.abs() * (torch.finfo(dtype).eps / 2)  # of the product as a whole
    assert bool(((found - (unit @ unit.T - half - constant)).abs() <= screen.error.unsqueeze(1) + last).all())


def test_what_a_coarse_product_leaves_undecided_a_finer_one_decides(device):
    """Collapsed classes: bfloat16 sees equal points in a class, float32 does not."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 16, generator=generator, dtype=torch.float64)[torch.arange(400) % 4]
    x += 0.03 * torch.randn(400, 16, generator=generator, dtype=torch.float64)
    x = x.to(device)
    search = retrieval._Search(x, 2)
    query = torch.arange(400, device=device)
    for dtype, decides in ((torch.bfloat16, False), (torch.float32, True)):
        *_, decided = retrieval._Screen(search.unit, search.half, 2, dtype, rows=400).candidates(query)
        assert bool((decided == decides).all())
    assert torch.equal(nearest_neighbours(x, 2), brute_neighbours(x, 2))


def test_a_query_never_finds_itself_but_its_duplicate():
    features = torch.zeros(5, 3)
    neighbours = nearest_neighbours(features, 4)
    assert neighbours.tolist() == [[j for j in range(5) if j != i] for i in range(5)]


def test_small_gaps_far_from_the_origin_are_ranked_right():
    """Through |x|^2 - 2 x.y + |y|^2 in float32 all of these distances would be noise."""
    features = 1e4 + torch.tensor([[0.0], [1.0], [3.0], [7.0], [15.0]]) / 512
    assert nearest_neighbours(features, 4).tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [1, 0, 3, 4], [2, 1, 0, 4], [3, 2, 1, 0]]


def test_a_zero_feature_has_cosine_zero():
    features = torch.tensor([[0.0, 0.0], [1.0, 0.1], [-1.0, 0.1], [0.0, 0.0]])
    # To the first: the other zero vector, then both directions at cosine 0; to the second: zero before the opposite one.
    assert nearest_neighbours(features, 3, "cosine").tolist() == [[3, 1, 2], [0, 3, 2], [0, 3, 1], [0, 1, 2]]


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


@given(data(), st.randoms(use_true_random=False))
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


@given(data())
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


# Clustering ------------------------------------------------------------------------------------------------------


def test_nmi_of_separated_clusters_is_one_and_of_noise_nearly_zero():
    features, labels = clusters(noise=0.01)
    assert nmi(features, labels) == pytest.approx((1, 1))
    assert nmi(features, labels, distance="cosine") == pytest.approx((1, 1))
    noise = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(400) % 40
    chance = nmi(noise, labels)
    assert chance.nmi > 0.3  # ten samples a class: far above zero by chance
    assert abs(chance.ami) < 0.05


def test_nmi_is_over_the_geometric_mean():
    """Three distinct points and three classes: k-means finds the points, whatever its start."""
    points = [0, 0, 0, 0, 0, 5, 5, 9]
    labels = [0, 0, 0, 1, 1, 1, 2, 2]
    value = nmi(torch.tensor(points).unsqueeze(1).float(), torch.tensor(labels)).nmi
    assert value == pytest.approx(longhand.nmi(labels, points))


def test_nmi_repeats_itself():
    features, labels = clusters()
    assert nmi(features, labels) == nmi(features, labels)


# AvgDTP ----------------------------------------------------------------------------------------------------------


def test_avg_dtp(device):
    features, labels = clusters(device)
    proxies = torch.randn(6, 8, generator=torch.Generator().manual_seed(3)).to(device)
    pairs = zip(rows(features), labels.tolist(), strict=True)
    expected = sum(longhand.distance(x, rows(proxies)[y]) for x, y in pairs) / 60
    assert avg_dtp(features, labels, proxies) == pytest.approx(expected)
    assert avg_dtp(proxies, torch.arange(6, device=device), proxies) == 0


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
    with pytest.raises(ValueError, match=r"k within 1\.\.3, got 0"):
        nearest_neighbours(GOOD[0], 0)
    with pytest.raises(ValueError, match="'euclidean' or 'cosine', got 'dot'"):
        map_at_r(*GOOD, "dot")
    with pytest.raises(ValueError, match=r"proxies \(N, d\), got \(4, 2\), \(4,\), \(3, 5\)"):
        avg_dtp(*GOOD, torch.zeros(3, 5))
