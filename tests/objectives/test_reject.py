"""Prediction and rejection for every objective, on real digits of known and unknown classes."""

from __future__ import annotations

import functools

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from lossbook.metrics.thresholds import calibrate
from lossbook.objectives.create import create_objective
from lossbook.objectives.objective import Objective
from lossbook.objectives.registry import OBJECTIVES

KNOWN = 7  # digits 0 to 6; 7, 8 and 9 are never seen in training
THRESHOLDS = {"bce-0", "bce-d", "bce-u", "bce-n0", "bce-nd", "bce-nu", "bce-di", "uce", "bce3s", "bce+occe"}
THRESHOLDS |= {"euclidean-bce", "warped-bce", "multicenter-bce"}

# With the paper's scale of 1 the noise hides these few classes from L-Softmax; 0.1 is the authors' code's.
ARGUMENTS = {"multicenter-lsoftmax": {"sigma_scale": 0.1}}

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


@functools.cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Training features and labels, test features and labels of known digits, features of unknown ones."""
    images, labels = load_digits(return_X_y=True)
    features, labels = torch.tensor(images, dtype=torch.float32) / 4, torch.tensor(labels)
    known = labels < KNOWN
    x, y = features[known], labels[known]
    return x[:800], y[:800], x[800:], y[800:], features[~known]


@functools.cache
def trained(name: str) -> Objective:
    torch.manual_seed(0)
    x, y, *_ = digits()
    objective = create_objective(name, x.shape[1], KNOWN, torch.bincount(y), **ARGUMENTS.get(name, {}))
    optimizer = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], lr=0.03) if _trains(objective) else None
    for epoch in range(8):
        objective.start_epoch(epoch, 8)
        for batch in torch.randperm(len(x)).split(80):
            for _ in range(objective.steps_per_batch):
                loss = objective(x[batch], y[batch])
                if optimizer is not None:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                objective.after_step()
    return objective.eval()


def _trains(objective: Objective) -> bool:
    return any(p.requires_grad for p in objective.parameters())


@every_objective
def test_predicts_the_class_of_the_largest_logit(name):
    objective, (_, _, x, y, _) = trained(name), digits()
    with torch.no_grad():
        predicted = objective.predict(x)
    assert torch.equal(predicted, objective.logits(x).argmax(1))
    assert (predicted == y).float().mean() > 0.6


@every_objective
def test_a_calibrated_threshold_keeps_the_known_and_rejects_unknown_ones(name):
    objective, (x, _, known, _, unknown) = trained(name), digits()
    with torch.no_grad():
        threshold = calibrate(objective.scores(x), tpr=0.95)
        assert (objective.reject(x, threshold) >= 0).float().mean() >= 0.95
        rejected_known = (objective.reject(known, threshold) == -1).float().mean()
        rejected_unknown = (objective.reject(unknown, threshold) == -1).float().mean()
    assert rejected_unknown > rejected_known


@every_objective
def test_without_a_threshold_the_learned_one_counts_or_is_missed(name):
    objective, (_, _, known, _, unknown) = trained(name), digits()
    assert objective.learns_threshold == (name in THRESHOLDS)
    if name not in THRESHOLDS:
        with pytest.raises(ValueError, match=r"learned no threshold.*calibrate"):
            objective.reject(known)
        return
    with torch.no_grad():
        assert torch.equal(objective.reject(known), objective.reject(known, objective.threshold()))
        kept, let_in = ((objective.reject(x) >= 0).float().mean() for x in (known, unknown))
    assert kept > let_in


@pytest.mark.parametrize("name", ["bce-d", "bce-nd", "bce-di"])
def test_a_diverse_bias_is_a_threshold_per_class(name):
    objective, (_, _, known, _, _) = trained(name), digits()
    with torch.no_grad():
        answers, predicted = objective.reject(known), objective.predict(known)
        own = objective.head.similarities(known)[torch.arange(len(known)), predicted]
        longhand = [int(p) if s > objective.threshold()[p] else -1 for s, p in zip(own, predicted, strict=True)]
    assert answers.tolist() == longhand


def test_a_batch_of_as_many_samples_as_classes_is_compared_class_by_class():
    objective, (_, _, known, _, _) = trained("bce-d"), digits()
    with torch.no_grad():
        one_by_one = torch.cat([objective.reject(x) for x in known[:KNOWN].split(1)])
        assert torch.equal(objective.reject(known[:KNOWN]), one_by_one)


def test_a_threshold_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"one per class, \(7,\), got \(3,\)"):
        trained("bce-nu").reject(digits()[2], torch.zeros(3))


def test_what_is_not_a_number_is_of_no_known_class():
    objective, (_, _, known, _, _) = trained("bce-d"), digits()
    with torch.no_grad():
        assert (objective.reject(known * torch.nan) == -1).all()
        assert (objective.reject(known, torch.nan) == -1).all()


def test_a_threshold_of_float64_scores_keeps_its_digits():
    torch.manual_seed(0)
    objective = create_objective("bce-d", 16, 10).double()
    for features in torch.randn(20, 30, 16, dtype=torch.float64):
        with torch.no_grad():
            assert (objective.reject(features, calibrate(objective.scores(features), tpr=1.0)) >= 0).all()
