"""The training loop: a pure function of the spec, and a quick run that lands where the reference did."""

import contextlib
import math
import types

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lossbook.data.dataset import Split
from lossbook.heads import LinearHead
from lossbook.losses import fused, uniform
from lossbook.models import create_model
from lossbook.objectives import Objective, create_objective, list_objectives
from lossbook.papers.registry import get_paper
from lossbook.papers.results import load_results
from lossbook.runs import distributed
from lossbook.runs import train as training
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import exploded, train

TINY = RunSpec(model="mlp", image_size=7, epochs=2, lr=0.03, objective="bce-u")


def test_same_spec_same_result_and_callers_random_state_untouched():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = train(TINY), train(TINY)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.metrics == second.metrics
    assert first.curves == second.curves
    assert not torch.are_deterministic_algorithms_enabled()


def test_mixed_precision_is_the_same_training_but_for_rounding(monkeypatch):
    """In bfloat16 where the CPU has matrix units for it, in float32 elsewhere; the optimizer's step is fused in both."""
    spec = TINY.replace(model="cnn", image_size=14, objective="soft-d", train_per_class=50)
    plain, found = train(spec), []
    for units in (False, True):
        monkeypatch.setattr(distributed, "bfloat16_units", lambda units=units: units)
        assert train(spec).curves == plain.curves, "only the spec asks for it"
        found.append(train(spec.replace(mixed_precision=True)))
    in_float32, in_bfloat16 = found
    assert [plain.device, in_float32.device, in_bfloat16.device] == ["cpu", "cpu", "cpu, bfloat16"]
    assert in_float32.curves["train_loss"] == pytest.approx(plain.curves["train_loss"], rel=1e-4)
    assert in_bfloat16.curves["train_loss"] == pytest.approx(plain.curves["train_loss"], rel=0.02)
    assert in_bfloat16.curves["train_loss"] != in_float32.curves["train_loss"]


def test_another_seed_another_result():
    assert train(TINY).metrics != train(TINY.replace(seed=1)).metrics


def test_loss_falls_and_accuracies_are_ordered():
    result = train(TINY.replace(epochs=4))
    assert result.curves["train_loss"][-1] < result.curves["train_loss"][0]
    assert result.metrics["A_Uni"] <= result.metrics["A_CW"] <= result.metrics["A_SW"]
    assert len(result.curves["train_loss"]) == 4


@pytest.mark.parametrize("augment", [("shift",), ("flip",), ("shift", "flip"), ("cutout",)])
def test_augmented_runs_train(augment):
    assert train(TINY.replace(augment=augment, image_size=14)).metrics["diverged"] == 0


def test_a_run_that_diverges_is_a_result():
    result = train(TINY.replace(lr=1e30))
    assert result.metrics["diverged"] == 1
    assert "A_SW" not in result.metrics
    assert len(result.curves["train_loss"]) < 3


def test_a_last_step_that_ruins_the_weights_is_a_divergence():
    spec = RunSpec(objective="soft-0", dataset="digits", model="mlp", epochs=1, train_per_class=10, lr=1e30)
    metrics = train(spec).metrics
    assert math.isfinite(metrics["train_loss"]) and metrics["diverged"] == 1 and "A_SW" not in metrics


def test_a_run_that_explodes_says_so_and_is_measured():
    assert train(TINY).metrics["exploded"] == 0
    steep = TINY.replace(objective="euclidean-softmax", optimizer="adam", lr=30.0)
    metrics = train(steep).metrics
    assert (metrics["diverged"], metrics["exploded"]) == (0, 1)
    assert 0 <= metrics["train_accuracy"] <= 1 and "A_SW" in metrics
    assert [exploded(0.5, 9.0), exploded(0.5, 11.0), exploded(3.0, 11.0), exploded(1.0, math.inf)] == [False, True, False, False]


def test_a_bounded_term_that_joins_later_is_no_explosion():
    strong = TINY.replace(objective="bce3s", objective_args={"lambda_ss": 10.0})
    result = train(strong)
    assert result.curves["train_loss"][1] > 10 * result.curves["train_loss"][0]
    assert result.metrics["exploded"] == 0
    assert train(strong.replace(optimizer="adam", lr=30.0)).metrics["exploded"] == 1


def test_some_classes_and_the_unknown_rest():
    result = train(TINY.replace(classes=(1, 3, 5), suites=("uniformity", "rejection")))
    assert 0 <= result.metrics["rejection_train"] <= 1
    assert 0.5 < result.metrics["auroc"] <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"views": ("mixup",)},
        {"views": ("plain", "mixup", "cutmix")},
        {"batch_size": 20, "batch_classes": 4},
        {"optimizer": "adamw", "optimizer_args": {"eps": 1e-6}, "lr": 1e-3},
        {"optimizer": "adam", "lr": 1e-3, "gradient_clip": 0.01},
        {"embedding_size": 16},
        {"groups": ((0, 1), (2, 3), (4, 5))},
        {"imbalance": 10.0},
        {"lr_steps": (1,)},
        {"head_lr": 0.3},
    ],
    ids=str,
)
def test_every_way_of_training_learns(change):
    result = train(TINY.replace(epochs=3, **change))
    assert result.metrics["diverged"] == 0
    assert result.curves["train_loss"][-1] < result.curves["train_loss"][0]
    assert result.metrics["A_SW"] > 0.3


