"""The training loop: a pure function of the spec, and a quick run that lands where the reference did."""

import numpy as np
import pytest
import torch

from lossbook.experiments import get_paper
from lossbook.results import load_results
from lossbook.specs import RunSpec
from lossbook.training import train

TINY = RunSpec(model="mlp", image_size=7, epochs=2, lr=0.03, objective="bce-u")


def test_same_spec_same_result_and_callers_random_state_untouched():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = train(TINY), train(TINY)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.metrics == second.metrics
    assert first.curves == second.curves
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_seed_another_result():
    assert train(TINY).metrics != train(TINY.replace(seed=1)).metrics


def test_loss_falls_and_accuracies_are_ordered():
    result = train(TINY.replace(epochs=4))
    assert result.curves["train_loss"][-1] < result.curves["train_loss"][0]
    assert result.metrics["A_Uni"] <= result.metrics["A_CW"] <= result.metrics["A_SW"]
    assert len(result.curves["train_loss"]) == 4


@pytest.mark.parametrize("augment", [("shift",), ("flip",), ("shift", "flip")])
def test_augmented_runs_train(augment):
    assert train(TINY.replace(augment=augment, image_size=14)).metrics["diverged"] == 0


def test_a_run_that_diverges_is_a_result():
    result = train(TINY.replace(lr=1e30))
    assert result.metrics["diverged"] == 1
    assert "A_SW" not in result.metrics
    assert len(result.curves["train_loss"]) < 3


def test_some_classes_and_the_unknown_rest():
    result = train(TINY.replace(classes=(1, 3, 5), evaluations=("uniformity", "rejection")))
    assert 0 <= result.metrics["rejection_train"] <= 1
    assert 0.5 < result.metrics["auroc"] <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "bce-x"}, "unknown objective 'bce-x'"),
        ({"dataset": "mnist"}, "unknown data set 'mnist'"),
        ({"model": "cnnn"}, "unknown model 'cnnn'"),
        ({"augment": ("rotate",)}, "unknown augmentation 'rotate'"),
        ({"evaluations": ("uniform",)}, "unknown evaluation 'uniform'"),
        ({"evaluations": ("rejection",)}, "needs RunSpec.classes"),
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
    reference = load_results("results", "quick", "uniform")
    chosen = [s for s in get_paper("uniform").table("II").runs("quick") if s.objective == "bce-nu" and s.model == "mlp"]
    rows = reference[(reference["table"] == "II") & reference["run_id"].isin([spec.run_id for spec in chosen])]
    assert len(rows) == len(chosen) == 3
    results = [train(spec).metrics for spec in chosen]
    for metric in ("A_SW", "A_CW", "A_Uni"):
        new, old = np.array([r[metric] for r in results]), rows[metric].to_numpy()
        error = np.sqrt((new.var(ddof=1) + old.var(ddof=1)) / 3)
        assert abs(new.mean() - old.mean()) <= max(4 * error, 0.002), metric
