"""A run that is killed goes on where it was, and ends equal to the last bit."""

import math
import signal
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

from lossbook.data.batches import to_float
from lossbook.models import create_model
from lossbook.objectives import list_objectives
from lossbook.runs import checkpoint as module
from lossbook.runs.checkpoint import Checkpoint, Checkpoints
from lossbook.runs.missing import train_into
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import subset
from lossbook.runs.train import RunResult, train

TINY = RunSpec(dataset="digits", model="mlp", train_per_class=12, batch_size=30, epochs=3, objective="bce-u", lr=0.03, suites=())


class Killed(Exception):
    pass


def store_every_epoch(monkeypatch, kill_after=math.inf):
    """A checkpoint after every epoch, and the end of the run after so many of them; returns their places."""
    places, save = [], Checkpoint.save

    def save_and_count(self, state):
        save(self, state)
        places.append((state()["phase"], len(state()["phase_curves"]["train_loss"])))
        if len(places) == kill_after:
            raise Killed

    monkeypatch.setattr(module, "SECONDS", 0.0)
    monkeypatch.setattr(Checkpoint, "save", save_and_count)
    return places


def to_the_last_bit(result: RunResult) -> str:
    """All numbers, of which NaN equals itself."""
    return repr((result.metrics, result.curves, result.small_tables))


def check_resumed(spec, monkeypatch, folder, killed_after):
    where = Checkpoints(folder, "code")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        store_every_epoch(patch, killed_after)
        train(spec, checkpoints=where)
    with monkeypatch.context() as patch:
        places = store_every_epoch(patch)
        resumed = train(spec, checkpoints=where)
    assert to_the_last_bit(resumed) == to_the_last_bit(train(spec))
    return places


@pytest.mark.parametrize("name", list_objectives())
def test_every_objective_goes_on(name, monkeypatch, tmp_path):
    """Its memory, its place in the training and its random numbers, too."""
    places = check_resumed(TINY.replace(objective=name), monkeypatch, tmp_path, killed_after=2)
    assert places == [(0, 3)]


@pytest.mark.parametrize(
    ("change", "killed_after", "places"),
    [
        ({"model": "cnn", "augment": ("shift", "cutout"), "views": ("plain", "mixup|cutmix")}, 1, [(0, 2), (0, 3)]),
        ({"optimizer": "adamw", "lr": 0.001, "evaluate_every": 2, "suites": ("uniformity",)}, 2, [(0, 3)]),
        ({"mixed_precision": True, "batch_classes": 5, "imbalance": 4.0}, 2, [(0, 3)]),
        ({"second_phase": {"frozen": True, "epochs": 2, "lr": 0.01}}, 3, [(1, 1), (1, 2)]),
        ({"second_phase": {"frozen": True, "epochs": 2, "lr": 0.01}}, 4, [(1, 2)]),
        # Four further runs, of which the second is killed after two epochs.
        (
            {"suites": ("reality_check",), "classes": tuple(range(8)), "embedding_size": 8, "objective": "euclidean-softmax"},
            8,
            [(0, 3), *[(0, n) for _ in range(2) for n in (1, 2, 3)]],
        ),
    ],
    ids=str,
)
def test_every_way_of_training_goes_on(change, killed_after, places, monkeypatch, tmp_path):
    assert check_resumed(TINY.replace(**change), monkeypatch, tmp_path, killed_after) == places


def test_a_killed_process_is_gone_on_from(tmp_path):
    """Killed in the middle of its third epoch, and gone on from by another process."""
    program = (
        "import os, signal, sys, torch; from lossbook.runs import checkpoint, train\n"
        "torch.set_num_threads(int(sys.argv[3]))\n"  # another number of threads adds in another order
        "from lossbook.runs.missing import train_into; from lossbook.runs.records import Store\n"
        "from lossbook.runs.spec import RunSpec\n"
        "checkpoint.SECONDS = 0.0\n"
        "steps, augment = iter(range(10)), train.augment_batch\n"
        "train.augment_batch = lambda *a: os.kill(os.getpid(), signal.SIGKILL) if next(steps) == 9 else augment(*a)\n"
        "train_into(Store(sys.argv[1]), RunSpec.from_json(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path), TINY.canonical_json(), str(torch.get_num_threads())]
    ended = subprocess.run(command, check=False)
    assert ended.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.missing([TINY]) == [TINY]
    assert (store.checkpoints(TINY).folder / f"{TINY.run_id}.pt").is_file()
    stored = Checkpoint(store.checkpoints(TINY), TINY, in_bfloat16=False).load()
    assert len(stored["phase_curves"]["train_loss"]) == 2
    train_into(store, TINY)
    assert store.load(TINY)["seconds"] > stored["seconds"]
    expected = train(TINY)
    record = store.load(TINY)
    assert (record["metrics"], record["curves"]) == (expected.metrics, expected.curves)
    assert not store.checkpoints(TINY).folder.exists()


def test_a_checkpoint_of_another_spec_code_or_precision_is_left_alone(monkeypatch, tmp_path):
    with pytest.raises(Killed):
        store_every_epoch(monkeypatch, kill_after=1)
        train(TINY, checkpoints=Checkpoints(tmp_path, "code"))
    assert Checkpoint(Checkpoints(tmp_path, "code"), TINY, in_bfloat16=False).load()["phase"] == 0
    assert Checkpoint(Checkpoints(tmp_path, "other"), TINY, in_bfloat16=False).load() is None
    assert Checkpoint(Checkpoints(tmp_path, "code"), TINY, in_bfloat16=True).load() is None
    other = TINY.replace(seed=1)
    (tmp_path / f"{TINY.run_id}.pt").rename(tmp_path / f"{other.run_id}.pt")
    assert Checkpoint(Checkpoints(tmp_path, "code"), other, in_bfloat16=False).load() is None


def test_a_short_run_stores_nothing(tmp_path):
    train(TINY, checkpoints=Checkpoints(tmp_path, "code"))
    assert list(tmp_path.iterdir()) == []


def test_weights_are_saved_on_request(tmp_path):
    """The saved backbone and head give the accuracy that the run has measured."""
    path = tmp_path / "run.safetensors"
    spec = TINY.replace(model="cnn", objective="soft-d", suites=("uniformity",))
    measured = train(spec, weights=path).metrics["A_SW"]
    with safe_open(path, "pt") as file:
        assert RunSpec.from_json(file.metadata()["spec"]) == spec
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    backbone, _ = create_model("cnn", in_channels=1)
    own = {name.removeprefix("backbone."): value for name, value in tensors.items() if name.startswith("backbone.")}
    backbone.load_state_dict(own)
    test = subset(spec).test
    with torch.no_grad():
        features = backbone.eval()(to_float(test.images))
    logits = features @ tensors["objective.head.weight"].T + tensors["objective.head.bias"]
    assert (logits.argmax(1) == test.labels).double().mean().item() == pytest.approx(measured, abs=2 / len(test))
