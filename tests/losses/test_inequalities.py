"""The inequalities (28)-(39) of `uniform` and its Corollary 1."""

import math

import pytest
import reference_uniform as ref
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lossbook.losses import uniform
from lossbook.objectives import create_objective

LOG2 = math.log(2)

real = st.floats(-150, 150)
above = st.floats(1e-6, 50)
below = st.floats(0, 50)


@st.composite
def samples(draw):
    """One sample's metrics and its label, N = 2..8."""
    row = draw(st.lists(real, min_size=2, max_size=8))
    return row, draw(st.integers(0, len(row) - 1))


@st.composite
def matrices(draw):
    """One sample per class: row i holds the metrics of class i's sample, all real numbers."""
    n = draw(st.integers(2, 5))
    return [draw(st.lists(real, min_size=n, max_size=n)) for _ in range(n)]


@st.composite
def separated(draw, unified: bool):
    """Such rows with thresholds t_i that satisfy Eq. 17, or with a single one (Eq. 12)."""
    n = draw(st.integers(2, 5))
    thresholds = [draw(st.floats(-100, 100))] * n if unified else [draw(st.floats(-100, 100)) for _ in range(n)]
    rows = [[thresholds[i] + (draw(above) if i == j else -draw(below)) for j in range(n)] for i in range(n)]
    return rows, thresholds


def one(loss, row, y) -> float:
    """The package's loss of one sample."""
    return loss(torch.tensor([row], dtype=torch.float64), torch.tensor([y])).item()


def naive_total(rows) -> float:
    return sum(one(uniform.naive, row, i) for i, row in enumerate(rows))


def at_most(left: float, right: float) -> bool:
    return left <= right + 1e-12 * (1 + abs(left) + abs(right))


def log1p_ratio(numerator: float, denominator: float) -> float:
    """log(1 + e^numerator / e^denominator)"""
    return math.log(1 + math.exp(numerator - denominator))


# Section IV-A and IV-B -------------------------------------------------------------------------------------------


@given(samples())
def test_28_and_30_naive_against_softmax(sample):
    row, y = sample
    n = len(row)
    assert at_most(one(uniform.naive, row, y), n / (n - 1) * (one(uniform.cross_entropy, row, y) - math.log(n)))


@given(samples())
def test_31(sample):
    row, y = sample
    mean = sum(ref.negatives(row, y)) / (len(row) - 1)
    assert at_most(one(uniform.naive, row, y), 2 * log1p_ratio(mean, row[y]) - 2 * LOG2)


@given(samples())
def test_32(sample):
    row, y = sample
    pairs = sum(log1p_ratio(c, row[y]) for c in ref.negatives(row, y))
    assert at_most(one(uniform.naive, row, y), 2 / (len(row) - 1) * pairs - 2 * LOG2)


@given(matrices())
def test_33(rows):
    n = len(rows)
    pairs = sum(log1p_ratio(rows[i][j], rows[j][j]) for i in range(n) for j in range(n) if j != i)
    assert at_most(naive_total(rows), 2 / (n - 1) * pairs - 2 * n * LOG2)


@pytest.mark.parametrize("n", [2, 5, 100])
def test_28_to_33_are_equalities_for_equal_metrics(n):
    row = [1.5] * n
    assert one(uniform.naive, row, 0) == pytest.approx(0, abs=1e-12)
    assert n / (n - 1) * (one(uniform.cross_entropy, row, 0) - math.log(n)) == pytest.approx(0, abs=1e-12)
    assert 2 * log1p_ratio(1.5, 1.5) - 2 * LOG2 == 0


@given(separated(unified=True))
def test_34_to_36_with_one_threshold(drawn):
    rows, (t, *_) = drawn
    n = len(rows)
    for i, row in enumerate(rows):
        others = ref.negatives(row, i)
        left = n / 2 * one(uniform.naive, row, i) + n * LOG2
        eq34 = log1p_ratio(sum(others) / (n - 1), row[i]) + sum(log1p_ratio(c, row[i]) for c in others)
        eq35 = log1p_ratio(t, row[i]) + sum(log1p_ratio(c, t) for c in others)
        eq36 = one(uniform.binary_cross_entropy, [c - t for c in row], i)
        assert at_most(left, eq34)
        assert at_most(eq34, eq35)
        assert eq35 == pytest.approx(eq36, abs=1e-9)


