"""Rejection against another data set: the suite for left-out classes, with the other set's images in their place."""

import dataclasses

import pytest
import torch
from sklearn.metrics import roc_auc_score

from lossbook.data.load import load_test
from lossbook.data.other_sets import OTHER_SETS
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites.registry import SUITES
from lossbook.runs.suites.rejection_others import SUITE
from lossbook.runs.train import train

SPEC = RunSpec(objective="bce-nu", dataset="digits", model="mlp", image_size=14, epochs=5, suites=("rejection_others",))


def test_the_unknown_images_are_those_of_the_other_set(monkeypatch):
    """Digits against the MNIST digits, in their size: the scores are found again with scikit-learn."""
    seen = []
    watched = dataclasses.replace(SUITE, measure=lambda given: seen.append(given) or SUITE.measure(given))
    monkeypatch.setitem(SUITES, "rejection_others", watched)
    monkeypatch.setitem(OTHER_SETS, "rejection_others", {"digits": ("mnist5k",)})
    metrics = train(SPEC).metrics
    (given,) = seen
    images = torch.nn.functional.interpolate(load_test("mnist5k").images.float(), (8, 8), mode="bilinear", antialias=True)
    unknown = given.extract(images.round().clamp(0, 255).to(torch.uint8))
    with torch.no_grad():
        scores = [given.objective.head.similarities(features).amax(1) for features in (given.test_features, unknown)]
    is_known = torch.cat([torch.ones(len(scores[0])), torch.zeros(len(scores[1]))])
    assert metrics["auroc"] == pytest.approx(roc_auc_score(is_known, torch.cat(scores)), abs=1e-6)
    right = torch.cat([scores[0] > given.objective.threshold(), scores[1] <= given.objective.threshold()])
    assert metrics["rejection_learned"] == pytest.approx(right.double().mean().item(), abs=1e-3)


def test_a_data_set_without_another_is_refused():
    with pytest.raises(ValueError, match="names no unknown sets for 'digits'"):
        train(SPEC.replace(epochs=1, train_per_class=5))
