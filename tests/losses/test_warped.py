"""The losses of `warped`: values, gradients, Lemma III.1 and Prop. III.2, and what they refuse."""

import functools
import math

import pytest
import reference_warped as ref
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from lossbook.losses.warped import euclidean_softmax, generalized_softmax, r_disk_ends, warp, warp_slope_integral, warped_softmax

ALPHA, K1, K2, T, M = 2.5, 0.6, 1.7, 1.4, 1.3

LOSSES = {
    "euclidean": functools.partial(euclidean_softmax, temperature=T),
    "warped": functools.partial(warped_softmax, alpha=ALPHA, k1=K1, k2=K2, temperature=T, margin=M),
    "generalized": functools.partial(generalized_softmax, f1=torch.square, f2=torch.sinh, temperature=T),
}


def draw(batch: int = 9, classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances on both sides of alpha."""
    generator = torch.Generator().manual_seed(seed)
    distances = 5 * torch.rand(batch, classes, generator=generator, dtype=torch.float64)
    return distances, torch.arange(batch) % classes


def mean_of(sample_loss, distances, labels, *arguments, **keywords) -> float:
    rows = zip(distances.tolist(), labels.tolist(), strict=True)
    return sum(sample_loss(row, y, *arguments, **keywords) for row, y in rows) / len(labels)


def gradient_of(loss, distances, labels) -> torch.Tensor:
    distances = distances.clone().requires_grad_()
    return torch.autograd.grad(loss(distances, labels), distances)[0]


# Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 40])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_eq_4(classes, temperature, device):
    distances, labels = draw(classes=classes)
    expected = mean_of(ref.eq_4, distances, labels, temperature)
    assert euclidean_softmax(distances.to(device), labels.to(device), temperature).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 40])
@pytest.mark.parametrize("margin", [0.0, 1.0, 5.5])
@pytest.mark.parametrize("alpha", [0.0, ALPHA, math.inf])
def test_eqs_7_and_8(classes, margin, alpha, device):
    distances, labels = draw(classes=classes)
    expected = mean_of(ref.eq_8, distances, labels, alpha, K1, K2, T, margin)
    value = warped_softmax(distances.to(device), labels.to(device), alpha, K1, K2, T, margin)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_eq_6(device):
    distances, labels = draw()
    expected = mean_of(ref.eq_6, distances, labels, lambda x: x**2, math.sqrt, T)
    value = generalized_softmax(distances.to(device), labels.to(device), torch.square, torch.sqrt, T)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_f1_sees_the_own_distances_only():
    """Eq. 8 is Eq. 6 with the warp as f1."""
    distances, labels = draw()
    f1 = functools.partial(warp, alpha=ALPHA, k1=K1, k2=K2, margin=M)
    value = generalized_softmax(distances, labels, f1, lambda x: x, T)
    assert value.item() == LOSSES["warped"](distances, labels).item()


@pytest.mark.parametrize("margin", [0.0, 1.0, 1.3, 5.5])
def test_the_jump_at_alpha(margin):
    """Coming from within, Eq. 7 ends (m - 1)(1 - k1) alpha above where it goes on: it is continuous for m = 1 only."""
    within, at = warp(torch.tensor([ALPHA - 1e-12, ALPHA], dtype=torch.float64), ALPHA, K1, K2, margin).tolist()
    assert at == pytest.approx(ALPHA)
    assert within - at == pytest.approx((margin - 1) * (1 - K1) * ALPHA, abs=1e-10)


# Gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, ALPHA, math.inf])
@pytest.mark.parametrize("margin", [0.0, 1.0, 1.3])
def test_gradient_in_closed_form(alpha, margin):
    distances, labels = draw()
    rows = zip(distances.tolist(), labels.tolist(), strict=True)
    expected = torch.tensor([ref.eq_8_gradient(row, y, alpha, K1, K2, T, margin) for row, y in rows], dtype=torch.float64)
    loss = functools.partial(warped_softmax, alpha=alpha, k1=K1, k2=K2, temperature=T, margin=margin)
    torch.testing.assert_close(gradient_of(loss, distances, labels), expected / len(labels))


def test_within_alpha_only_the_gradient_differs_from_eq_4():
    distances, labels = draw()
    own = labels.unsqueeze(1)
    assert (distances.gather(1, own) < 100).all()
    loss = functools.partial(warped_softmax, alpha=100.0, k1=K1, k2=K2, temperature=T)
    torch.testing.assert_close(loss(distances, labels), LOSSES["euclidean"](distances, labels))
    plain, gradient = gradient_of(LOSSES["euclidean"], distances, labels), gradient_of(loss, distances, labels)
    torch.testing.assert_close(gradient.gather(1, own), K1 * plain.gather(1, own))
    torch.testing.assert_close(gradient.scatter(1, own, 0.0), plain.scatter(1, own, 0.0))


def test_the_gradient_of_delta_is_stopped():
    """The value has slope 1 within alpha, the gradient says k1."""
    x = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    warp(x, ALPHA, K1, K2).sum().backward()
    assert x.grad.item() == pytest.approx(K1)
    step = torch.tensor([1.001], dtype=torch.float64)
    assert (warp(step, ALPHA, K1, K2) - warp(x, ALPHA, K1, K2)).item() == pytest.approx(0.001)


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.5])
def test_the_slope_integral_is_continuous_and_has_the_warps_gradient(margin):
    x = torch.linspace(0, 2 * ALPHA, 101, dtype=torch.float64, requires_grad=True)
    integral = warp_slope_integral(x, ALPHA, K1, K2)
    assert integral[0] == 0
    assert integral.diff().max() <= K2 * 2 * ALPHA / 100 + 1e-12
    away = (x - ALPHA).abs() > 1e-9
    (slope,), (expected,) = (torch.autograd.grad(f.sum(), x) for f in (integral, warp(x, ALPHA, K1, K2, margin)))
    torch.testing.assert_close(slope[away], expected[away])


def test_the_warp_turns_the_balance_of_push_and_pull_at_alpha():
    """Two classes: within alpha the others push harder than the own proxy pulls (k1 < 1), beyond it less (k2 > 1)."""
    label = torch.tensor([0])
    for own, ratio in ((ALPHA - 0.01, K1), (ALPHA, K2)):
        gradient = gradient_of(LOSSES["warped"], torch.tensor([[own, 3.0]], dtype=torch.float64), label)[0]
        assert (gradient[0] / -gradient[1]).item() == pytest.approx(ratio)


@pytest.mark.parametrize(("low", "margin"), [(0.1, 0.0), (ALPHA + 0.1, 0.0), (ALPHA + 0.1, M)])
def test_gradcheck_away_from_the_kink(low, margin):
    """Within alpha Delta hides from finite differences only where it is left out."""
    distances, labels = draw(batch=3, classes=4)
    own = low + 0.4 * distances.gather(1, labels.unsqueeze(1)).sub(2.5)
    own = low + (own - own.min())
    assert ((own < ALPHA) == (low < ALPHA)).all()
    distances = distances.scatter(1, labels.unsqueeze(1), own).requires_grad_()
    assert gradcheck(lambda x: warped_softmax(x, labels, ALPHA, K1, K2, T, margin), (distances,))


# Lemma III.1 and Proposition III.2 -------------------------------------------------------------------------------

coordinate = st.floats(-5, 5)
STRICT = {
    "identity": lambda x: x,
    "convex": torch.square,
    "concave": torch.sqrt,
    "bounded": torch.tanh,
    "warp": functools.partial(warp_slope_integral, alpha=2.0, k1=0.3, k2=3.0),
}
MONOTONE = STRICT | {"steps": torch.floor, "constant": torch.zeros_like, "flat then rising": lambda x: (x - 3).clamp_min(0)}


def landscape(points, proxy, other, f1, f2) -> torch.Tensor:
    """Eq. 6 at every point (n, d), class 0 the true one; a low temperature keeps the loss from rounding to 0."""
    distances = torch.stack([torch.linalg.vector_norm(points - p, dim=1) for p in (proxy, other)], 1)
    label = torch.tensor([0])
    return torch.stack([generalized_softmax(row.unsqueeze(0), label, f1, f2, 0.01) for row in distances])


@st.composite
def two_proxies(draw):
    d = draw(st.integers(2, 5))
    proxy, other = (torch.tensor(draw(st.lists(coordinate, min_size=d, max_size=d)), dtype=torch.float64) for _ in range(2))
    assume(torch.linalg.vector_norm(proxy - other) > 0.1)
    return proxy, other


@given(two_proxies(), st.floats(0.1, 5), st.sampled_from(sorted(MONOTONE)), st.integers(0, 1000))
def test_lemma_on_every_r_disk_the_far_point_is_lowest_and_the_near_one_highest(proxies, radius, name, seed):
    proxy, other = proxies
    far, near = r_disk_ends(proxy, other, radius)
    directions = torch.randn(20, len(proxy), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    around = proxy + radius * torch.nn.functional.normalize(directions)
    # The distance to the own proxy is the radius for all of them: rounding must not move it over a step.
    apart = torch.linalg.vector_norm(torch.stack([far, near, *around]) - other, dim=1)
    distances = torch.stack([torch.full_like(apart, radius), apart], 1)
    f = MONOTONE[name]
    low, high, *values = (generalized_softmax(row.unsqueeze(0), torch.tensor([0]), f, f, 0.01).item() for row in distances)
    if name == "steps":  # rounding of the ends may cross a whole step
        assume((apart[:2] - apart[:2].round()).abs().min() > 1e-6)
    assert low - 1e-9 <= min(values)
    assert max(values) <= high + 1e-9


@given(two_proxies(), st.floats(0.1, 5), st.sampled_from(sorted(STRICT)), st.floats(0.2, math.pi - 0.2))
def test_lemma_a_strictly_increasing_function_has_no_other_extremum(proxies, radius, name, angle):
    """Between the two points the loss changes strictly with the angle."""
    proxy, other = proxies
    outward = torch.nn.functional.normalize(proxy - other, dim=0)
    across = torch.zeros_like(outward)
    across[int(outward.abs().argmin())] = 1
    across = torch.nn.functional.normalize(across - (across @ outward) * outward, dim=0)
    angles = torch.tensor([0.0, angle - 0.1, angle, angle + 0.1, math.pi], dtype=torch.float64).unsqueeze(1)
    points = proxy + radius * (angles.cos() * outward + angles.sin() * across)
    values = landscape(points, proxy, other, STRICT[name], STRICT[name])
    assert (values.diff() > 0).all()


def test_lemma_a_constant_function_has_no_single_extremum():
    """So "only" needs a strictly increasing function; the paper says non-decreasing."""
    proxy, other = torch.tensor([0.0, 0.0]), torch.tensor([3.0, 0.0])
    points = torch.stack([*r_disk_ends(proxy, other, 1.0), torch.tensor([0.0, 1.0])])
    assert landscape(points, proxy, other, torch.zeros_like, torch.zeros_like).unique().numel() == 1


@given(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(0.1, 3))
def test_lemma_a_decrease_anywhere_breaks_it(low, gap, drop):
    """f falls somewhere between ``low`` and ``low + gap``: the r-disk whose ends are that far from p_j has its lower value
    at the near point."""

    def f(x: torch.Tensor) -> torch.Tensor:
        return x - (gap + drop) * (x > low + gap / 2)

    radius = gap / 2
    proxy, other = torch.tensor([low + radius, 0.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    far, near = r_disk_ends(proxy, other, radius)
    values = landscape(torch.stack([far, near]), proxy, other, f, f)
    assert values[1] < values[0]


def piecewise_linear(knots: list[float], slopes: list[float]):
    """Continuous, 0 at 0, with slope slopes[k] between knots k - 1 and k."""
    edges = torch.tensor([0.0, *knots], dtype=torch.float64)
    steep = torch.tensor(slopes, dtype=torch.float64)

    def f(x: torch.Tensor) -> torch.Tensor:
        ends = torch.cat([edges[1:], torch.full((1,), torch.inf, dtype=torch.float64)])
        covered = (torch.minimum(x.unsqueeze(-1), ends) - edges).clamp_min(0)
        return (covered * steep).sum(-1)

    return f


knots = st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True).map(lambda ks: [k / 4 for k in sorted(ks)])


@given(knots, knots, st.integers(1, 12).map(lambda k: k / 4 + 1 / 8), st.randoms(use_true_random=False))
def test_proposition_a_minimum_is_where_the_slopes_turn(first, second, apart, random):
    """On the line outward, t from p_i, d_i = t and d_j = D + t: Eq. 6 has a strict local minimum at a breakpoint exactly
    where f1'(t) - f2'(D + t) turns from negative to positive (the two slopes are taken at different distances)."""
    slopes_1, slopes_2 = ([random.choice([0.5, 1.0, 2.0, 3.0]) for _ in range(len(ks) + 1)] for ks in (first, second))
    f1, f2 = piecewise_linear(first, slopes_1), piecewise_linear(second, slopes_2)

    def slope(knots, slopes, x):
        return slopes[sum(x > k for k in knots)]

    def difference(t):
        return slope(first, slopes_1, t) - slope(second, slopes_2, apart + t)

    step = 1 / 64  # less than half of what lies between two breakpoints
    proxy, other = torch.tensor([0.0, 0.0], dtype=torch.float64), torch.tensor([apart, 0.0], dtype=torch.float64)
    for t in sorted({*first, *(k - apart for k in second if k > apart)}):
        points = torch.stack([r_disk_ends(proxy, other, r)[0] for r in (t - step, t, t + step)])
        inner, here, outer = landscape(points, proxy, other, f1, f2).tolist()
        turns = difference(t - step) < 0 < difference(t + step)
        assert (here < inner - 1e-12 and here < outer - 1e-12) == turns


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_proposition_the_warp_attracts_at_alpha(alpha):
    """Two classes: the landscape is lowest at alpha from the own proxy, away from the other."""
    proxy, other = torch.tensor([0.0, 0.0], dtype=torch.float64), torch.tensor([2.0, 0.0], dtype=torch.float64)
    axis = torch.linspace(-6, 6, 97, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    f1 = functools.partial(warp_slope_integral, alpha=alpha, k1=0.5, k2=2.0)
    values = landscape(grid, proxy, other, f1, lambda x: x)
    torch.testing.assert_close(grid[values.argmin()], r_disk_ends(proxy, other, alpha)[0])


def test_an_embedding_that_follows_the_gradient_settles_at_alpha():
    proxies = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    embedding = torch.tensor([[0.5, 0.3]], dtype=torch.float64, requires_grad=True)
    for step in range(1500):
        loss = warped_softmax(torch.cdist(embedding, proxies), torch.tensor([0]), alpha=1.5, k1=0.5, k2=2.0)
        (gradient,) = torch.autograd.grad(loss, embedding)
        embedding = (embedding - 30 / (step + 30) * gradient).detach().requires_grad_()
    torch.testing.assert_close(embedding, torch.tensor([[-1.5, 0.0]], dtype=torch.float64), rtol=0, atol=0.03)


# Stability and precision -----------------------------------------------------------------------------------------


def test_small_losses_keep_their_relative_precision():
    distances = torch.tensor([[0.0, 30.0]])
    assert euclidean_softmax(distances, torch.tensor([0])).item() == pytest.approx(math.log1p(math.exp(-30)), rel=1e-4)


# Input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": -1.0}, {"alpha": math.nan}, {"k1": 0.0}, {"k1": 1.1}, {"k2": 0.9}, {"margin": -0.1}, {"margin": math.nan}],
    ids=str,
)
def test_bad_warps(wrong):
    distances, labels = draw()
    arguments = {"alpha": ALPHA, "k1": K1, "k2": K2} | wrong
    with pytest.raises(ValueError, match="alpha >= 0, 0 < k1 <= 1 <= k2 and margin >= 0, got"):
        warped_softmax(distances, labels, **arguments)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_the_temperature_is_positive(temperature):
    distances, labels = draw()
    with pytest.raises(ValueError, match="temperature must be positive"):
        euclidean_softmax(distances, labels, temperature)


def test_bad_r_disks():
    point = torch.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="two different points"):
        r_disk_ends(point, point, 1.0)
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(3,\)"):
        r_disk_ends(point, torch.zeros(3), 1.0)
    with pytest.raises(ValueError, match="radius >= 0, got -1"):
        r_disk_ends(point, -point, -1.0)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_similarities_are_no_distances(loss):
    with pytest.raises(ValueError, match="distances >= 0, got -2"):
        loss(torch.full((2, 3), -2.0), torch.tensor([0, 0]))
