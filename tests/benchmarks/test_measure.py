"""Every benchmark's two sides run and agree on the values; how long they take is not tested."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from benchmarks import accuracy, measure, training
from benchmarks.__main__ import SUITES
from lossbook.runs.spec import RunSpec

# A peer that searches a grid of thresholds misses the best one by up to so much; rounding errors are far smaller.
LARGEST_ERROR = 1e-3


def _agreement(case: str, peer: str, ours: measure.Side, theirs: measure.Side, items: int, **options: Any) -> dict[str, Any]:
    """What ``measure.compare`` would return, without its timing."""
    error = options.get("error") or measure.relative_error
    values = [side(nullcontext()) for side in (ours, theirs)]
    found = 0.0 if error is measure.incomparable else error(*values)
    return {"case": case, "peer": peer, "value_error": found, "items": items}


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_both_sides_agree(suite, monkeypatch):
    monkeypatch.setitem(SUITES[suite].__globals__, "compare", _agreement)
    rows = SUITES[suite](True)
    assert rows
    # Under bfloat16 (on a core with units for it) each side rounds in its own way: NaN says that they are not compared.
    errors = [row["value_error"] for row in rows if not row["case"].endswith("bfloat16")]
    assert all(row["items"] > 0 for row in rows)
    assert all(error < LARGEST_ERROR for error in errors), rows


def test_the_large_training_at_a_tiny_size(monkeypatch):
    """What a GPU would measure on CIFAR-100, on a few digits."""
    monkeypatch.setattr(training, "compare", _agreement)
    rows = training.beside_peers(training.RESNET18.replace(dataset="digits", train_per_class=2, batch_size=10))
    assert [row["items"] for row in rows] == [20, 20]
    assert all(row["value_error"] < LARGEST_ERROR for row in rows), rows


def test_the_standard_training_at_a_tiny_size(monkeypatch):
    """The bare loop does the same to the last digits; torchvision's transforms draw other crops and flips."""
    monkeypatch.setattr(training, "compare", _agreement)
    size = {"dataset": "digits", "train_per_class": 2, "batch_size": 10}
    loader, bare = training.PEERS
    (row,) = training.beside_peers(training.STANDARD.replace(**size), (bare,))
    assert row["value_error"] < LARGEST_ERROR
    (row,) = training.beside_peers(training.AUGMENTED.replace(**size | {"train_per_class": 50, "batch_size": 50}), (loader,))
    assert row["items"] == 500
    assert row["value_error"] < 0.1


def test_seconds_to_an_accuracy_at_a_tiny_size():
    rows = accuracy.measure(RunSpec(dataset="digits", model="mlp", epochs=2, lr=0.03), runs=2, accuracy=50.0)
    assert [row["seed"] for row in rows] == [0, 1]
    assert all(row["seconds"] > 0 and 10 < row["accuracy"] <= 100 and row["target"] == 50.0 for row in rows)


def test_the_printed_accuracy_is_found():
    assert accuracy.target() == pytest.approx(100 - 24.98)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_needs_a_gpu_says_so(capsys, monkeypatch):
    monkeypatch.setattr(training, "beside_peers", lambda spec, *_: [spec.model])
    monkeypatch.setattr(training, "load", lambda name: None)
    assert training.run() == ["cnn", "resnet10", "resnet10"]
    assert "resnet18-cifar on cifar100 is left out: it needs a GPU" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["accuracy"])
    with pytest.raises(SystemExit, match="cannot be measured here: it needs a GPU"):
        accuracy.main()


def test_a_missing_data_set_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "ON_GPU", True)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    training.load.cache_clear()
    assert "data set 'cifar100'" in training.why_not(training.RESNET18)