def test_a_second_phase_goes_on_with_the_same_weights():
    both = train(TINY.replace(second_phase={"epochs": 3, "lr": 1e-9}))
    assert len(both.curves["train_loss"]) == TINY.epochs + 3
    assert both.metrics["A_SW"] == pytest.approx(train(TINY).metrics["A_SW"], abs=0.05)
    assert both.curves["train_loss"][-1] < both.curves["train_loss"][0]


def test_a_curve_of_one_phase_only_has_no_value_in_the_other():
    spec = TINY.replace(objective="bce3s", second_phase={"epochs": 3, "objective_args": {"contrastive": None}})
    curves = train(spec).curves
    assert {len(values) for values in curves.values()} == {TINY.epochs + 3}
    assert [np.isfinite(value) for value in curves["contrastive_loss"]] == [True] * TINY.epochs + [False] * 3


def test_measuring_in_the_course_of_training_changes_nothing_else():
    """The order and the augmentation of the batches are random, and go on as if nothing had been measured."""
    spec = TINY.replace(epochs=5, augment=("shift",))
    plain, measured = train(spec), train(spec.replace(evaluate_every=2))
    assert measured.metrics == plain.metrics
    assert measured.curves["train_loss"] == plain.curves["train_loss"]
    course = np.array(measured.curves["A_SW"])
    assert np.isnan(course).tolist() == [True, False, True, False, True]
    assert course[3] > course[1]
    assert train(spec.replace(evaluate_every=5)).curves["A_SW"][-1] == plain.metrics["A_SW"]


def test_a_frozen_run_and_both_phases_are_measured_too():
    spec = TINY.replace(frozen=True, evaluate_every=1, second_phase={"lr": 0.01, "epochs": 1, "frozen": False})
    curves = train(spec).curves
    assert len(curves["A_SW"]) == 3
    assert np.isfinite(curves["A_SW"]).all()


def test_a_frozen_backbone_trains_on_cached_features():
    """With its features computed once, or anew for every batch: the same training."""
    cached = train(TINY.replace(second_phase={"frozen": True, "epochs": 2}))
    anew = train(TINY.replace(second_phase={"frozen": True, "epochs": 2, "views": ("mixup",), "mix_alpha": 1e6}))
    assert cached.curves["train_loss"][:2] == anew.curves["train_loss"][:2]
    assert cached.curves["train_loss"][-1] < anew.curves["train_loss"][-1], "mixed labels are harder"
    assert anew.metrics["A_SW"] > 0.5


def test_a_second_phase_cannot_start_from_nothing():
    with pytest.raises(ValueError, match=r"needs head\.bias, which the first phase has not trained"):
        train(TINY.replace(objective="bce-0", second_phase={"objective": "bce-u"}))


class Alternating(Objective):
    """Two steps per batch, one measured scalar, and a memory of what training has called."""

    steps_per_batch = 2

    def __init__(self, head):
        super().__init__(head, uniform.binary_cross_entropy)
        self.epochs, self.steps = [], 0

    def forward(self, features, labels):
        self.measured = {"spread": features.detach().std()}
        return super().forward(features, labels)

    def start_epoch(self, epoch, epochs):
        self.epochs.append((epoch, epochs))

    def after_step(self):
        self.steps += 1


def test_an_objective_follows_the_training(monkeypatch):
    made = []

    def create(*arguments, **others):
        made.append(Alternating(LinearHead(64, 10)))
        return made[-1]

    monkeypatch.setattr(training, "create_objective", create)
    result = train(TINY)
    assert made[0].epochs == [(0, 2), (1, 2)]
    assert made[0].steps == 2 * 2 * 20
    assert len(result.curves["spread"]) == 2


# Waiting for the device ---------------------------------------------------------------------------------------------

# These losses of pytorch-metric-learning look at the labels on the host, at every step.
WAITING = {"proxy-anchor", "arcface", "cosface", "subcenter-arcface", "multi-similarity", "contrastive"}
STEPS = 4


class Waits(TorchDispatchMode):
    """The shapes of what was copied to another device while the host waited."""

    def __init__(self):
        super().__init__()
        self.copies = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        keywords = keywords or {}
        if function is torch.ops.aten._to_copy.default:
            source, target = arguments[0].device, keywords.get("device") or arguments[0].device
            if source != target and not keywords.get("non_blocking"):
                self.copies.append(tuple(arguments[0].shape))
        return function(*arguments, **keywords)


