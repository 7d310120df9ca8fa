"""The objectives of `bce3s` and its long-tailed baselines: terms, memory bank, options, phases of training."""

import itertools
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossbook.heads import CosineHead
from lossbook.losses import bce3s, longtail
from lossbook.objectives import create_objective
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites import geometry
from lossbook.runs.train import train

FEATURES, CLASSES, BATCH = 8, 5, 12
COUNTS = torch.tensor([40, 20, 10, 5, 2])
COMBINATIONS = list(itertools.product(("bce", "ce"), (None, "bce", "ce"), (None, "bce", "ce")))
JOINT_ONLY = {"contrastive": None, "uniform": None}


def build(name="bce3s", device="cpu", **arguments):
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS, **arguments).to(device)
    features = torch.randn(BATCH, FEATURES, device=device)
    return objective, features, torch.tensor([0, 0, 0, 1, 1, 2, 0, 1, 2, 3, 0, 3], device=device)


# The three terms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("joint", "contrastive", "uniform"), COMBINATIONS)
def test_the_loss_is_the_weighted_sum_of_its_terms(joint, contrastive, uniform, device):
    objective, features, labels = build(
        device=device, joint=joint, contrastive=contrastive, uniform=uniform, lambda_ss=0.3, lambda_cc=0.7, tau=0.5, r=1.0
    )
    objective(features, labels)  # fills the bank
    bank = None if contrastive is None else (objective.bank.clone(), objective.seen.clone())
    loss = objective(features.flip(0), labels.flip(0))
    weight = F.normalize(objective.head.weight, dim=1)
    logits = features.flip(0) @ weight.T + objective.head.bias
    expected = {"joint_loss": getattr(bce3s, f"joint_{joint}")(logits, labels.flip(0))}
    total = expected["joint_loss"]
    if contrastive is not None:
        term = getattr(bce3s, f"contrastive_{contrastive}")
        projections = objective.projector(features.flip(0))
        expected["contrastive_loss"] = term(projections, labels.flip(0), bank[0], 0.5, bank[1])
        total = total + 0.3 * expected["contrastive_loss"]
    if uniform is not None:
        form = {"bce": lambda w: bce3s.uniform_bce(w, constant=False), "ce": bce3s.uniform_ce}[uniform]
        expected["uniform_loss"] = form(objective.head.weight)
        total = total + 0.7 * expected["uniform_loss"]
    torch.testing.assert_close(loss, total)
    assert objective.measured.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(objective.measured[name], value.detach())
        assert not objective.measured[name].requires_grad


def test_ce3s_is_bce3s_with_other_forms():
    ce3s, features, labels = build("ce3s")
    same = build(joint="ce", contrastive="ce", uniform="ce")[0]
    assert ce3s(features, labels) == same(features, labels)
    assert build("ce3s", uniform="bce")[0].uniform == "bce"


def test_prediction_uses_the_head_alone():
    objective, features, _ = build()
    torch.testing.assert_close(objective.logits(features), objective.head(features))
    torch.testing.assert_close(objective.threshold(), -objective.head.bias.detach())


@pytest.mark.parametrize("normalise", ["neither", "features", "classifier", "both"])
def test_normalisation_of_table_6(normalise):
    objective, features, _ = build(normalise=normalise, **JOINT_ONLY)
    x = F.normalize(features, dim=1) if normalise in ("features", "both") else features
    weight = objective.head.weight
    w = F.normalize(weight, dim=1) if normalise in ("classifier", "both") else weight
    torch.testing.assert_close(objective.head.similarities(features), x @ w.T)
    torch.testing.assert_close(objective.logits(features), x @ w.T + objective.head.bias)


def test_the_loss_is_the_mean_over_the_batch():
    objective, features, labels = build()
    objective(features, labels)
    objective.eval()
    singles = [objective(features[m : m + 1], labels[m : m + 1]) for m in range(BATCH)]
    torch.testing.assert_close(torch.stack(singles).mean(), objective(features, labels))


# Negative re-sampling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resampling", ["sample", "batch"])
def test_negatives_are_drawn_in_training_only(resampling):
    objective, features, labels = build(r=0.4, resampling=resampling, **JOINT_ONLY)
    full = bce3s.joint_bce(objective.logits(features), labels)
    torch.manual_seed(3)
    drawn = objective(features, labels)
    torch.manual_seed(3)
    keep = bce3s.draw_negatives(labels, CLASSES, 0.4, resampling)
    torch.testing.assert_close(drawn, bce3s.joint_bce(objective.logits(features), labels, keep))
    assert drawn < full
    torch.testing.assert_close(objective.eval()(features, labels), full)