@given(separated(unified=False))
def test_37_to_39_with_a_threshold_a_class(drawn):
    rows, t = drawn
    n = len(rows)
    left = n / 2 * naive_total(rows) + n * n * LOG2
    eq37 = eq38 = 0.0
    for i, row in enumerate(rows):
        others = [j for j in range(n) if j != i]
        eq37 += log1p_ratio(sum(row[j] for j in others) / (n - 1), row[i])
        eq37 += sum(log1p_ratio(row[j], rows[j][j]) for j in others)
        eq38 += log1p_ratio(t[i], row[i]) + sum(log1p_ratio(row[j], t[j]) for j in others)
    shifted = torch.tensor(rows, dtype=torch.float64) - torch.tensor(t, dtype=torch.float64)
    eq39 = n * uniform.binary_cross_entropy(shifted, torch.arange(n)).item()
    assert at_most(left, eq37)
    assert at_most(eq37, eq38)
    assert eq38 == pytest.approx(eq39, abs=1e-9)


def test_36_needs_a_threshold_that_separates():
    row, t = [-10.0, 0.0, 0.0], 0.0  # class 0: the positive metric is below the threshold
    assert 3 / 2 * one(uniform.naive, row, 0) + 3 * LOG2 > one(uniform.binary_cross_entropy, [c - t for c in row], 0)


# Corollary 1 -----------------------------------------------------------------------------------------------------

bounds = st.tuples(st.floats(-20, 20), st.floats(0.05, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.integers(2, 200), bounds)
def test_45_is_the_root_of_43_and_44(n, ends):
    lower, upper = ends
    b = uniform.stationary_bias(n, lower, upper)
    eq43 = ref.bce_u_gradient_of_b([upper] + [lower] * (n - 1), 0, b)
    positive, one_negative = (1 / (1 + math.exp(x)) for x in (upper - b, b - lower))
    assert abs(eq43) < 1e-10 * positive
    assert positive == pytest.approx((n - 1) * one_negative, rel=1e-10)


@given(st.integers(2, 200), bounds, st.floats(1e-3, 20))
def test_45_minimises_the_loss(n, ends, step):
    b = uniform.stationary_bias(n, *ends)
    least = uniform.bce_at(b, n, *ends)
    assert least < uniform.bce_at(b + step, n, *ends)
    assert least < uniform.bce_at(b - step, n, *ends)


@given(st.integers(2, 40), bounds, st.floats(-30, 30))
def test_bce_at_is_the_loss_of_a_perfectly_trained_model(n, ends, b):
    lower, upper = ends
    row = [upper] + [lower] * (n - 1)
    assert uniform.bce_at(b, n, lower, upper) == pytest.approx(ref.bce_u(row, 0, b), rel=1e-9, abs=1e-12)
    assert uniform.bce_at(b, n, lower, upper) == pytest.approx(
        one(uniform.binary_cross_entropy, [c - b for c in row], 0), rel=1e-9
    )


@given(st.integers(2, 5000), bounds)
def test_42_the_stationary_bias_separates_exactly_up_to_the_bound(n, ends):
    lower, upper = ends
    limit = uniform.separable_classes(lower, upper)
    assume(abs(n / limit - 1) > 1e-9)
    b = uniform.stationary_bias(n, lower, upper)
    assert b > lower
    assert (b < upper) == (n < limit)


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_42_at_the_bound_the_stationary_bias_is_the_upper_end(n):
    upper = math.log(2 * n - 3)  # with A = 0
    assert uniform.separable_classes(0.0, upper) == pytest.approx(n)
    assert uniform.stationary_bias(n, 0.0, upper) == pytest.approx(upper)


def test_two_classes_meet_in_the_middle():
    assert uniform.stationary_bias(2, -3.0, 5.0) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [208.0, 512.0, 1e4])
