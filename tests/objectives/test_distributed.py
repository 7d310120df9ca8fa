"""Every objective under stock ``DistributedDataParallel``: two processes train as one does on the joint batch."""

from __future__ import annotations

import processes
import pytest
import torch
import torch.multiprocessing

from lossbook.objectives import create_objective
from lossbook.objectives.registry import OBJECTIVES

# Losses of pairs compare the samples within a process.
PAIRS = ["multi-similarity", "contrastive"]
JOINT = {"proxy-anchor", *PAIRS}
CASES = [(name, name, {"r": 1.0} if name == "bce3s" else {}, False) for name in OBJECTIVES if name not in JOINT]
CASES += [
    ("weights per class", "soft-d", {"weight": [1.0, 2.0, 0.0, 3.0, 0.5]}, False),
    ("weights per sample", "bce-nu", {}, True),
    ("ignored samples", "ce+occe-class", {"ignore_index": 7}, False),
    ("ignored and weighted", "warped-softmax", {"ignore_index": -100, "weight": [1.0, 2.0, 1.0, 3.0, 0.5]}, True),
]


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.start_processes(processes.work, (str(folder), CASES, PAIRS), nprocs=2, start_method="spawn")
    return torch.load(folder / "states.pt")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_two_processes_train_as_one_on_the_joint_batch(states, case):
    label, name, arguments, weighted = case
    expected = processes.trained(processes.build(name, arguments), None, weighted)
    torch.testing.assert_close(states[label], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_class_means_follow_the_samples_of_all_processes(states, name):
    torch.testing.assert_close(states[name], processes.class_means(name, None))


def test_a_state_that_would_follow_one_process_only_is_refused(states):
    assert "objective.synchronize()" in states["refused"] and "2 processes" in states["refused"]


def test_synchronize_reaches_a_loss_with_a_state():
    objective = create_objective("adafocal+occe", 4, 3)
    assert objective.synchronize() is objective
    assert objective.loss.synchronized is True
    assert objective.synchronize(gather=False).loss.synchronized is False
