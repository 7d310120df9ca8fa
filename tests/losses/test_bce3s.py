"""The losses of `bce3s` and of its long-tailed baselines: values, gradients, invariances, and what they refuse."""

import math

import numpy as np
import pytest
import reference_bce3s as ref
import torch
import torch.nn.functional as F
from arrays import rows
from hypothesis import given
from hypothesis import strategies as st

from lossbook.losses import bce3s, longtail, uniform

COUNTS = torch.tensor([200, 80, 15, 4, 1])
WEIGHTS = torch.tensor([0.2, 0.5, 1.0, 1.5, 3.0], dtype=torch.float64)
SEEN = torch.tensor([True, False, True, True, False])
BANK = torch.randn(5, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def draw(batch: int = 7, width: int = 5, classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(batch, width, generator=generator, dtype=torch.float64)
    return values, torch.randint(classes, (batch,), generator=generator)


def keep_of(values: torch.Tensor) -> torch.Tensor:
    """A fixed half of the negatives."""
    places = torch.arange(values.numel(), device=values.device).reshape(values.shape)
    return places % 3 > 0


def weights_of(values: torch.Tensor) -> torch.Tensor:
    return WEIGHTS.to(values.device, torch.float64 if values.dtype == torch.float64 else torch.float32)


ON_LOGITS = {
    "joint_bce": lambda c, y: bce3s.joint_bce(c, y),
    "joint_bce, keep, weights": lambda c, y: bce3s.joint_bce(c, y, keep_of(c), weights_of(c)),
    "joint_ce": lambda c, y: bce3s.joint_ce(c, y),
    "joint_ce, weights": lambda c, y: bce3s.joint_ce(c, y, weights_of(c)),
    "focal": lambda c, y: longtail.class_balanced_focal(c, y, COUNTS.to(c.device), 0.99, 2.0),
    "focal, gamma 0": lambda c, y: longtail.class_balanced_focal(c, y, COUNTS.to(c.device), 0.9999, 0.0),
    "ldam": lambda c, y: longtail.ldam(c, y, COUNTS.to(c.device), 0.5, 8.0),
    "logit_adjusted": lambda c, y: longtail.logit_adjusted(c, y, COUNTS.to(c.device), 1.5),
    "balanced_softmax": lambda c, y: longtail.balanced_softmax(c, y, COUNTS.to(c.device)),
}
LONGHAND = {
    "joint_bce": ref.joint_bce,
    "joint_bce, keep, weights": lambda c, y: ref.joint_bce(c, y, keep_of(torch.tensor(c)).tolist(), WEIGHTS.tolist()),
    "joint_ce": ref.joint_ce,
    "joint_ce, weights": lambda c, y: ref.joint_ce(c, y, WEIGHTS.tolist()),
    "focal": lambda c, y: ref.class_balanced_focal(c, y, COUNTS.tolist(), 0.99, 2.0),
    "focal, gamma 0": lambda c, y: ref.class_balanced_focal(c, y, COUNTS.tolist(), 0.9999, 0.0),
    "ldam": lambda c, y: ref.ldam(c, y, COUNTS.tolist(), 0.5, 8.0),
    "logit_adjusted": lambda c, y: ref.balanced_softmax(c, y, COUNTS.tolist(), 1.5),
    "balanced_softmax": lambda c, y: ref.balanced_softmax(c, y, COUNTS.tolist()),
}


UNIFORM = {
    "uniform_bce": bce3s.uniform_bce,
    "without the constant": lambda w: bce3s.uniform_bce(w, constant=False),
    "uniform_ce": bce3s.uniform_ce,
}

every_uniform = pytest.mark.parametrize("loss", UNIFORM.values(), ids=UNIFORM.keys())


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ON_LOGITS)
def test_value_on_logits(name, device):
    logits, labels = draw()
    expected = LONGHAND[name](logits.tolist(), labels.tolist())
    assert ON_LOGITS[name](logits.to(device), labels.to(device)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("tau", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("seen", [None, SEEN], ids=["all seen", "some seen"])
@pytest.mark.parametrize(
    ("loss", "longhand"), [(bce3s.contrastive_bce, ref.contrastive_bce), (bce3s.contrastive_ce, ref.contrastive_ce)]
)
def test_contrastive_value(loss, longhand, seen, tau, device):
    projections, labels = draw(width=4)
    expected = longhand(projections.tolist(), labels.tolist(), BANK.tolist(), tau, None if seen is None else seen.tolist())
    seen = None if seen is None else seen.to(device)
    value = loss(projections.to(device), labels.to(device), BANK.to(device), tau, seen)
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_uniform_values(classes, device):
    weight = draw(classes, 4)[0]
    for constant in (True, False):
        expected = ref.uniform_bce(weight.tolist(), constant)
        assert bce3s.uniform_bce(weight.to(device), constant).item() == pytest.approx(expected, rel=1e-12)
    assert bce3s.uniform_ce(weight.to(device)).item() == pytest.approx(ref.uniform_ce(weight.tolist()), rel=1e-12)


def test_joint_terms_without_options_are_those_of_the_uniform_paper():
    logits, labels = draw()
    torch.testing.assert_close(bce3s.joint_bce(logits, labels), uniform.binary_cross_entropy(logits, labels))
    torch.testing.assert_close(bce3s.joint_ce(logits, labels), uniform.cross_entropy(logits, labels))


def test_the_own_class_counts_whatever_keep_says():
    logits, labels = draw()
    nothing = torch.zeros(7, 5, dtype=torch.bool)
    expected = F.softplus(-logits.gather(1, labels[:, None])).mean()
    torch.testing.assert_close(bce3s.joint_bce(logits, labels, nothing), expected)


def test_focal_without_gamma_and_beta_is_bce():
    logits, labels = draw()
    torch.testing.assert_close(
        longtail.class_balanced_focal(logits, labels, COUNTS, beta=0.0, gamma=0.0), uniform.binary_cross_entropy(logits, labels)
    )


def test_ldam_without_margin_is_softmax():
    logits, labels = draw()
    torch.testing.assert_close(longtail.ldam(logits, labels, COUNTS, max_margin=0.0), uniform.cross_entropy(logits, labels))


def test_logit_adjustment_of_equal_counts_is_softmax():
    logits, labels = draw()
    torch.testing.assert_close(
        longtail.logit_adjusted(logits, labels, torch.full((5,), 30), 0.7), uniform.cross_entropy(logits, labels)
    )


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9999, 1 - 1e-9])
def test_class_balanced_weights(beta):
    expected = ref.class_balanced_weights(COUNTS.tolist(), beta)
    # 1 - beta^n of the longhand form itself keeps 7 digits only as beta nears 1
    assert bce3s.class_balanced_weights(COUNTS, beta).tolist() == pytest.approx(expected, rel=1e-6)
    assert bce3s.class_balanced_weights(COUNTS, beta, normalise=True).sum().item() == pytest.approx(5)


def test_class_balanced_weights_are_the_inverse_counts_in_the_limit():
    assert bce3s.class_balanced_weights(COUNTS, 1 - 1e-12).tolist() == pytest.approx((1 / COUNTS).tolist(), rel=1e-4)


def test_max_norm_shortens_the_long_and_leaves_the_short():
    weight = torch.tensor([[30.0, 40.0], [0.3, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(longtail.max_norm(weight, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


# Negatives and memory bank ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [0.1, 0.4, 0.9])
def test_a_share_r_of_the_negatives_is_drawn(r, device):
    labels = torch.randint(50, (400,), generator=torch.Generator().manual_seed(0)).to(device)
    keep = bce3s.draw_negatives(labels, 50, r, generator=torch.Generator(device).manual_seed(1))
    own = F.one_hot(labels, 50).bool()
    assert keep[own].all()
    negatives = keep[~own].float()
    deviation = math.sqrt(r * (1 - r) / negatives.numel())
    assert abs(negatives.mean().item() - r) < 4 * deviation
    assert keep.float().std(0).min() > 0  # no class always, none never


def test_all_negatives_stay_with_r_1():
    labels = torch.arange(6) % 4
    for scheme in ("sample", "batch"):
        assert bce3s.draw_negatives(labels, 4, 1.0, scheme).all()


@given(st.lists(st.integers(0, 19), min_size=1, max_size=30), st.floats(0.05, 1), st.integers(0, 1000))
def test_the_batch_scheme_keeps_the_classes_present_and_fills_up(present, r, seed):
    labels = torch.tensor(present)
    keep = bce3s.draw_negatives(labels, 20, r, "batch", torch.Generator().manual_seed(seed))
    assert keep.shape == (len(labels), 20)
    assert (keep == keep[0]).all()
    assert keep[0, labels].all()
    assert int(keep[0].sum()) == max(len(set(present)), int(20 * r + 1e-6))


def test_the_batch_scheme_draws_every_absent_class_sometimes():
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([bce3s.draw_negatives(torch.tensor([3]), 10, 0.29, "batch", generator)[0] for _ in range(200)])
    assert (draws.sum(1) == 2).all()  # int(2.9)
    assert draws.any(0).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_the_last_sample_of_a_class_enters_the_bank(present):
    projections = torch.arange(1.0, len(present) + 1)[:, None].repeat(1, 4)
    bank, seen = bce3s.update_bank(BANK.float(), SEEN, projections, torch.tensor(present))
    expected = ref.update_bank(BANK.float().tolist(), SEEN.tolist(), projections.tolist(), present)
    assert bank.tolist() == expected[0]
    assert seen.tolist() == expected[1]


def test_the_bank_is_detached_and_the_given_one_left_alone():
    bank, seen = torch.zeros(5, 4), torch.zeros(5, dtype=torch.bool)
    new, _ = bce3s.update_bank(bank, seen, torch.ones(2, 4, requires_grad=True), torch.tensor([0, 1]))
    assert not new.requires_grad
    assert not bank.any()
    assert not seen.any()


def test_an_unseen_class_is_in_no_term():
    """Whatever stands in its row of the bank: the authors' code starts from uninitialised memory."""
    projections, labels = draw(width=4)
    wild = torch.where(SEEN[:, None], BANK, 1e6 * torch.ones_like(BANK))
    for loss in (bce3s.contrastive_bce, bce3s.contrastive_ce):
        assert loss(projections, labels, wild, 0.3, SEEN) == loss(projections, labels, BANK, 0.3, SEEN)
    nobody = torch.zeros(5, dtype=torch.bool)
    for loss in (bce3s.contrastive_bce, bce3s.contrastive_ce):
        value = loss(projections.requires_grad_(), labels, BANK, 0.3, nobody)
        (gradient,) = torch.autograd.grad(value, projections)
        assert value == 0
        assert not gradient.any()


# Gradients --------------------------------------------------------------------------------------------------------


def test_gradient_of_the_joint_bce_is_decoupled():
    """Eqs. 10 and 12: the gradient of one logit does not change with the others (it does for CE, Eq. 11)."""
    logits, labels = draw()

    def gradient(loss, values):
        values = values.clone().requires_grad_()
        loss(values, labels).backward()
        return values.grad

    keep = keep_of(logits)
    own = F.one_hot(labels, 5).double()
    expected = (logits.sigmoid() - own) * (keep | own.bool()) * WEIGHTS[labels, None] / len(labels)
    found = gradient(lambda c, y: bce3s.joint_bce(c, y, keep, WEIGHTS), logits)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(bce3s.joint_ce, logits), (logits.softmax(1) - own) / len(labels))
    moved = logits + torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0])
    assert torch.equal(gradient(bce3s.joint_bce, moved)[:, :4], gradient(bce3s.joint_bce, logits)[:, :4])
    assert (gradient(bce3s.joint_ce, moved)[:, :4] != gradient(bce3s.joint_ce, logits)[:, :4]).all()


def test_gradient_of_the_classifier_is_eq_8_with_its_missing_factors():
    """Before the normalisation's Jacobian: unit vectors, but free to move."""
    features, labels = draw(batch=6, width=4)
    weight = F.normalize(draw(5, 4, seed=3)[0], dim=1).requires_grad_()
    bias = torch.linspace(-1, 1, 5, dtype=torch.float64)
    off_diagonal = ~torch.eye(5, dtype=torch.bool)
    interaction = F.softplus(weight @ weight.T)[off_diagonal].sum() / 5
    (bce3s.joint_bce(features @ weight.T + bias, labels) + 0.7 * interaction).backward()
    expected = ref.gradient_of_classifier(rows(weight), bias.tolist(), rows(features), labels.tolist(), 0.7)
    np.testing.assert_allclose(rows(weight.grad), expected, rtol=1e-10)


def test_gradient_of_the_uniform_term_is_tangent_and_has_the_factor_2():
    """Eq. 32 counts w_k in its own term only; it stands in every other class's too, and the normalisation projects."""
    weight = draw(5, 4, seed=3)[0].requires_grad_()
    bce3s.uniform_bce(weight).backward()
    unit, length = F.normalize(weight.detach(), dim=1), weight.detach().norm(dim=1, keepdim=True)
    forces = torch.sigmoid(unit @ unit.T).fill_diagonal_(0) @ unit * 2 / 5
    tangent = (forces - (forces * unit).sum(1, keepdim=True) * unit) / length
    torch.testing.assert_close(weight.grad, tangent)


def test_gradient_of_the_contrastive_term_has_tau_inside_the_activation():
    """Eqs. 28-30 with tau restored, and the normalisation's projection."""
    projections, labels = draw(width=4)
    tau = 0.3
    unit, bank = F.normalize(projections, dim=1), F.normalize(BANK, dim=1)
    own = F.one_hot(labels, 5).double()
    for loss, activation in (
        (bce3s.contrastive_bce, torch.sigmoid(unit @ bank.T / tau)),
        (bce3s.contrastive_ce, torch.softmax(unit @ bank.T / tau, 1)),
    ):
        forces = (activation - own) @ bank / tau / len(labels)
        expected = (forces - (forces * unit).sum(1, keepdim=True) * unit) / projections.norm(dim=1, keepdim=True)
        values = projections.clone().requires_grad_()
        loss(values, labels, BANK, tau).backward()
        torch.testing.assert_close(values.grad, expected)


@pytest.mark.parametrize("loss", [lambda w: bce3s.uniform_bce(w, constant=False), bce3s.uniform_ce], ids=["bce", "ce"])
@pytest.mark.parametrize("classes", [3, 8])
def test_the_simplex_is_the_optimum_of_the_uniform_terms(loss, classes):
    weight = draw(classes, classes, seed=1)[0].requires_grad_()
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(weight)
        value.backward()
        return value

    optimizer.step(closure)
    cosines = F.normalize(weight.detach(), dim=1)
    expected = torch.full((classes, classes), -1 / (classes - 1), dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(cosines @ cosines.T, expected, atol=1e-3, rtol=0)
    least = {
        "bce": (classes - 1) * math.log(1 + math.exp(-1 / (classes - 1))),
        "ce": math.log(1 + (classes - 1) * math.exp(-classes / (classes - 1))),
    }["ce" if loss is bce3s.uniform_ce else "bce"]
    assert loss(weight).item() == pytest.approx(least, abs=1e-6)


# Stability and precision ------------------------------------------------------------------------------------------


@every_uniform
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_uniform_terms_in_half_precision(loss, dtype, device):
    weight = (100 * draw(6, 4)[0]).to(device, dtype)  # squares beyond float16's range
    value = loss(weight)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(weight.double()).item(), rel=1e-6)


@every_uniform
def test_a_zero_classifier_vector_gives_a_finite_gradient(loss):
    weight = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    loss(weight).backward()
    assert weight.grad.isfinite().all()


def test_small_losses_keep_their_relative_precision():
    logits, label = torch.tensor([[30.0, -40.0]]), torch.tensor([0])
    assert bce3s.joint_bce(logits, label).item() == pytest.approx(math.log1p(math.exp(-30)), rel=1e-4)


# Invariances ------------------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3))
def test_contrastive_and_uniform_terms_see_directions_only(factor):
    projections, labels = draw(width=4)
    for loss in (bce3s.contrastive_bce, bce3s.contrastive_ce):
        expected = loss(projections, labels, BANK, 0.3)
        torch.testing.assert_close(loss(factor * projections, labels, BANK / factor, 0.3), expected)
    for loss in UNIFORM.values():
        torch.testing.assert_close(loss(factor * BANK), loss(BANK))


@given(st.permutations(range(5)))
def test_the_names_of_the_classes_do_not_matter(order):
    logits, labels = draw()
    permutation = torch.tensor(order)
    renamed = permutation.argsort()[labels]
    torch.testing.assert_close(bce3s.joint_bce(logits[:, permutation], renamed), bce3s.joint_bce(logits, labels))
    for loss in (bce3s.contrastive_bce, bce3s.contrastive_ce):
        expected = loss(logits[:, :4], labels, BANK, 0.3, SEEN)
        torch.testing.assert_close(loss(logits[:, :4], renamed, BANK[permutation], 0.3, SEEN[permutation]), expected)
    for loss in UNIFORM.values():
        torch.testing.assert_close(loss(BANK[permutation]), loss(BANK))
    for loss in (longtail.class_balanced_focal, longtail.ldam, longtail.balanced_softmax):
        expected = loss(logits, labels, COUNTS)
        torch.testing.assert_close(loss(logits[:, permutation], renamed, COUNTS[permutation]), expected)


# Input ------------------------------------------------------------------------------------------------------------


BAD_ARGUMENTS = {
    "keep of another shape": (
        lambda c, y: bce3s.joint_bce(c, y, torch.ones(5, dtype=torch.bool)),
        r"keep of bool and shape \(7, 5\)",
    ),
    "keep not bool": (lambda c, y: bce3s.joint_bce(c, y, torch.ones(7, 5)), r"keep of bool.*torch\.float32"),
    "too few weights": (
        lambda c, y: bce3s.joint_bce(c, y, class_weights=torch.ones(4)),
        r"class_weights of shape \(5,\).*\(4,\)",
    ),
    "too few weights, ce": (lambda c, y: bce3s.joint_ce(c, y, torch.ones(4)), r"class_weights of shape \(5,\)"),
    "r of 0": (lambda c, y: bce3s.draw_negatives(y, 5, 0.0), r"r must lie within \(0, 1\], got 0"),
    "r above 1": (lambda c, y: bce3s.draw_negatives(y, 5, 1.1), r"r must lie within"),
    "scheme": (lambda c, y: bce3s.draw_negatives(y, 5, 0.5, "epoch"), "'sample' or 'batch', got 'epoch'"),
    "bank of another width": (
        lambda c, y: bce3s.contrastive_bce(c, y, torch.ones(5, 3)),
        r"\(B, p\) and a bank \(K, p\).*\(5, 3\)",
    ),
    "tau of 0": (lambda c, y: bce3s.contrastive_ce(c, y, torch.ones(5, 5), 0.0), "tau must be positive, got 0"),
    "seen of another shape": (
        lambda c, y: bce3s.contrastive_ce(c, y, torch.ones(5, 5), 1.0, torch.ones(4, dtype=torch.bool)),
        r"seen of shape \(5,\)",
    ),
    "one classifier vector": (lambda c, y: bce3s.uniform_bce(c[:1]), r"\(K, d\) of K >= 2 classes, got \(1, 5\)"),
    "beta of 1": (lambda c, y: bce3s.class_balanced_weights(COUNTS, 1.0), r"beta must lie within \[0, 1\)"),
    "an empty class": (lambda c, y: bce3s.class_balanced_weights(torch.tensor([3, 0])), r"at least one training image.*\[3, 0\]"),
    "one class": (lambda c, y: bce3s.class_balanced_weights(torch.tensor([3])), r"class counts of shape \(K,\)"),
    "counts of another shape": (
        lambda c, y: longtail.ldam(c, y, COUNTS[:4]),
        r"class counts of shape \(5,\), one per class, got \(4,\)",
    ),
    "gamma": (lambda c, y: longtail.class_balanced_focal(c, y, COUNTS, gamma=-1.0), "gamma must be at least 0"),
    "margin": (lambda c, y: longtail.ldam(c, y, COUNTS, max_margin=-1.0), "max_margin >= 0 and scale > 0"),
    "scale": (lambda c, y: longtail.ldam(c, y, COUNTS, scale=0.0), "max_margin >= 0 and scale > 0"),
    "bound": (lambda c, y: longtail.max_norm(c, 0.0), "bound must be positive"),
}


@pytest.mark.parametrize(("call", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(*draw())
