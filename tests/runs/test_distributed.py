"""Two processes (gloo, CPU) against one: the same batches, the same loss, gradients equal up to rounding."""

import subprocess
import sys

import pytest
import torch
from lightning_fabric import Fabric

from lossbook.runs.distributed import check_divisible, create_fabric
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

TINY = RunSpec(model="mlp", image_size=7, epochs=2, lr=0.03, objective="bce-u", train_per_class=40)
pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed.nn.functional")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"objective": "bce3s"},  # pairs of samples, a memory bank, random negatives: all of the whole batch
        {"views": ("plain", "mixup"), "augment": ("shift", "flip"), "model": "cnn", "evaluate_every": 1},
    ],
    ids=str,
)
def test_two_processes_train_like_one(change):
    spec = TINY.replace(**change)
    one, two = train(spec), train(spec, devices=2)
    assert two.device == "2 x cpu"
    assert two.spec == spec
    assert two.curves["train_loss"] == pytest.approx(one.curves["train_loss"], rel=1e-3)
    assert two.metrics.keys() == one.metrics.keys()
    assert two.curves.keys() == one.curves.keys()
    for name in ("A_SW", "A_CW", "A_Uni"):
        assert two.metrics[name] == pytest.approx(one.metrics[name], abs=0.01)


@pytest.mark.slow
def test_a_head_on_frozen_features_is_the_same_bit_for_bit():
    """No rounding differs where the backbone does not work on shares."""
    spec = TINY.replace(frozen=True)
    one, two = train(spec), train(spec, devices=2)
    assert two.curves == one.curves
    assert {k: v for k, v in two.metrics.items() if v == v} == {k: v for k, v in one.metrics.items() if v == v}


def test_only_the_first_process_measures(monkeypatch):
    spec = TINY.replace(evaluate_every=1)
    assert len(train(spec).curves["A_SW"]) == spec.epochs
    monkeypatch.setattr(Fabric, "is_global_zero", property(lambda fabric: False))
    other = train(spec)
    assert other.curves.keys() == {"train_loss", "train_accuracy"}
    assert "A_SW" not in other.metrics


def test_batches_that_cannot_be_shared_are_refused():
    with pytest.raises(ValueError, match="batches of 25 images cannot be divided among 2 devices"):
        train(TINY.replace(batch_size=25), devices=2)
    with pytest.raises(ValueError, match="batches of 21 images"):
        check_divisible(TINY, 2, images=21)
    with pytest.raises(ValueError, match="batches of 99"):
        check_divisible(TINY.replace(second_phase={"batch_size": 99}), 2, images=400)


def test_a_cluster_around_is_no_concern(monkeypatch, tmp_path):
    """Inside a SLURM job, and where srun is merely installed, Fabric would warn or wait for other processes."""
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    create_fabric(1)
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "book")
    assert create_fabric(1).world_size == 1


def test_one_device_leaves_distribution_alone():
    """The quick tier's path: no process group, no hooks on the norms."""
    program = (
        "import torch; from lossbook.runs.spec import RunSpec; from lossbook.runs.train import train\n"
        "train(RunSpec(model='mlp', image_size=7, epochs=1, train_per_class=20, lr=0.03))\n"
        "assert not torch.distributed.is_initialized()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert not torch.distributed.is_initialized()
