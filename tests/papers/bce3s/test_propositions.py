"""What the chapter's theory pages state, longhand in float64."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from lossbook.losses import bce3s as losses
from lossbook.metrics.geometry import classifier_separability


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("common", [0.0, 0.2, 1.0])
def test_the_uniform_terms_of_bce_and_ce_push_with_coefficients_kappa_apart_within_bounds(common):
    """02-gradients: 2 sigma(u) and q + its transpose have the ratio (e + N - 1) / 2 within exp(+-3 u)."""
    vectors = normalize(normal(0, 12, 40) + common, dim=1)
    classes = len(vectors)
    u = vectors @ vectors.T
    most = max(abs(float(u[k, j])) for k in range(classes) for j in range(classes) if k != j)
    for k in range(classes):
        for j in range(classes):
            if k == j:
                continue
            q = [math.exp(u[a, b]) / sum(math.exp(u[a, c]) for c in range(classes)) for a, b in ((k, j), (j, k))]
            ratio = 2 / (1 + math.exp(-u[k, j])) / sum(q)
            assert abs(math.log(ratio / ((math.e + classes - 1) / 2))) <= 3 * most


def test_orthogonal_vectors_have_gradients_in_the_ratio_kappa():
    vectors = torch.eye(7, 9, dtype=torch.float64, requires_grad=True)
    bce, ce = (torch.autograd.grad(loss(vectors), vectors)[0] for loss in (losses.uniform_bce, losses.uniform_ce))
    torch.testing.assert_close(bce, (math.e + 6) / 2 * ce)


def test_the_length_of_a_centred_unit_vector_is_its_mean_cosine_to_the_others():
    """04-compactness-separability: so the spread of Eq. 13 is one of mean cosines, and not of single ones."""
    vectors = normalize(normal(1, 9, 5), dim=1)
    mean = vectors.mean(0)
    for k, vector in enumerate(vectors):
        others = sum(float(vector @ other) for j, other in enumerate(vectors) if j != k)
        length = float((vector - mean) @ (vector - mean))
        assert length == pytest.approx(1 + float(mean @ mean) - 2 / 9 * (1 + others), abs=1e-12)


def test_equally_long_centred_vectors_have_one_separability_whatever_their_angles():
    poles = torch.tensor([[1.0, 0.0]] * 3 + [[-1.0, 0.0]] * 3, dtype=torch.float64)
    torch.testing.assert_close(classifier_separability(poles), torch.full((6,), 60.0, dtype=torch.float64))


@pytest.mark.parametrize("r", [0.3, 1.0])
def test_the_first_force_with_the_best_biases_is_that_of_the_centred_mean(r):
    """02-gradients: r n / (n_k + r (n - n_k)) times n_k (mean of the class - mean of all), by sums over the samples."""
    sizes = [20, 7, 2]
    labels = [k for k, size in enumerate(sizes) for _ in range(size)]
    x, n = normal(2, len(labels), 4), len(labels)
    for k, size in enumerate(sizes):
        act = size / (size + r * (n - size))  # where the pulls on the bias are worth the pushes
        force = sum((1 - act) * x[i] if labels[i] == k else -r * act * x[i] for i in range(n))
        own = sum(x[i] for i in range(n) if labels[i] == k) / size
        stated = r * n / (size + r * (n - size)) * size * (own - x.mean(0))
        torch.testing.assert_close(force, stated)


def test_scaled_class_balanced_weights_are_22_times_the_printed_ones_on_cifar100():
    counts = torch.tensor([int(500 * 100 ** (-k / 99)) for k in range(100)])
    plain, scaled = (losses.class_balanced_weights(counts, normalise=scale).double() for scale in (False, True))
    assert float(scaled.sum()) == pytest.approx(100, rel=1e-6)
    assert float(scaled[0] / plain[0]) == pytest.approx(21.887, abs=1e-3)
