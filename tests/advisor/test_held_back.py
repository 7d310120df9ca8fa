"""Recommendations are judged on samples that the comparison has not seen, and the verdicts are right where the truth is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from lossbook.advisor import held_back, outcomes, six_sets, work
from lossbook.advisor.compare import Options
from lossbook.advisor.held_back import some, split, try_out, verdict
from lossbook.advisor.methods import METHODS, Method
from lossbook.advisor.reading import samples_of
from lossbook.paths import in_project

OPTIONS = Options("accuracy", methods=("CE", "OCCE"), epochs=3, folds=3)
COMMITTED = in_project("results/advisor/held-back.csv")


def _samples(noise=0.3, seed=0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), 60)
    features = random.normal(size=(3, 4))[labels] + noise * random.normal(size=(180, 4))
    return samples_of("made up", features, labels)


@pytest.fixture
def useless_control(monkeypatch):
    """A cross entropy whose targets say nothing, so that the other loss truly gains."""
    monkeypatch.setitem(METHODS, "CE", Method("label-smoothing", {"smoothing": 1.0}))


def test_a_true_gain_is_recommended_and_holds(useless_control, tmp_path):
    samples = _samples()
    (found,) = try_out(samples, split(samples, 2, 3), OPTIONS, tmp_path)
    assert (found.recommended, found.method, found.verdict) == ("OCCE", "OCCE", "held")
    assert found.control == pytest.approx(1 / 3, abs=0.15)
    assert found.found == pytest.approx(found.promised, abs=0.15)


def test_a_gain_that_turns_into_a_loss_does_not_hold(useless_control, tmp_path):
    samples = _samples()
    compared = split(samples, 2, 3)
    labels = np.where(compared, samples.labels, (samples.labels + 1) % 3)  # on the held-back samples every name is wrong
    (found,) = try_out(samples_of("made up", samples.features, labels), compared, OPTIONS, tmp_path)
    assert (found.recommended, found.verdict) == ("OCCE", "not held")
    assert found.found_high < 0


def test_a_loss_that_learns_nothing_is_not_recommended(monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, "OCCE", Method("label-smoothing", {"smoothing": 1.0}))
    samples = _samples()
    (found,) = try_out(samples, split(samples, 2, 3), OPTIONS, tmp_path)
    assert (found.recommended, found.method, found.verdict) == ("CE", "OCCE", "held")
    assert found.promised == 0 and found.promised_high < 0 and found.found_high < 0


def test_the_comparison_sees_nothing_that_is_held_back(monkeypatch, tmp_path):
    samples, given = _samples(), []
    compared = split(samples, 1, 2)
    real = held_back.compare
    monkeypatch.setattr(held_back, "compare", lambda *arguments: given.append(arguments[0]) or real(*arguments))
    try_out(samples, compared, OPTIONS, tmp_path)
    (seen,) = given
    assert np.array_equal(seen.features, samples.features[compared]) and np.array_equal(seen.labels, samples.labels[compared])
    assert len(seen) == 90 and len(some(samples, ~compared)) == 90


def test_the_score_there_is_that_of_heads_trained_by_hand(monkeypatch, tmp_path):
    samples, kept = _samples(noise=1.0), []
    compared = split(samples, 2, 3)
    real = held_back.compare
    monkeypatch.setattr(held_back, "compare", lambda *arguments: kept.append(real(*arguments)) or kept[0])
    (found,) = try_out(samples, compared, OPTIONS, tmp_path)
    setting = kept[0].tuned["accuracy"]["CE"]
    x, y = torch.from_numpy(samples.features).double(), torch.from_numpy(samples.labels)
    mean, std = x[compared].mean(0), x[compared].std(0, correction=0)
    x = ((x - mean) / std * 10 / 4**0.5).float()
    train, labels, right = x[compared], y[compared], []
    for seed in (1, 2, 3):
        objective = METHODS["CE"].build(setting, 4, torch.bincount(labels), seed)
        work.train_alone(work.Member(objective, "", setting["lr"]), train.__getitem__, labels, work.Training(3, 16, 5e-4, seed))
        right += (objective.predict(x[~compared]) == y[~compared]).tolist()
    assert 0.5 < np.mean(right) < 1
    assert found.control == pytest.approx(np.mean(right), abs=0.5 / len(right))


@pytest.mark.parametrize(
    ("recommended", "promised_low", "low", "high", "expected"),
    [
        ("BCE", 0.01, 0.001, 0.010, "held"),
        ("BCE", 0.01, 0.020, 0.030, "held"),
        ("BCE", 0.01, 0.000, 0.010, "undecided"),
        ("BCE", 0.01, -0.02, 0.009, "not held"),
        ("BCE", 0.01, 0.001, 0.009, "not held"),
        ("CE", -np.inf, 0.00, 0.02, "held"),
        ("CE", -np.inf, 0.01, 0.02, "not held"),
    ],
)
def test_the_rule(recommended, promised_low, low, high, expected):
    assert verdict(recommended, promised_low, low, high) == expected


def test_parts_keep_groups_whole_and_the_classes_shares():
    groups = np.arange(180) // 3
    samples = samples_of("made up", np.zeros((180, 2)), np.repeat([0, 1, 2], 60), groups)
    compared = split(samples, 2, 3)
    assert compared.sum() == 120 and np.abs(np.bincount(samples.labels[compared]) - 40).max() <= 3
    assert not set(groups[compared]) & set(groups[~compared])


def test_sentences_count_the_verdicts():
    sizes = {"classes": 3, "features": 1200, "compared": 40, "held_back": 20}
    row = sizes | {
        "promised": 0.01,
        "promised_low": 0.005,
        "promised_high": 0.02,
        "found": 0.01,
        "found_low": 0.001,
        "found_high": 0.02,
    }
    frame = pd.DataFrame(
        [
            row | {"set": "a", "goal": "accuracy", "recommended": "BCE", "method": "BCE", "verdict": "held"},
            row
            | {"set": "a", "goal": "calibration", "recommended": "BCE", "method": "BCE", "promised": 0.03, "verdict": "not held"},
            row | {"set": "b", "goal": "accuracy", "recommended": "CE", "method": "BCE", "verdict": "held"},
        ]
    )
    assert outcomes.answer(frame) == [
        "On 1 of 2 sets another loss than cross entropy was recommended at some goal. "
        "Recommendations: 2; on samples never seen: 1 held, 1 not held.",
        "For accuracy, one was recommended on 1 of 2 sets: 1 held. Cross entropy was kept on 1: 1 held.",
        "Over all goals, cross entropy was kept in 1 of 3 cases: 1 held.",
        "Of the 2 promised gains, 1 were smaller on samples never seen.",
    ]
    assert outcomes.by_goal(frame).to_dict("index")["b"] == {"accuracy": "cross entropy: held", "calibration error": "–"}
    assert outcomes.paragraph(frame[:1]) == (
        "3 classes, 1,200 features, 40 samples compared, 20 held back. "
        "For accuracy, BCE promised 1.0 (0.5 to 2.0) points and gained 1.0 (0.1 to 2.0): held."
    )
    assert outcomes.paragraph(frame[2:]).endswith("Cross entropy was kept, and no loss is shown to be better, for accuracy.")
    missed = frame[2:].assign(verdict="not held")
    assert outcomes.paragraph(missed).endswith(
        "but BCE gained 1.0 (0.1 to 2.0) points: not held. The comparison had not ruled out as much; its upper limit was 2.0."
    )


def test_the_committed_verdicts_are_those_of_the_rule():
    frame = outcomes.read_outcomes(COMMITTED)
    assert list(dict.fromkeys(frame["set"])) == list(six_sets.TRIALS)
    for name, trial in six_sets.TRIALS.items():
        goals = frame.loc[frame["set"] == name, "goal"].tolist()
        assert trial.goals in (("",), tuple(goals))
    for row in frame.to_dict("records"):
        expected = verdict(*(row[name] for name in ("recommended", "promised_low", "found_low", "found_high")))
        assert row["verdict"] == expected
        assert row["found_low"] <= row["found"] <= row["found_high"]
        assert (row["recommended"] == "CE") or row["method"] == row["recommended"]
        assert (row["recommended"] == "CE") == (row["promised"] == 0)


def test_the_tumours_are_those_of_the_committed_rows():
    """The one set that needs no data and no further package."""
    frame = outcomes.read_outcomes(COMMITTED)
    row = frame[frame["set"] == "tumours"].iloc[0]
    trial = six_sets.TRIALS["tumours"]
    samples = trial.read()
    compared = split(samples, trial.compared, trial.parts)
    assert (row["compared"], row["held_back"]) == (compared.sum(), (~compared).sum()) == (380, 189)
    assert (row["classes"], row["features"]) == (len(samples.classes), samples.features.shape[1]) == (2, 30)
