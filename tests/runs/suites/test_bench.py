"""The suite of the cross-paper comparison: any head, values that other code confirms."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from sklearn.metrics import roc_auc_score

from lossbook.data import unknown
from lossbook.data.batches import resize
from lossbook.data.feature_names import features_name
from lossbook.data.load import load
from lossbook.data.other_sets import OTHER_SETS
from lossbook.data.sample_photographs import photographs
from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.retrieval import map_at_r
from lossbook.runs.results import TRAINING_METRICS
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites.bench import SUITE
from lossbook.runs.suites.registry import SUITES
from lossbook.runs.train import train

SPEC = RunSpec(
    dataset="digits", model="mlp", classes=(0, 1, 2, 3, 4, 5), train_per_class=20, epochs=2, lr=0.03, suites=("bench",)
)


@pytest.fixture
def outputs(monkeypatch):
    """What the suite sees, for a spec."""
    seen = []
    watched = dataclasses.replace(SUITE, measure=lambda given: seen.append(given) or SUITE.measure(given))
    monkeypatch.setitem(SUITES, "bench", watched)

    def run(**changes):
        metrics = train(SPEC.replace(**changes)).metrics
        return seen[-1], metrics

    return run


@pytest.mark.parametrize("objective", ["soft-d", "bce-nu", "warped-bce", "multicenter", "proxy-anchor", "bce3s"])
def test_any_head(outputs, objective):
    given, metrics = outputs(objective=objective)
    shares = {"ece", "ece_sigmoid", "ood_msp", "ood_knn", "recall@1", "MAP@R"}
    assert shares | ({"avg_dtp"} if objective == "warped-bce" else set()) == metrics.keys() - {*TRAINING_METRICS}
    assert all(0 <= metrics[name] <= 1 for name in shares)
    distance = "euclidean" if objective == "warped-bce" else "cosine"
    assert metrics["MAP@R"] == pytest.approx(map_at_r(given.unknown_features, given.unknown_labels, distance=distance))
    with torch.no_grad():
        logits = given.objective.logits(given.test_features).double()
    confidence, predicted = logits.softmax(1).max(1)
    assert metrics["ece"] == pytest.approx(expected_calibration_error(confidence, predicted == given.test_labels))


def test_other_data_is_the_mean_over_the_sets(outputs):
    given, metrics = outputs()
    with torch.no_grad():
        known = given.objective.logits(given.test_features).double().softmax(1).amax(1)
        areas = []
        small = resize(load("mnist5k").test, 8).images
        for images in (small, photographs(8).float().mean(1, keepdim=True).to(torch.uint8)):
            other = given.objective.logits(given.extract(images)).double().softmax(1).amax(1)
            areas.append(roc_auc_score([1] * len(known) + [0] * len(other), torch.cat([known, other]).numpy()))
    assert metrics["ood_msp"] == pytest.approx(sum(areas) / 2)


def test_without_unknown_classes_there_is_no_retrieval(outputs):
    _, metrics = outputs(classes=())
    assert "MAP@R" not in metrics
    assert "ece" in metrics


def test_a_run_on_features_is_scored_against_features_of_the_same_sets(outputs, monkeypatch):
    asked = []
    # As if the digits were features of CIFAR-100.
    monkeypatch.setattr(unknown, "are_features", lambda name: name == "digits")
    monkeypatch.setitem(OTHER_SETS["bench"], "digits", OTHER_SETS["bench"]["cifar100"])
    monkeypatch.setattr(unknown, "unknown_images", lambda name, size: asked.append(name) or photographs(size))
    _, metrics = outputs()
    assert asked == [features_name(name) for name in OTHER_SETS["bench"]["cifar100"]]
    assert 0 <= metrics["ood_knn"] <= 1