def test_large_scales_do_not_overflow(scale):
    b = uniform.stationary_bias(1000, -scale, scale)
    assert -scale < b < scale
    assert uniform.bce_at(b, 1000, -scale, scale) == pytest.approx(0, abs=1e-80)
    assert uniform.separable_classes(-scale, scale) > 1e180


def test_published_minimum_at_scale_1():
    """The paper's "5.91 with gamma = 1" (N = 1000) takes A = -1; the attainable simplex has A = -1/999 and stays at 6.908."""
    assert uniform.bce_at(uniform.stationary_bias(1000, -1, 1), 1000, -1, 1) == pytest.approx(5.91, abs=0.005)
    lower = uniform.etf_lower_bound(1000, 1)
    assert uniform.bce_at(uniform.stationary_bias(1000, lower, 1), 1000, lower, 1) == pytest.approx(6.908, abs=5e-4)


@pytest.mark.parametrize("n", [3, 10, 100, 1000])
def test_scale_that_a_cosine_head_needs(n):
    """N < (e^{2 gamma} + 3)/2 with A = -gamma; with the simplex the exponent is gamma N/(N - 1)."""
    assumed, attainable = math.log(2 * n - 3) / 2, math.log(2 * n - 3) * (n - 1) / n
    for factor, separable in [(0.999, False), (1.001, True)]:
        gamma = factor * assumed
        assert (uniform.separable_classes(-gamma, gamma) > n) == separable
        gamma = factor * attainable
        assert (uniform.separable_classes(uniform.etf_lower_bound(n, gamma), gamma) > n) == separable


def test_scale_that_imagenet_needs():
    assert uniform.separable_classes(-3.79, 3.79) < 1000 < uniform.separable_classes(-3.80, 3.80)
    attainable = [uniform.separable_classes(uniform.etf_lower_bound(1000, gamma), gamma) for gamma in (7.59, 7.60)]
    assert attainable[0] < 1000 < attainable[1]


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_simplex_reaches_the_lower_bound(n):
    """The head's own loss on the simplex, at the stationary bias, is ``bce_at``; no set of vectors has lower cosines."""
    gamma = 4.0
    lower = uniform.etf_lower_bound(n, gamma)
    b = uniform.stationary_bias(n, lower, gamma)
    objective = create_objective("bce-nu", n, n, scale=gamma, bias_start=b).double()
    simplex = torch.eye(n, dtype=torch.float64) - 1 / n
    objective.head.weight.data.copy_(simplex)
    objective.head.bias.data.fill_(b)
    metrics = objective.head.similarities(simplex)
    expected = torch.full((n, n), lower, dtype=torch.float64).fill_diagonal_(gamma)
    torch.testing.assert_close(metrics, expected)
    loss = objective(simplex, torch.arange(n))
    assert loss.item() == pytest.approx(uniform.bce_at(b, n, lower, gamma))
    loss.backward()
    assert abs(objective.head.bias.grad.item()) < 1e-12
    vectors = torch.nn.functional.normalize(torch.randn(200, n, n, generator=torch.Generator().manual_seed(0)), dim=2)
    highest = (vectors @ vectors.mT - 2 * torch.eye(n)).amax((1, 2))
    assert bool((gamma * highest >= lower - 1e-5).all())


@pytest.mark.parametrize(
    "call",
    [
        lambda: uniform.stationary_bias(1, 0.0, 1.0),
        lambda: uniform.stationary_bias(3, 1.0, 1.0),
        lambda: uniform.bce_at(0.0, 3, 2.0, 1.0),
        lambda: uniform.etf_lower_bound(1, 1.0),
        lambda: uniform.etf_lower_bound(3, 0.0),
    ],
)
def test_bad_bounds(call):
    with pytest.raises(ValueError, match="expected num_classes >= 2 and"):
        call()
