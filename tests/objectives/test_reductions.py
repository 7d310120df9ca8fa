"""What holds for every objective under weights, reductions, ignored samples, soft targets and shares per sample."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.objectives.create import create_objective
from lossbook.objectives.objective import Objective
from lossbook.objectives.registry import OBJECTIVES

FEATURES, CLASSES = 8, 5
COUNTS = [20, 10, 5, 3, 2]
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
REPEATS = torch.tensor([2, 0, 1, 3, 1, 1, 2, 1])

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


def build(name: str, **arguments) -> tuple[Objective, Tensor]:
    """In evaluation mode, where the loss is a function of its input."""
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments).eval()
    return objective, torch.randn(len(LABELS), FEATURES)


def _per_sample() -> list[str]:
    return [name for name in OBJECTIVES if build(name)[0].per_sample]


def _with(attribute: str) -> list[str]:
    return [name for name in OBJECTIVES if getattr(build(name)[0], attribute)]


def _with_fused_form() -> list[str]:
    return [name for name in OBJECTIVES if build(name)[0].has_fused_form]


per_sample = pytest.mark.parametrize("name", _per_sample())
fused_too = pytest.mark.parametrize("fused", [False, True])
soft = pytest.mark.parametrize("name", _with("soft_targets"))


def test_only_losses_of_pairs_and_proxies_have_no_loss_per_sample():
    assert set(OBJECTIVES) - set(_per_sample()) == {"proxy-anchor", "multi-similarity", "contrastive"}


# Reductions and weights ------------------------------------------------------------------------------------------


@per_sample
def test_the_loss_is_the_mean_of_the_losses_per_sample(name):
    objective, features = build(name)
    losses = objective(features, LABELS, reduction="none")
    assert losses.shape == LABELS.shape
    torch.testing.assert_close(losses.mean(), objective(features, LABELS))
    torch.testing.assert_close(losses.sum(), objective(features, LABELS, reduction="sum"))
    torch.testing.assert_close(losses[2:3], objective(features[2:3], LABELS[2:3], reduction="none"))


@per_sample
def test_a_whole_weight_counts_a_sample_that_often(name):
    objective, features = build(name)
    weighted = objective(features, LABELS, sample_weight=REPEATS.float())
    repeated = objective(features.repeat_interleave(REPEATS, 0), LABELS.repeat_interleave(REPEATS))
    torch.testing.assert_close(weighted, repeated)


@per_sample
def test_a_weight_per_class_is_that_of_each_of_its_samples(name):
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0, 3.0])
    objective, features = build(name, weight=weight)
    plain, _ = build(name)
    for reduction in ("mean", "sum", "none"):
        torch.testing.assert_close(
            objective(features, LABELS, reduction=reduction),
            plain(features, LABELS, sample_weight=weight[LABELS], reduction=reduction),
        )


def test_a_weighted_softmax_is_torchs():
    weight = [0.5, 1.0, 2.0, 0.1, 3.0]
    objective, features = build("soft-d", weight=weight)
    expected = F.cross_entropy(objective.head(features), LABELS, torch.tensor(weight))
    torch.testing.assert_close(objective(features, LABELS), expected)


@pytest.mark.parametrize("name", _with_fused_form())
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fused_pass_is_the_same(name, reduction, weighted):
    results = []
    for fused in (False, True):
        objective, features = build(name, fused=fused)
        features.requires_grad_()
        weights = REPEATS.float() if weighted else None
        loss = objective(features, LABELS, sample_weight=weights, reduction=reduction)
        (loss * torch.linspace(1, 2, loss.numel()).view_as(loss)).sum().backward()
        results.append([loss.detach(), features.grad, *(p.grad for p in objective.parameters() if p.grad is not None)])
    for plain, one_pass in zip(*results, strict=True):
        torch.testing.assert_close(one_pass, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["proxy-anchor", "multi-similarity", "contrastive"])
def test_a_loss_of_pairs_refuses_weights(name):
    objective, features = build(name)
    with pytest.raises(TypeError, match="no loss per sample"):
        objective(features, LABELS, sample_weight=torch.ones(len(LABELS)))
    with pytest.raises(TypeError, match="no loss per sample"):
        objective(features, LABELS, reduction="sum")


# Ignored samples -------------------------------------------------------------------------------------------------


@every_objective
def test_ignored_samples_are_as_if_absent(name):
    objective, features = build(name, ignore_index=-100)
    labels = LABELS.clone()
    labels[[1, 5]] = -100
    kept = labels != -100
    torch.testing.assert_close(objective(features, labels), build(name)[0](features[kept], labels[kept]), rtol=0, atol=0)


@per_sample
def test_an_ignored_sample_has_the_loss_zero(name):
    objective, features = build(name, ignore_index=-100)
    kept = LABELS != 1
    losses = objective(features, LABELS.where(kept, -100), reduction="none")
    assert not losses[~kept].any()
    torch.testing.assert_close(losses[kept], objective(features[kept], LABELS[kept], reduction="none"))


@every_objective
def test_a_batch_of_ignored_samples_gives_zero_and_zero_gradients(name):
    objective, features = build(name, ignore_index=255)
    loss = objective.train()(features.requires_grad_(), torch.full_like(LABELS, 255))
    loss.backward()
    trained = [p for p in objective.parameters() if p.requires_grad]
    assert loss == 0
    assert all(p.grad is not None and not p.grad.any() for p in [features, *trained])


@every_objective
def test_without_ignore_index_the_label_is_out_of_range(name):
    objective, features = build(name)
    with pytest.raises(ValueError, match=r"labels within 0\.\.4, got values from -100"):
        objective(features, LABELS.where(LABELS != 1, -100))


def test_a_class_cannot_be_ignored():
    with pytest.raises(ValueError, match=r"ignore_index outside 0\.\.4"):
        create_objective("bce-nu", FEATURES, CLASSES, ignore_index=2)


# Soft targets and shares -----------------------------------------------------------------------------------------


@soft
def test_a_soft_target_of_one_class_is_its_label(name):
    objective, features = build(name)
    torch.testing.assert_close(objective(features, F.one_hot(LABELS, CLASSES).float()), objective(features, LABELS))


@soft
@fused_too
def test_a_soft_target_mixes_the_losses(name, fused):
    if fused and name not in _with_fused_form():
        pytest.skip("this loss has no fused form")
    objective, features = build(name, fused=fused)
    targets = 0.3 * F.one_hot(LABELS, CLASSES).float() + 0.7 * F.one_hot(LABELS.roll(1), CLASSES)
    mixture = 0.3 * objective(features, LABELS) + 0.7 * objective(features, LABELS.roll(1))
    torch.testing.assert_close(objective(features, targets), mixture)


@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - set(_with("soft_targets"))))
def test_elsewhere_soft_targets_are_refused(name):
    objective, features = build(name)
    with pytest.raises((TypeError, ValueError), match=r"labels of (shape|dtype)"):
        objective(features, F.one_hot(LABELS, CLASSES).float())


@per_sample
def test_shares_per_sample(name):
    objective, features = build(name)
    partners, share = LABELS.roll(1), torch.linspace(0, 1, len(LABELS))
    both = (objective(features, labels, reduction="none") for labels in (LABELS, partners))
    expected = (torch.stack([share, 1 - share]) * torch.stack(list(both))).sum(0).mean()
    torch.testing.assert_close(objective.mixed(features, LABELS, partners, share), expected)
    torch.testing.assert_close(
        objective.mixed(features, LABELS, partners, torch.full_like(share, 0.3)),
        objective.mixed(features, LABELS, partners, 0.3),
    )


@every_objective
@pytest.mark.parametrize("share", [1.7, -0.1, torch.full((8,), 1.2), torch.full((3,), 0.5)])
def test_a_wrong_share(name, share):
    objective, features = build(name)
    with pytest.raises(ValueError, match=r"shares? within \[0, 1\]|share or one per sample"):
        objective.mixed(features, LABELS, LABELS.roll(1), share)


# Refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (torch.ones(3), ValueError, r"sample_weight of shape \(8,\)"),
        (torch.ones(8, dtype=torch.int64), TypeError, "floating-point sample_weight"),
        (torch.linspace(-1, 1, 8), ValueError, "sample_weight >= 0"),
        (torch.full((8,), torch.inf), ValueError, "finite"),
        ([1.0] * 8, TypeError, "as a tensor, got list"),
    ],
)
def test_a_wrong_sample_weight(weight, error, message):
    objective, features = build("bce-nu")
    with pytest.raises(error, match=message):
        objective(features, LABELS, sample_weight=weight)


@pytest.mark.parametrize("weight", [[1.0, 2.0], [1.0, 1.0, -1.0, 1.0, 1.0], [0.0] * 5])
def test_a_wrong_weight_per_class(weight):
    with pytest.raises(ValueError, match=r"weight of shape \(5,\)|weights that are finite, >= 0"):
        build("bce-nu", weight=weight)


def test_a_soft_target_has_no_class_to_weigh():
    objective, features = build("bce-nu", weight=[1.0] * CLASSES)
    with pytest.raises(TypeError, match="pass sample_weight"):
        objective(features, F.one_hot(LABELS, CLASSES).float())


def test_an_unknown_reduction():
    objective, features = build("bce-nu")
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        objective(features, LABELS, reduction="average")


def test_a_loss_without_a_fused_form_says_so():
    with pytest.raises(ValueError, match="no fused form"):
        build("focal", fused=True)


# Found by use -----------------------------------------------------------------------------------------------------


MIXES_ITSELF = {"bce3s", "ce3s", "multicenter", "multicenter-lsoftmax", "multicenter-arc"}


@pytest.mark.parametrize("name", [name for name in _per_sample() if name not in MIXES_ITSELF])
def test_shares_per_sample_are_weighted_as_one_share_is(name):
    objective, features = build(name, weight=[0.5, 1.0, 2.0, 1.0, 3.0], ignore_index=-100)
    labels = LABELS.where(LABELS != 1, -100)
    mixed = [objective.mixed(features, labels, labels.roll(1), share) for share in (0.3, torch.full((8,), 0.3))]
    torch.testing.assert_close(*mixed)


@pytest.mark.parametrize("name", sorted(MIXES_ITSELF))
def test_an_objective_that_mixes_inside_its_loss_refuses_weights_and_checks_its_input(name):
    objective, features = build(name, weight=[1.0] * CLASSES)
    with pytest.raises(ValueError, match="without a weight per class"):
        objective.mixed(features, LABELS, LABELS.roll(1), 0.3)
    objective, features = build(name)
    with pytest.raises(ValueError, match=r"labels within 0\.\.4"):
        objective.mixed(features, LABELS, LABELS + 1, 0.3)
    with pytest.raises(ValueError, match=r"features of shape \(B, 8\)"):
        objective.mixed(features[:, 1:], LABELS, LABELS, 0.3)


@pytest.mark.parametrize("fused", [False, True])
def test_weights_and_soft_targets_may_have_gradients(fused):
    objective, features = build("soft-d", fused=fused)
    weights, targets = torch.ones(8, requires_grad=True), torch.full((8, CLASSES), 0.2, requires_grad=True)
    objective(features, LABELS, sample_weight=weights).backward()
    objective(features, targets).backward()
    assert weights.grad is not None and weights.grad.any()
    assert targets.grad is not None and targets.grad.any()