def test_ce_draws_nothing():
    objective, features, labels = build(joint="ce", r=0.4, **JOINT_ONLY)
    before = torch.random.get_rng_state()
    objective(features, labels)
    assert torch.equal(torch.random.get_rng_state(), before)


# Memory bank ------------------------------------------------------------------------------------------------------


def test_the_bank_holds_the_last_projection_of_every_class_seen(device):
    objective, features, labels = build(device=device)
    objective(features, labels)
    projections = objective.projector(features)
    for k in range(CLASSES):
        own = (labels == k).nonzero().flatten()
        assert bool(objective.seen[k]) == bool(len(own))
        expected = projections[own[-1]] if len(own) else torch.zeros_like(projections[0])
        torch.testing.assert_close(objective.bank[k], expected)
    assert objective.bank.device == features.device


def test_the_first_batch_has_no_contrastive_term_as_nothing_is_seen():
    objective, features, labels = build()
    objective(features, labels)
    assert objective.measured["contrastive_loss"] == 0
    objective(features, labels)
    assert objective.measured["contrastive_loss"] > 0


def test_evaluation_leaves_the_bank_alone():
    objective, features, labels = build()
    objective.eval()(features, labels)
    assert not objective.seen.any()


def test_the_bank_is_checkpointed():
    objective, features, labels = build()
    objective(features, labels)
    other = build()[0]
    other.load_state_dict(objective.state_dict())
    assert torch.equal(other.bank, objective.bank)
    assert torch.equal(other.seen, objective.seen)
    for one in (objective, other):
        one.eval()
    assert other(features, labels) == objective(features, labels)


def test_two_forwards_before_one_backward():
    """Several views of a batch: the bank changes while the first graph still waits."""
    objective, features, labels = build()
    loss = (
        objective(features, labels) + objective(features + 0.1, labels) + objective.mixed(features, labels, labels.roll(1), 0.5)
    )
    loss.backward()
    assert all(p.grad.isfinite().all() for p in objective.parameters())


def test_the_first_epoch_measures_the_contrastive_term_without_adding_it():
    objective, features, labels = build(r=1.0)
    objective(features, labels)
    objective.eval()
    objective.start_epoch(0, 5)
    without = objective(features, labels)
    assert objective.measured["contrastive_loss"] > 0
    objective.start_epoch(1, 5)
    torch.testing.assert_close(objective(features, labels) - without, 0.1 * objective.measured["contrastive_loss"])


def test_autocast(device):
    objective, features, labels = build(device=device, r=1.0)
    objective(features, labels)
    exact = objective(features, labels)
    with torch.autocast(device.type, torch.bfloat16):
        value = objective(features, labels)
    value.backward()
    assert value.dtype == torch.float32
    assert objective.bank.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=2e-2)


# Mixed images -----------------------------------------------------------------------------------------------------


def test_mixed_images_interpolate_all_but_the_uniform_term():
    objective, features, labels = build(r=1.0)
    objective(features, labels)
    bank = objective.bank.clone()
    partners = labels.roll(1)
    mixed = objective.mixed(features, labels, partners, 0.3)
    uniform = objective.measured["uniform_loss"]
    assert torch.equal(objective.bank, bank)  # a mixed image is of no class
    objective.eval()
    own, other = objective(features, labels), objective(features, partners)
    torch.testing.assert_close(mixed, 0.3 * own + 0.7 * other)
    torch.testing.assert_close(objective.measured["uniform_loss"], uniform)


def test_both_labels_of_a_mixed_image_meet_the_same_negatives():
    objective, features, labels = build(r=0.5, **JOINT_ONLY)
    partners = labels.roll(1)
    torch.manual_seed(4)
    mixed = objective.mixed(features, labels, partners, 0.3)
    torch.manual_seed(4)
    keep = bce3s.draw_negatives(labels, CLASSES, 0.5)
    logits = objective.logits(features)
    terms = [bce3s.joint_bce(logits, target, keep) for target in (labels, partners)]
    torch.testing.assert_close(mixed, 0.3 * terms[0] + 0.7 * terms[1])


