"""Metrics over a stream equal the functions of one call: for every cut into batches, after copying, and over two processes."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.longtail import group_accuracy
from lossbook.metrics.openset import auroc, oscr
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.metrics.streaming import (
    AUROC,
    OSCR,
    ExpectedCalibrationError,
    FPRAtTPR,
    GroupAccuracies,
    RetrievalScores,
    UniformAccuracies,
)
from lossbook.metrics.thresholds import fpr_at_tpr
from lossbook.metrics.uniformity import classwise_uniform_accuracy, samplewise_accuracy, uniform_accuracy

SAMPLES, CLASSES, COUNTS = 60, 4, [300, 50, 30, 5]


@dataclass(frozen=True)
class Case:
    """A metric, what its updates take of logits (B, N) and labels (B,), and the function of one call."""

    metric: Callable[[], Any]
    batch: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    function: Callable[[Tensor, Tensor], Any]
    samples_in_order: bool = False  # a sum of floats: the last digit depends on the order


def _known(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return logits.amax(1), labels > 0


def _open(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return logits, labels - 1  # class 0 becomes the unknown one


def _confidence(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return logits.softmax(1).amax(1), logits.argmax(1) == labels


def _three_accuracies(z: Tensor, y: Tensor) -> dict[str, float]:
    accuracy, threshold = uniform_accuracy(z, y)
    own = {"A_SW": samplewise_accuracy(z, y), "A_CW": classwise_uniform_accuracy(z, y)}
    return own | {"A_Uni": accuracy, "threshold": threshold}


CASES = {
    "UniformAccuracies": Case(UniformAccuracies, lambda z, y: (z, y), _three_accuracies),
    "OSCR": Case(OSCR, _open, lambda z, y: oscr(z[y > 0], y[y > 0] - 1, z[y == 0])),
    "AUROC": Case(AUROC, _known, lambda z, y: auroc(z[y > 0].amax(1), z[y == 0].amax(1))),
    "FPRAtTPR": Case(lambda: FPRAtTPR(0.9), _known, lambda z, y: fpr_at_tpr(z[y > 0].amax(1), z[y == 0].amax(1), 0.9)),
    "ExpectedCalibrationError": Case(
        lambda: ExpectedCalibrationError(10), _confidence, lambda z, y: expected_calibration_error(*_confidence(z, y), 10), True
    ),
    "GroupAccuracies": Case(
        lambda: GroupAccuracies(COUNTS), lambda z, y: (z, y), lambda z, y: group_accuracy(z, y, COUNTS)._asdict()
    ),
    "RetrievalScores": Case(
        lambda: RetrievalScores((1, 3), "cosine"),
        lambda z, y: (z, y),
        lambda z, y: retrieval_scores(z, y, (1, 3), "cosine"),
        True,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def draw(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(CLASSES), torch.randint(CLASSES, (SAMPLES - CLASSES,), generator=generator)])
    logits = torch.randn(SAMPLES, CLASSES, generator=generator)
    logits[torch.arange(SAMPLES), labels] += 1.5
    return logits.to(dtype), labels


def numbers(result: Any) -> Any:
    """Of tensors, in or outside a dict, the plain numbers."""
    if isinstance(result, dict):
        return {name: float(value) for name, value in result.items()}
    return float(result)


def stream(case: Case, logits: Tensor, labels: Tensor, cuts: list[int], metric: Any = None) -> Any:
    metric = case.metric() if metric is None else metric
    for part in torch.arange(len(labels)).tensor_split(cuts):
        if len(part):
            metric.update(*case.batch(logits[part], labels[part]))
    return metric


@given(st.lists(st.integers(0, SAMPLES), max_size=8).map(sorted), st.integers(0, 5), st.sampled_from(list(CASES)))
def test_every_cut_into_batches_gives_the_numbers_of_one_call(cuts, seed, name):
    case, (logits, labels) = CASES[name], draw(seed)
    found = stream(case, logits, labels, cuts).compute()
    assert numbers(found) == numbers(case.function(logits, labels))


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_every_dtype_gives_the_numbers_of_one_call(case, dtype, device):
    logits, labels = (tensor.to(device) for tensor in draw(dtype=dtype))
    found = stream(case, logits, labels, [10, 11, 40], case.metric().to(device)).compute()
    assert numbers(found) == pytest.approx(numbers(case.function(logits, labels)), abs=1e-12)


@every_case
def test_a_batch_that_is_overwritten_later_still_counts(case):
    logits, labels = draw()
    metric = case.metric()
    first, second = (logits[:30].clone(), labels[:30].clone()), (logits[30:], labels[30:])
    arguments = case.batch(*first)
    metric.update(*arguments)
    for argument in arguments:
        argument.zero_()
    metric.update(*case.batch(*second))
    assert numbers(metric.compute()) == numbers(case.function(logits, labels))


@every_case
def test_reset_clone_pickle_and_state_dict(case):
    logits, labels = draw()
    half = stream(case, logits[:30], labels[:30], [7])
    restored = case.metric()
    restored.load_state_dict(half.state_dict())
    copies = [half.clone(), copy.deepcopy(half), pickle.loads(pickle.dumps(half)), restored]
    for metric in copies:
        found = stream(case, logits[30:], labels[30:], [9], metric).compute()
        assert numbers(found) == numbers(case.function(logits, labels))
    half.reset()
    assert numbers(stream(case, logits, labels, [], half).compute()) == numbers(case.function(logits, labels))


@every_case
def test_computing_between_batches_changes_nothing(case):
    logits, labels = draw()
    metric = stream(case, logits[:40], labels[:40], [])
    assert numbers(metric.compute()) == numbers(case.function(logits[:40], labels[:40]))
    stream(case, logits[40:], labels[40:], [], metric)
    assert numbers(metric.compute()) == numbers(case.function(logits, labels))


def _process(rank: int, folder: str) -> None:
    """Every metric on an uneven share of the batches, then with a process that has none."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = {}
    for dtype in (torch.float32, torch.float64):
        logits, labels = draw(dtype=dtype)
        for name, case in CASES.items():
            for share, split in {"uneven": 45, "all": SAMPLES}.items():
                own = slice(0, split) if rank == 0 else slice(split, None)
                metric = stream(case, logits[own], labels[own], [5])
                metric._update_count = 1  # torchmetrics warns where a process computes without a batch
                found[dtype, name, share] = numbers(metric.compute())
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    """Also where one of them has no batch, whose dtypes and shapes it then does not know."""
    torch.multiprocessing.start_processes(_process, (str(tmp_path),), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2))
    assert first == second
    for (dtype, name, _), found in first.items():
        expected = numbers(CASES[name].function(*draw(dtype=dtype)))
        assert found == (pytest.approx(expected, abs=1e-12) if CASES[name].samples_in_order else expected)


