"""From data to a verdict, a report and a head that predicts."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lossbook.advisor import compare as comparing
from lossbook.advisor import work
from lossbook.advisor.advise import advice, images
from lossbook.advisor.command import run
from lossbook.advisor.compare import Options, compare
from lossbook.advisor.methods import METHODS, Method
from lossbook.advisor.reading import Samples
from lossbook.advisor.winner import Winner, winner_of
from lossbook.advisor.work import logits_of
from lossbook.cli import app

FEW = ("CE", "balanced softmax", "bce-nu", "Euclidean")


def _samples(sizes, noise=1.0, seed=0, size=4):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    features = random.normal(size=(len(sizes), size))[labels] + noise * random.normal(size=(len(labels), size))
    apart = np.arange(len(labels))
    names = tuple(f"class {k}" for k in range(len(sizes)))
    return Samples("made up", features.astype(np.float32), labels, names, np.full(len(labels), ""), apart)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    return compare(_samples([40, 40, 40, 40]), Options(methods=FEW, epochs=3, folds=3), folder), folder


def test_the_score_is_that_of_heads_trained_by_hand(found):
    """Accuracy of cross entropy over the folds, from scratch: standardise, build, train alone, test."""
    comparison, _ = found
    setting = comparison.tuned["accuracy"]["CE"]
    right = []
    for k, fold in enumerate(comparison.plan.folds):
        x = torch.from_numpy(comparison.samples.features).double()
        y = torch.from_numpy(comparison.samples.labels)
        mean, std = x[fold.train].mean(0), x[fold.train].std(0, correction=0)
        x = ((x - mean) / std * 10 / 4**0.5).float()
        objective = METHODS["CE"].build(setting, 4, torch.bincount(y[fold.train]), 1 + k)
        training = work.Training(3, 16, 5e-4, 1 + k)
        train = x[fold.train]
        work.train_alone(work.Member(objective, "", setting["lr"]), train.__getitem__, y[fold.train], training)
        right += (objective.predict(x[fold.test]) == y[fold.test]).tolist()
    assert len(right) == 120
    assert comparison.scores["accuracy"]["CE"] == pytest.approx(np.mean(right), abs=0.5 / 120)


def test_settings_are_chosen_on_validation_samples(found):
    comparison, _ = found
    for goal, of_goal in comparison.validation.items():
        for method, scores in of_goal.items():
            assert len(scores) == 8
            best = np.flatnonzero(np.array(scores) == np.nanmax(scores))
            assert comparison.tuned[goal][method] == METHODS[method].settings[best[len(best) // 2]]


def test_every_sample_is_tested_once_and_none_that_validated(found):
    comparison, _ = found
    tested = np.concatenate([fold.test for fold in comparison.plan.folds])
    assert len(tested) == len(np.unique(tested)) == comparison.verdicts["accuracy"].gain.samples == 120
    assert not set(tested) & set(comparison.plan.tuning.test)


def test_unknown_classes_are_held_out_of_their_trainings(found, tmp_path, monkeypatch):
    """One of four classes per fold, neither trained on nor among the heads' classes; the others' samples are all there."""
    comparison, _ = found
    assert list(comparison.verdicts) == ["accuracy", "balanced", "threshold", "calibration", "unknown"]
    pieces = []
    monkeypatch.setattr(comparing, "do", lambda piece, folder, real=comparing.do: pieces.append(piece) or real(piece, folder))
    alone = compare(comparison.samples, Options("unknown", methods=FEW, epochs=3, folds=3), tmp_path)
    assert alone.scores["unknown"] == comparison.scores["unknown"]
    assert len(pieces) == 4 and len({piece.hidden for piece in pieces}) > 1
    for piece in pieces:
        index, labels = piece.shown()
        (hidden,) = piece.hidden
        assert sorted(set(labels[index])) == [0, 1, 2]
        assert np.array_equal(labels < 0, piece.labels == hidden)
        assert len(index) == (piece.labels[piece.train] != hidden).sum()
    with pytest.raises(ValueError, match="expected at least 4 classes to hold some of them out, got 3"):
        compare(_samples([20, 20, 20]), Options("unknown", methods=FEW), tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_labels_make_no_difference(seed, tmp_path):
    samples = _samples([60, 30, 12], noise=0.3, seed=seed)
    shuffled = compare(samples, Options(methods=FEW, epochs=3, folds=3, control=True, seed=seed), tmp_path)
    assert list(shuffled.verdicts) == ["balanced"]
    assert not shuffled.verdicts["balanced"].different
    assert shuffled.winner == "CE"
    assert "no loss differs from it by more than" in advice(shuffled)[0]


def test_one_true_difference_is_found(tmp_path, monkeypatch):
    """Two of three methods learn nothing, as their targets say nothing; one of these two is the control."""
    for name in ("CE", "BCE"):
        monkeypatch.setitem(METHODS, name, Method("label-smoothing", {"smoothing": 1.0}))
    samples, options = _samples([40, 40, 40], noise=0.3), Options("accuracy", methods=("CE", "BCE", "OCCE"), epochs=3, folds=3)
    comparison = compare(samples, options, tmp_path)
    found = {one.method: one for one in comparison.verdicts["accuracy"].differences}
    assert comparison.winner == "OCCE" and found["OCCE"].low > 0.1
    assert not (found["BCE"].better or found["BCE"].worse)
    assert comparison.verdicts["accuracy"].gain.low > 0.1
    assert "take OCCE: it is better than cross entropy by" in advice(comparison)[0]


def test_what_is_done_is_not_trained_again(tmp_path, monkeypatch):
    samples, options = _samples([20, 20]), Options(methods=("CE", "Euclidean"), epochs=1, folds=2)
    real, calls = comparing.do, []

    def interrupted(piece, folder):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(piece.key)
        return real(piece, folder)

    monkeypatch.setattr(comparing, "do", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(samples, options, tmp_path)
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 2
    monkeypatch.setattr(comparing, "do", real)
    trained = []
    monkeypatch.setattr(work, "train", lambda piece, real=work.train: trained.append(piece.key) or real(piece))
    whole = compare(samples, options, tmp_path)
    assert len(trained) == 1 and trained[0] not in calls  # one of three: tuning and a fold were done
    again = compare(samples, options, tmp_path)
    assert len(trained) == 1 and again.scores == whole.scores


@pytest.mark.slow
def test_two_processes_find_the_same(tmp_path):
    samples, options = _samples([20, 20]), Options("accuracy", methods=("CE", "Euclidean"), epochs=1, folds=2)
    alone = compare(samples, options, tmp_path / "one")
    shared = compare(samples, dataclasses.replace(options, processes=2), tmp_path / "two")
    assert shared.scores == alone.scores
    assert sorted(path.name for path in (tmp_path / "two" / "runs").iterdir()) == sorted(
        path.name for path in (tmp_path / "one" / "runs").iterdir()
    )


def test_other_code_trains_again(tmp_path, monkeypatch):
    samples, options = _samples([20, 20]), Options(methods=("CE",), epochs=1, folds=2)
    compare(samples, options, tmp_path)
    monkeypatch.setattr(comparing, "_code", lambda: "other code")
    trained = []
    monkeypatch.setattr(work, "train", lambda piece, real=work.train: trained.append(piece.key) or real(piece))
    compare(samples, options, tmp_path)
    assert len(trained) == 3


def test_a_damaged_result_is_trained_again(tmp_path):
    samples, options = _samples([20, 20]), Options(methods=("CE",), epochs=1, folds=2)
    whole = compare(samples, options, tmp_path)
    for path in (tmp_path / "runs").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-30])
    assert compare(samples, options, tmp_path).scores == whole.scores


def test_near_duplicates_are_noticed_and_kept_together(tmp_path):
    samples = _samples([30, 30], size=12)
    samples.features[40] = samples.features[2]
    comparison = compare(samples, Options(methods=("CE",), epochs=1, folds=2), tmp_path)
    assert any("2 samples have a near-duplicate" in note for note in comparison.notes)
    assert any("1 pairs of near-duplicates have different labels" in note for note in comparison.notes)
    for fold in (comparison.plan.tuning, *comparison.plan.folds):
        assert (2 in fold.train) == (40 in fold.train)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"goal": "speed"}, "unknown goal 'speed'; expected one of accuracy"),
        ({"methods": ("BCE",)}, "expected methods that begin with CE"),
        ({"folds": 1}, "expected folds >= 2"),
        ({"goal": "calibration", "control": True}, "expected no goal with the control"),
    ],
)
def test_wrong_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        Options(**arguments)


@pytest.mark.parametrize("method", METHODS)
def test_a_winner_on_disk_gives_the_objectives_logits(method, found, tmp_path):
    comparison, folder = found
    samples = comparison.samples
    every = np.arange(len(samples))
    piece = work.Work(
        next(folder.glob("features-*.npy")), "", samples.labels, 4, every, every, ((method, 0),), (), work.Training(1, 16, 0.0, 0)
    )
    (objective,), standard = work.train(piece)
    scores = np.linspace(0, 1, 20)
    winner_of(objective, standard, scores, samples.classes, method, "accuracy", None).save(tmp_path)
    winner = Winner.load(tmp_path / "winner.json")
    expected = logits_of([objective], work.Rows(samples.features, every, standard))[0]
    torch.testing.assert_close(winner.logits(torch.from_numpy(samples.features)), expected, rtol=1e-4, atol=1e-4)
    classes, largest = winner.predict(torch.from_numpy(samples.features))
    assert torch.equal(classes >= 0, largest > winner.threshold)
    assert (scores > winner.threshold).mean() == 0.95


def test_the_command_writes_a_report_and_predicts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lossbook", "compare", "my.npz"])
    samples = _samples([30, 30])
    np.savez("my.npz", features=samples.features, labels=np.array(["ä<b>", "c"])[samples.labels])
    arguments = ["compare", "my.npz", "--epochs", "1", "--folds", "2", "--goal", "accuracy"]
    said = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert "For accuracy," in said.output
    folder = tmp_path / "lossbook-my"
    report = (folder / "report.html").read_text()
    assert not re.search(r'(?:src|href)="|url\(|@import|<script', report)  # it asks for no other file
    assert "prefers-color-scheme: dark" in report and "lossbook compare my.npz" in report
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert [row["method"] for row in rows] == list(METHODS)
    assert len(list(csv.DictReader(io.StringIO((folder / "tuning.csv").read_text())))) == 8 * len(METHODS)
    assert json.loads((folder / "winner.json").read_text())["classes"] == ["c", "ä<b>"]
    np.save("new.npy", samples.features[:5])
    printed = CliRunner().invoke(app, ["predict", str(folder / "winner.json"), "new.npy"], catch_exceptions=False)
    predicted = list(csv.DictReader(io.StringIO(printed.output)))
    assert [row["file"] for row in predicted] == list("01234")
    assert {row["class"] for row in predicted} <= {"c", "ä<b>", "unknown"}


def test_images_to_predictions(tmp_path, tiny):
    """From a folder of images to the classes of new ones; what is of no class, and what is no image, is told."""
    random = np.random.default_rng(0)
    for name, colour in (("rot", (200, 30, 30)), ("синий", (30, 30, 200))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(24):
            pixels = np.clip(colour + random.integers(-30, 30, 3), 0, 255).astype(np.uint8)
            Image.fromarray(np.broadcast_to(pixels, (9, 9, 3)).copy()).save(tmp_path / "data" / name / f"{k}.png")
    options = Options("accuracy", methods=("CE", "Euclidean"), epochs=10, folds=2)
    found = run(str(tmp_path / "data"), tmp_path / "out", options, backbone=tiny)
    assert found.scores["accuracy"]["Euclidean"] > 0.9
    (tmp_path / "new").mkdir()
    Image.new("L", (5, 5), 255).save(tmp_path / "new" / "white.png")
    (tmp_path / "new" / "broken.png").write_bytes(b"")
    places = [str(tmp_path / "data" / "rot"), str(tmp_path / "data" / "синий" / "3.png"), str(tmp_path / "new")]
    printed = CliRunner().invoke(app, ["predict", str(tmp_path / "out" / "winner.json"), *places], catch_exceptions=False)
    rows = list(csv.DictReader(io.StringIO(printed.output)))
    assert len(rows) == 24 + 1 + 2
    assert sum(row["class"] == "rot" for row in rows[:24]) >= 20
    assert rows[24]["class"] in ("синий", "unknown")
    assert (rows[25]["class"], rows[25]["score"]) == ("", "broken, or no image")


def test_predict_refuses_what_the_winner_is_not_for(found, tmp_path):
    comparison, _ = found
    run_folder = tmp_path / "out"
    np.savez(tmp_path / "my.npz", features=comparison.samples.features, labels=comparison.samples.labels)
    run(str(tmp_path / "my.npz"), run_folder, Options("accuracy", methods=("CE",), epochs=1, folds=2))
    for wanted, message in (
        ("some.png", "trained on features, not on images"),
        ("wrong.npy", r"expected features of shape \(n, 4\)"),
    ):
        np.save(tmp_path / "wrong.npy", np.zeros((2, 3)))
        with pytest.raises(ValueError, match=message):
            CliRunner().invoke(app, ["predict", str(run_folder / "winner.json"), str(tmp_path / wanted)], catch_exceptions=False)
    with pytest.raises(ValueError, match=r"expected a winner.json with its winner.safetensors beside it"):
        Winner.load(tmp_path / "winner.json")


def test_numbers_of_samples_have_two_digits():
    assert [images(value) for value in (7.4, 123.0, 98765.0, float("inf"))] == ["7", "120", "99,000", "infinitely many"]


def test_a_comparison_of_features_that_do_not_fit_in_memory_is_the_same(found, tmp_path, monkeypatch):
    comparison, _ = found
    monkeypatch.setattr("lossbook.advisor.features.IN_MEMORY", 100)
    pieces = compare(comparison.samples, comparison.options, tmp_path)
    assert pieces.scores == comparison.scores