def steps_without_a_look(change):
    """The steps made before a number on the device is first asked for, which a meta tensor refuses; and all copies."""
    spec = TINY.replace(model="cnn", epochs=2, batch_size=10, **change)
    backbone, num_features = create_model(spec.model, in_channels=1)
    objective = create_objective(spec.objective, num_features, 10, torch.full((10,), 4))
    steps, after_step = [], objective.after_step
    objective.after_step = lambda: steps.append(after_step())
    split = Split(torch.zeros(10 * STEPS, 1, 14, 14, dtype=torch.uint8), torch.zeros(10 * STEPS, dtype=torch.int64))
    fabric = types.SimpleNamespace(
        device=torch.device("meta"),
        is_global_zero=False,
        world_size=1,
        setup=lambda model, optimizer: (model, optimizer),
        backward=lambda loss: loss.backward(),
        clip_gradients=lambda model, optimizer, clip_val: torch.nn.utils.clip_grad_value_(model.parameters(), clip_val),
    )
    arguments = backbone.to("meta"), objective.to("meta"), Split(split.images.to("meta"), split.labels.to("meta")), spec, dict
    with Waits() as waits, pytest.raises(RuntimeError, match=r"meta tensor|for torch.nonzero|unsupported scalarType"):
        training._fit(fabric, *arguments)
    return len(steps) / objective.steps_per_batch, waits.copies


@pytest.mark.parametrize(
    "change",
    [
        *({"objective": name} for name in list_objectives() if name not in WAITING),
        {"augment": ("shift", "flip", "cutout")},
        {"views": ("plain", "mixup", "cutmix")},
        {"gradient_clip": 0.1},
    ],
    ids=str,
)
def test_no_step_waits_for_the_device(change):
    """All steps of the first epoch are made before the first look at a number, and nothing stops for a copy."""
    steps, copies = steps_without_a_look(change)
    assert steps == STEPS
    assert copies[0] == (10 * STEPS,), "the epoch's order"
    assert len(copies) == 2, copies  # and the attempt to read the epoch's sums


def test_no_step_of_adamw_waits_either(monkeypatch):
    """Its fused step knows no meta device, so that its other one takes its place."""
    adamw = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, fused, **more: adamw(groups, foreach=fused, **more))
    test_no_step_waits_for_the_device({"optimizer": "adamw"})


@pytest.mark.parametrize("name", ["soft-d", "soft-nd", "bce-d", "bce-nu", "bce-di", "uce", "occe", "ce+occe"])
def test_no_step_fused_loss_waits_either(name, monkeypatch):
    monkeypatch.setattr(fused, "LARGE", 0)
    # Autocast knows no meta device.
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    test_no_step_waits_for_the_device({"objective": name})


@pytest.mark.parametrize("name", sorted(WAITING))
def test_which_objectives_wait(name):
    assert steps_without_a_look({"objective": name})[0] == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("change", [{}, {"augment": ("shift", "flip")}, {"views": ("plain", "mixup", "cutmix")}], ids=str)
def test_cuda_itself_finds_no_wait(change, monkeypatch):
    """torch refuses to wait from the second step of an epoch to its last."""
    made = []

    def create(*arguments, **others):
        made.append(create_objective(*arguments, **others))
        steps = iter(range(2 * 20))

        def after_step():
            torch.cuda.set_sync_debug_mode("error" if next(steps) % 20 < 19 else "default")

        made[-1].after_step = after_step
        return made[-1]

    monkeypatch.setattr(training, "create_objective", create)
    try:
        train(TINY.replace(**change))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "bce-x"}, "unknown objective 'bce-x'"),
        ({"dataset": "mnist"}, "unknown data set 'mnist'"),
        ({"model": "cnnn"}, "unknown model 'cnnn'"),
        ({"augment": ("rotate",)}, "unknown augmentation 'rotate'"),
        ({"views": ("mix",)}, "unknown view 'mix'"),
        ({"optimizer": "lion"}, "unknown optimizer 'lion'; expected one of sgd, adam, adamw"),
        ({"suites": ("uniform",)}, "unknown suite 'uniform'"),
        ({"suites": ("rejection",)}, "needs RunSpec.classes"),
        ({"classes": (1, 1)}, "at least two different classes"),
        ({"classes": (1, 10)}, "within 0..9"),
    ],
)
def test_a_wrong_name_says_what_was_expected(change, message):
    with pytest.raises(ValueError, match=message):
        train(TINY.replace(epochs=1, **change))


@pytest.mark.slow
def test_a_retrained_quick_run_agrees_with_the_reference():
    """Other processors round otherwise: the mean over the seeds must lie within four standard errors, not be equal."""
    evidence = get_paper("uniform").evidence
    reference = load_results("results", "quick", evidence)
    chosen = [s for s in evidence.table("II").runs("quick") if s.objective == "bce-nu" and s.model == "mlp"]
    rows = reference[(reference["table"] == "II") & reference["run_id"].isin([spec.run_id for spec in chosen])]
    assert len(rows) == len(chosen) >= 3
    results = [train(spec).metrics for spec in chosen[:3]]
    for metric in ("A_SW", "A_CW", "A_Uni"):
        new, old = np.array([r[metric] for r in results]), rows[metric].to_numpy()
        error = np.sqrt(new.var(ddof=1) / len(new) + old.var(ddof=1) / len(old))
        assert abs(new.mean() - old.mean()) <= max(4 * error, 0.002), metric