@every_case
def test_no_sample_is_one_clear_error(case):
    metric = case.metric()
    if isinstance(metric, GroupAccuracies):
        pytest.skip("a group without samples is NaN")
    with pytest.warns(UserWarning, match="before the `?`?update"), pytest.raises(ValueError, match="got no update"):
        metric.compute()


@every_case
def test_a_wrong_batch_is_refused_and_leaves_no_trace(case):
    logits, labels = draw()
    metric = stream(case, logits, labels, [])
    first, second = case.batch(logits, labels)
    for wrong in ((first[:5], second), (first.tolist(), second), (first, second.tolist()), (first[:0], second[:0])):
        with pytest.raises((TypeError, ValueError), match="expected"):
            metric.update(*wrong)
    for wrong in ((first.to("meta"), second), (first, second.to("meta")), (first, second.float())):
        with pytest.raises((TypeError, ValueError), match="expected"):
            metric.update(*wrong)
    assert numbers(metric.compute()) == numbers(case.function(logits, labels))


def test_labels_of_open_set_samples_are_minus_one_or_known():
    with pytest.raises(ValueError, match=r"labels within -1\.\.3, got values from -2 to 4"):
        OSCR().update(torch.rand(2, 4), torch.tensor([-2, 4]))
    with pytest.raises(ValueError, match="without NaN"):
        OSCR().update(torch.full((2, 4), torch.nan), torch.tensor([0, -1]))


def test_a_stream_keeps_a_few_bytes_per_sample():
    """As each docstring states: nothing keeps the batch alive."""
    expected = {"UniformAccuracies": 16, "OSCR": 6, "AUROC": 5, "FPRAtTPR": 5, "ExpectedCalibrationError": 5}
    for name, size in expected.items():
        metric = stream(CASES[name], *draw(), [20])
        kept = [tensor for state in metric.state_dict().values() for tensor in state]
        assert sum(tensor.untyped_storage().nbytes() for tensor in kept) == size * SAMPLES
        alive = [tensor for state in metric._defaults for tensor in getattr(metric, state)]
        assert sum(tensor.untyped_storage().nbytes() for tensor in alive) == size * SAMPLES


def test_a_batch_of_one_kind_alone_has_no_value_and_is_kept():
    torch.manual_seed(0)
    scores, known = torch.rand(10), torch.arange(10) < 6
    metric = AUROC()
    values = [metric(scores[part], known[part]) for part in (known, ~known)]
    assert all(value.isnan() for value in values)
    assert metric.compute() == auroc(scores[known], scores[~known])
