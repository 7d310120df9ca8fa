"""Nearest neighbours against brute force: ties, chunks, coarse and precise products, points that rounding confuses."""

import pytest
import reference_retrieval as longhand
import torch
from embeddings import clusters, tied_embeddings
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import nearest_neighbours, neighbours, retrieval_scores


@given(tied_embeddings(), st.integers(1, 3))
def test_neighbours_are_ranked_as_longhand_and_ties_keep_the_order_of_the_samples(drawn, k):
    features, _ = drawn
    expected = [longhand.ranking(features.tolist(), i)[:k] for i in range(len(features))]
    assert nearest_neighbours(features, k).tolist() == expected


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_chunk_sizes_give_equal_results(distance, monkeypatch, device):
    features, labels = clusters(device)
    features[10:20] = features[0]  # ties of real-valued points too
    scores, nearest = retrieval_scores(features, labels, distance=distance), nearest_neighbours(features, 59, distance)
    for elements in (1, 60 * 7, 60 * 59):
        monkeypatch.setattr(neighbours, "_CHUNK_ELEMENTS", elements)
        assert retrieval_scores(features, labels, distance=distance) == scores
        assert torch.equal(nearest_neighbours(features, 59, distance), nearest)


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
    monkeypatch.setattr(neighbours, "_CHUNK_ROWS", 151)
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
    screen = neighbours._Screen(unit.to(precise), half.to(precise), 8, dtype, rows=500)
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
    search = neighbours._Search(x, 2)
    query = torch.arange(400, device=device)
    for dtype, decides in ((torch.bfloat16, False), (torch.float32, True)):
        *_, decided = neighbours._Screen(search.unit, search.half, 2, dtype, rows=400).candidates(query)
        assert bool((decided == decides).all())
    assert torch.equal(nearest_neighbours(x, 2), brute_neighbours(x, 2))


def test_a_query_never_finds_itself_but_its_duplicate():
    features = torch.zeros(5, 3)
    assert nearest_neighbours(features, 4).tolist() == [[j for j in range(5) if j != i] for i in range(5)]


def test_small_gaps_far_from_the_origin_are_ranked_right():
    """Through |x|^2 - 2 x.y + |y|^2 in float32 all of these distances would be noise."""
    features = 1e4 + torch.tensor([[0.0], [1.0], [3.0], [7.0], [15.0]]) / 512
    assert nearest_neighbours(features, 4).tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [1, 0, 3, 4], [2, 1, 0, 4], [3, 2, 1, 0]]


def test_a_zero_feature_has_cosine_zero():
    features = torch.tensor([[0.0, 0.0], [1.0, 0.1], [-1.0, 0.1], [0.0, 0.0]])
    # To the first: the other zero vector, then both directions at cosine 0; to the second: zero before the opposite one.
    assert nearest_neighbours(features, 3, "cosine").tolist() == [[3, 1, 2], [0, 3, 2], [0, 3, 1], [0, 1, 2]]


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"k within 1\.\.3, got 0"):
        nearest_neighbours(torch.zeros(4, 2), 0)