def test_the_negative_parts_of_both_classes_are_what_the_authors_mixed_joint_term_lacks():
    """There the positives count by their shares, and the negatives are the classes of neither label."""
    objective, features, labels = build(r=1.0, **JOINT_ONLY)
    partners, share = labels.roll(2), 0.3
    logits = objective.logits(features)
    own, other = F.one_hot(labels, CLASSES), F.one_hot(partners, CLASSES)
    shares = share * own + (1 - share) * other
    theirs = (shares * F.softplus(-logits) + (shares == 0) * F.softplus(logits)).sum(1).mean()
    lacking = ((1 - shares) * (shares > 0) * F.softplus(logits)).sum(1).mean()
    assert lacking > 0.1
    torch.testing.assert_close(objective.mixed(features, labels, partners, share), theirs + lacking)


# Class-balanced weights and MaxNorm -------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", ["bce", "ce"])
def test_class_balanced_weights_reach_the_joint_term(joint):
    objective, features, labels = build(joint=joint, beta=0.9, r=1.0, **JOINT_ONLY)
    weights = bce3s.class_balanced_weights(COUNTS, 0.9, normalise=True)
    expected = getattr(bce3s, f"joint_{joint}")(objective.logits(features), labels, class_weights=weights)
    torch.testing.assert_close(objective(features, labels), expected)
    assert "class_weights" not in objective.state_dict()  # a first phase without them must still load


@pytest.mark.parametrize("name", ["bce3s", "ce3s", "weight-balancing"])
def test_class_balanced_weights_have_the_scale_of_the_authors_code(name):
    """Inverse counts, near enough, with a mean of 1 over the classes: what the printed rate of the second stage is for."""
    inverse = 1 / COUNTS
    torch.testing.assert_close(build(name, beta=0.9999)[0].class_weights, inverse / inverse.mean(), rtol=0.01, atol=0.0)


@pytest.mark.parametrize("name", ["bce3s", "weight-balancing"])
def test_max_norm_holds_after_a_step(name):
    objective = build(name, max_norm=0.2)[0]
    direction = F.normalize(objective.head.weight.detach(), dim=1)
    objective.after_step()
    assert objective.head.weight.norm(dim=1).max() <= 0.2 + 1e-6
    torch.testing.assert_close(F.normalize(objective.head.weight.detach(), dim=1), direction)
    free = build(name)[0]
    before = free.head.weight.clone()
    free.after_step()
    assert torch.equal(free.head.weight, before)


# Baselines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "loss"),
    [
        ("cb-focal", {"beta": 0.99, "gamma": 2.0}, lambda c, y: longtail.class_balanced_focal(c, y, COUNTS, 0.99, 2.0)),
        ("ldam", {"scale": 8.0, "max_margin": 0.3}, lambda c, y: longtail.ldam(c, y, COUNTS, 0.3, 8.0)),
        ("balanced-softmax", {}, lambda c, y: longtail.balanced_softmax(c, y, COUNTS)),
        ("weight-balancing", {}, F.cross_entropy),
        (
            "weight-balancing",
            {"beta": 0.9},
            lambda c, y: bce3s.joint_ce(c, y, bce3s.class_balanced_weights(COUNTS, 0.9, normalise=True)),
        ),
    ],
)
def test_baselines(name, arguments, loss):
    objective, features, labels = build(name, **arguments)
    torch.testing.assert_close(objective(features, labels), loss(objective.head(features), labels))


def test_ldam_has_a_cosine_head_of_its_scale():
    head = build("ldam", scale=8.0)[0].head
    assert isinstance(head, CosineHead)
    assert head.scale == 8


def test_logit_adjustment_trains_with_ce_and_predicts_without_the_prior():
    objective, features, labels = build("logit-adjustment", strength=0.5)
    logits = objective.head(features)
    torch.testing.assert_close(objective(features, labels), F.cross_entropy(logits, labels))
    torch.testing.assert_close(objective.logits(features), logits - 0.5 * (COUNTS / COUNTS.sum()).log())


# Refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"joint": "mse"}, "joint must be one of 'bce', 'ce', got 'mse'"),
        ({"joint": None}, "joint must be one of 'bce', 'ce', got None"),
        ({"contrastive": "mse"}, "contrastive must be one of None, 'bce', 'ce'"),
        ({"uniform": "etf"}, "uniform must be one of None, 'bce', 'ce'"),
        ({"resampling": "epoch"}, "resampling must be one of 'sample', 'batch'"),
        ({"normalise": "all"}, "normalise must be one of 'neither', 'features', 'classifier', 'both', got 'all'"),
        ({"r": 0.0}, "0 < r <= 1"),
        ({"tau": 0.0}, "tau > 0"),
        ({"lambda_cc": -1.0}, "weights >= 0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_objective("bce3s", FEATURES, CLASSES, **arguments)


def test_re_balancing_needs_the_counts():
    with pytest.raises(ValueError, match="pass class_counts"):
        create_objective("bce3s", FEATURES, CLASSES, beta=0.9)
    for name in ("cb-focal", "ldam", "balanced-softmax", "logit-adjustment", "weight-balancing"):
        with pytest.raises(TypeError, match=f"objective '{name}'.*class_counts"):
            create_objective(name, FEATURES, CLASSES)
        with pytest.raises(ValueError, match="at least one training image of every class"):
            create_objective(
                name, FEATURES, CLASSES, torch.tensor([4, 3, 2, 1, 0]), **({"beta": 0.9} if "weight" in name else {})
            )


@pytest.mark.parametrize("name", ["bce3s", "ce3s", "ldam", "weight-balancing"])
def test_unknown_argument_is_named(name):
    with pytest.raises(TypeError, match=f"objective '{name}' does not take these arguments.*depth"):
        create_objective(name, FEATURES, CLASSES, COUNTS, depth=1)


# Training ---------------------------------------------------------------------------------------------------------

TAIL = RunSpec(
    objective="bce3s",
    dataset="digits",
    model="mlp",
    train_per_class=40,
    imbalance=20.0,
    epochs=3,
    batch_size=30,
    lr=0.05,
    suites=("longtail", "geometry"),
)


def test_a_run_measures_the_tail_and_the_geometry():
    result = train(TAIL)
    assert {"joint_loss", "contrastive_loss", "uniform_loss"} <= result.curves.keys()
    assert {len(curve) for curve in result.curves.values()} == {3}
    metrics = result.metrics
    assert metrics["accuracy_many"] != metrics["accuracy_many"]  # no class has more than 100 images
    assert 0 < metrics["accuracy_all"] <= 1
    assert 50 < metrics["compactness_train"] <= 100
    assert metrics["classifier_separability"] == pytest.approx(500 / 9, abs=2)
    images = [row["images"] for row in result.small_tables["accuracies"]]
    assert images == [row["images"] for row in result.small_tables["geometry"]]
    assert images[0] == 40
    assert images[-1] == 2
    weighted = sum(row["accuracy"] for row in result.small_tables["accuracies"]) / 10
    assert weighted == pytest.approx(metrics["accuracy_all"], abs=0.05)  # the test classes are nearly equally large
    pairs = [100 * row["separability"] for row in result.small_tables["separability"] if row["row"] != row["column"]]
    assert len(pairs) == 90
    assert metrics["pair_separability_min"] == pytest.approx(min(pairs))
    assert metrics["pair_separability_std"] == pytest.approx(statistics.pstdev(pairs))


def test_separability_is_of_the_vectors_as_the_metrics_see_them():
    for normalise in ("neither", "classifier"):
        objective = build(normalise=normalise)[0]
        weight = objective.head.weight.detach()
        expected = F.normalize(weight, dim=1) if normalise == "classifier" else weight
        torch.testing.assert_close(geometry._classifier_vectors(objective, FEATURES), expected)


@pytest.mark.parametrize("form", ["bce", "ce"])
def test_a_second_stage_moves_the_classifier_only(form):
    spec = TAIL.replace(objective_args={"joint": form, "contrastive": form, "uniform": form})
    terms = {"contrastive": None, "uniform": None, "beta": 0.9999, "max_norm": 0.3}
    one, two = train(spec), train(spec.replace(second_phase={"frozen": True, "epochs": 2, "lr": 0.5, "objective_args": terms}))
    assert one.metrics["compactness_test"] == two.metrics["compactness_test"]
    assert one.metrics["classifier_separability_std"] != two.metrics["classifier_separability_std"]
    assert np.isfinite(two.curves["joint_loss"]).all()
    assert np.isfinite(two.curves["uniform_loss"]).tolist() == [True] * 3 + [False] * 2, "only the first stage has the term"


def test_views_and_determinism():
    spec = TAIL.replace(views=("plain", "mixup", "cutmix"), suites=("longtail",), epochs=2)
    assert train(spec).curves == train(spec).curves


def test_tsne_places_thirty_test_images_a_class():
    spec = TAIL.replace(epochs=1, suites=("tsne",))
    rows = train(spec).small_tables["tsne"]
    assert [sum(row["label"] == k for row in rows) for k in range(10)] == [30] * 10
    assert rows == train(spec).small_tables["tsne"]
