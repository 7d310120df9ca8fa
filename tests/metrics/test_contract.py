"""What holds for every metric: repeatable, the same in every dtype, layout and on every device, and one clear error for NaN, no
samples, lists and arrays, wrong labels, lengths that do not fit and tensors on two devices.

A new metric is one line in ``METRICS``; its own test file then holds its brute-force reference, its invariances and what is
special about it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import lossbook.metrics
from lossbook import precision
from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.clustering import nmi
from lossbook.metrics.collapse import dimensions_needed, fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.metrics.longtail import class_groups, count_right, group_accuracy
from lossbook.metrics.neighbours import nearest_neighbours
from lossbook.metrics.openset import auroc, generalisation_gap, oscr, oscr_from_scores
from lossbook.metrics.pairs import cross_validated_accuracy, similarities, tar_at_far
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import (
    map_at_r,
    mean_average_precision,
    mean_reciprocal_rank,
    precision_at_1,
    precision_at_k,
    r_precision,
    recall_at_k,
    retrieval_scores,
)
from lossbook.metrics.similarity import linear_cka
from lossbook.metrics.thresholds import aupr, calibrate, equal_error_rate, fpr_at_tpr, roc
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    classwise_uniform_accuracy_from_split,
    metric_matrix_dominance,
    overlap,
    samplewise_accuracy,
    samplewise_accuracy_from_split,
    split_similarities,
    top1,
    uniform_accuracy,
    uniform_accuracy_from_split,
)
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy

SAMPLES, CLASSES = 24, 4


@dataclass(frozen=True)
class Metric:
    """An example call of a metric.

    Args:
        function: the metric, with its options.
        arguments: of (values (M, N), labels (M,)), the tensors that the metric takes, by their names.  ``values`` are logits,
            or features of as many dimensions as there are classes.
        labels: the arguments that are classes within 0..N-1.
        ids: the arguments that are classes of any integers.
        free: the arguments whose length is their own.
        counts: the arguments that may be lists and arrays.
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[Tensor, Tensor], dict[str, Any]]
    labels: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()

    def call(self, values: Tensor, labels: Tensor) -> Any:
        return self.function(**self.arguments(values, labels))


def _proxies(values: Tensor) -> Tensor:
    return torch.eye(CLASSES, dtype=values.dtype, device=values.device)


def of_logits(z: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"logits": z, "labels": y}


def of_similarities(z: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"similarities": z, "labels": y}


def of_features(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"features": x, "labels": y}


def of_known_and_unknown(z: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"known_scores": z[:, 0], "unknown_scores": z[:, 1]}


def of_pairs(s: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"scores": s[:, 0], "same": y % 2 == 0}


def of_split(z: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"positive": z[:, 0], "negative": z[:, 1]}


COUNTS = [200, 50, 50, 5]
BOTH = ("known_scores", "unknown_scores")

METRICS = [
    Metric("samplewise_accuracy", samplewise_accuracy, of_similarities, labels=("labels",)),
    Metric("uniform_accuracy", uniform_accuracy, of_similarities, labels=("labels",)),
    Metric("classwise_uniform_accuracy", classwise_uniform_accuracy, of_similarities, labels=("labels",)),
    Metric("split_similarities", split_similarities, of_similarities, labels=("labels",)),
    Metric("samplewise_accuracy_from_split", samplewise_accuracy_from_split, of_split),
    Metric("uniform_accuracy_from_split", uniform_accuracy_from_split, of_split),
    Metric(
        "classwise_uniform_accuracy_from_split",
        classwise_uniform_accuracy_from_split,
        lambda z, y: of_split(z, y) | {"labels": y},
        ids=("labels",),
    ),
    Metric("top1", top1, of_logits, labels=("labels",)),
    Metric("class_ranges", class_ranges, of_similarities, labels=("labels",)),
    Metric("overlap", overlap, of_similarities, labels=("labels",)),
    Metric("metric_matrix_dominance", lambda matrix: metric_matrix_dominance(matrix), lambda z, y: {"matrix": z[:CLASSES]}),
    Metric(
        "group_accuracy",
        group_accuracy,
        lambda z, y: of_logits(z, y) | {"class_counts": COUNTS},
        labels=("labels",),
        counts=("class_counts",),
    ),
    Metric(
        "count_right",
        count_right,
        lambda z, y: of_logits(z, y) | {"groups": torch.tensor([0, 1, 1, 2], device=z.device)},
        labels=("labels",),
    ),
    Metric("class_groups", class_groups, lambda z, y: {"class_counts": z[:, 0].abs()}, counts=("class_counts",)),
    Metric(
        "expected_calibration_error",
        expected_calibration_error,
        lambda z, y: {"confidences": z[:, 0].abs() / 16, "correct": y == 0},
    ),
    Metric("nc1", nc1, of_features, ids=("labels",)),
    Metric("nc2", nc2, lambda x, y: {"weight": x}),
    Metric("nc3", nc3, lambda x, y: of_features(x, y) | {"weight": _proxies(x)}, labels=("labels",), free=("weight",)),
    Metric(
        "nc4",
        nc4,
        lambda x, y: of_features(x, y) | {"weight": _proxies(x), "bias": _proxies(x)[0]},
        ids=("labels",),
        free=("weight", "bias"),
    ),
    Metric("fisher_ratio", fisher_ratio, of_features, ids=("labels",)),
    Metric("principal_accuracies", principal_accuracies, of_logits, labels=("labels",)),
    Metric("dimensions_needed", partial(dimensions_needed, share=0.5), lambda z, y: {"accuracies": z[:, 0].sort().values.abs()}),
    Metric("intra_class_diversity", intra_class_diversity, of_features, ids=("labels",)),
    Metric("within_class_share", within_class_share, of_features, ids=("labels",)),
    Metric("effective_rank", effective_rank, lambda x, y: {"features": x}),
    Metric(
        "subcluster_purity",
        subcluster_purity,
        lambda x, y: {"features": x, "labels": y // 2, "fine": y},
        ids=("labels", "fine"),
    ),
    Metric("compactness", compactness, of_features, ids=("labels",)),
    Metric("compactness, num_classes", partial(compactness, num_classes=CLASSES), of_features, labels=("labels",)),
    Metric("feature_separability", feature_separability, of_features, ids=("labels",)),
    Metric("feature_separability, global", partial(feature_separability, center="global"), of_features, ids=("labels",)),
    Metric("classifier_separability", classifier_separability, lambda x, y: {"weight": x}),
    Metric("separability_matrix", separability_matrix, lambda x, y: {"weight": x}),
    Metric("linear_cka", linear_cka, lambda x, y: {"first": x, "second": x.flip(1) ** 2}),
    Metric(
        "oscr",
        oscr,
        lambda p, y: {"known_probs": p, "known_labels": y, "unknown_probs": p.flip(0)[:9]},
        labels=("known_labels",),
        free=("unknown_probs",),
    ),
    Metric(
        "oscr_from_scores",
        oscr_from_scores,
        lambda p, y: of_known_and_unknown(p, y) | {"right": y == 0},
        free=("unknown_scores",),
    ),
    Metric("auroc", auroc, of_known_and_unknown, free=BOTH),
    Metric("roc", roc, of_known_and_unknown, free=BOTH),
    Metric("fpr_at_tpr", fpr_at_tpr, of_known_and_unknown, free=BOTH),
    Metric("aupr", aupr, of_known_and_unknown, free=BOTH),
    Metric("equal_error_rate", equal_error_rate, of_known_and_unknown, free=BOTH),
    Metric("calibrate", calibrate, of_known_and_unknown, free=BOTH),
    Metric(
        "generalisation_gap",
        generalisation_gap,
        lambda z, y: {"train_logits": z, "train_labels": y, "test_logits": z.flip(0), "test_labels": y},
        labels=("train_labels", "test_labels"),
    ),
    Metric(
        "threshold_accuracy",
        partial(threshold_accuracy, threshold=1.5),
        lambda s, y: {"scores": s[:, 0], "positive": y == 0},
    ),
    Metric("verification_accuracy", verification_accuracy, lambda s, y: {"scores": s[:, 0], "positive": y == 0}),
    Metric("cross_validated_accuracy", cross_validated_accuracy, lambda s, y: of_pairs(s, y) | {"fold": y // 2}),
    Metric("tar_at_far", partial(tar_at_far, far=0.2), of_pairs),
    Metric("similarities", similarities, lambda x, y: {"left": x, "right": x.flip(0)}),
    Metric("nearest_neighbours", partial(nearest_neighbours, k=3), lambda x, y: {"features": x}),
    Metric("recall_at_k", recall_at_k, of_features, ids=("labels",)),
    Metric("precision_at_1", precision_at_1, of_features, ids=("labels",)),
    Metric("precision_at_k", precision_at_k, of_features, ids=("labels",)),
    Metric("mean_average_precision", mean_average_precision, of_features, ids=("labels",)),
    Metric("mean_reciprocal_rank", mean_reciprocal_rank, of_features, ids=("labels",)),
    Metric("r_precision", r_precision, of_features, ids=("labels",)),
    Metric("map_at_r", map_at_r, of_features, ids=("labels",)),
    Metric("retrieval_scores", retrieval_scores, of_features, ids=("labels",)),
    Metric("nmi", nmi, of_features, ids=("labels",)),
    Metric(
        "avg_dtp",
        avg_dtp,
        lambda x, y: of_features(x, y) | {"proxies": _proxies(x)},
        labels=("labels",),
        free=("proxies",),
    ),
]

# Public names of ``lossbook.metrics`` that are no line of METRICS.
OTHERS = {
    "Pairs": "a class, what draw_pairs returns",
    "accuracy_of_groups": "takes the counts of count_right only",
    "draw_metric_matrix": "draws at random, and measures nothing",
    "draw_pairs": "draws at random, and measures nothing",
    "jacobian_ranks": "takes a function",
}

every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def draw(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Whole numbers, which every dtype holds exactly, larger in the label's column."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(SAMPLES) % CLASSES
    values = torch.randint(-6, 7, (SAMPLES, CLASSES), generator=generator)
    values[torch.arange(SAMPLES), labels] += 8
    return values.to(dtype), labels


def numbers(result: Any) -> Iterator[float]:
    """All numbers in what a metric returns."""
    if isinstance(result, Tensor):
        assert not result.requires_grad
        yield from result.double().flatten().tolist()
    elif isinstance(result, dict):
        yield from (float(value) for value in result.values())
    elif isinstance(result, tuple):
        for part in result:
            yield from numbers(part)
    else:
        yield float(result)


def test_every_public_metric_is_in_the_list():
    listed = {metric.name.split(",")[0] for metric in METRICS}
    assert not listed & OTHERS.keys()
    assert set(lossbook.metrics.__all__) - listed == OTHERS.keys(), "add a line to METRICS"


def measure(metric: Metric, values: Tensor, labels: Tensor) -> list[float]:
    return list(numbers(metric.call(values, labels)))


@every_metric
def test_the_same_input_gives_the_same_numbers_and_is_left_alone(metric):
    values, labels = draw()
    first, second = measure(metric, values, labels), measure(metric, values, labels)
    assert first == pytest.approx(second, rel=0, abs=0, nan_ok=True)
    assert torch.equal(values, draw()[0]) and torch.equal(labels, draw()[1])


@every_metric
def test_values_that_need_a_gradient_give_plain_numbers(metric):
    values, labels = draw()
    expected = measure(metric, values, labels)
    assert measure(metric, values.requires_grad_(), labels) == pytest.approx(expected, nan_ok=True)


@every_metric
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_every_dtype_and_device_gives_the_same_numbers(metric, dtype, device):
    expected = measure(metric, *draw())
    values, labels = (tensor.to(device) for tensor in draw(dtype))
    assert measure(metric, values, labels) == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


@every_metric
def test_memory_layout_does_not_matter(metric):
    values, labels = draw()
    turned, strided = values.T.contiguous().T, torch.stack([labels, labels], 1)[:, 0]
    assert not turned.is_contiguous() and not strided.is_contiguous()
    assert measure(metric, turned, strided) == pytest.approx(measure(metric, values, labels), nan_ok=True)


@every_metric
def test_nan_is_refused_or_stays_nan(metric):
    values, labels = draw()
    values[0, 0] = torch.nan
    try:
        found = measure(metric, values, labels)
    except ValueError as error:
        assert "expected" in str(error) and ("NaN" in str(error) or "finite" in str(error) or "within" in str(error))
    else:
        assert any(math.isnan(number) for number in found)


@every_metric
def test_no_samples_are_one_clear_error(metric):
    values, labels = draw()
    with pytest.raises(ValueError, match="expected"):
        metric.call(values[:0], labels[:0])


def each_argument(metric: Metric) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every tensor among a metric's arguments by name, and all arguments, for the caller to spoil."""
    for name, value in metric.arguments(*draw()).items():
        if isinstance(value, Tensor):
            yield name, metric.arguments(*draw())


@every_metric
def test_lists_and_arrays_are_refused_except_for_counts(metric):
    for name, arguments in each_argument(metric):
        for wrong in (arguments[name].tolist(), np.asarray(arguments[name])):
            if name in metric.counts:
                metric.function(**arguments | {name: wrong})
            else:
                with pytest.raises(TypeError, match=rf"expected {name} as a .*got {type(wrong).__name__}"):
                    metric.function(**arguments | {name: wrong})


@every_metric
def test_tensors_on_two_devices_are_one_clear_error(metric):
    for name, arguments in each_argument(metric):
        if len(arguments) > 1 and name not in metric.counts:
            with pytest.raises(ValueError, match=r"expected .*on .*device.*meta"):
                metric.function(**arguments | {name: arguments[name].to("meta")})


@every_metric
def test_lengths_that_do_not_fit_are_one_clear_error(metric):
    for name, arguments in each_argument(metric):
        if len(arguments) > 1 and name not in metric.free:
            with pytest.raises(ValueError, match="expected"):
                metric.function(**arguments | {name: arguments[name][1:]})


@every_metric
def test_labels_are_integers_and_within_the_classes(metric):
    for name, arguments in each_argument(metric):
        labels = arguments[name]
        if name in metric.labels + metric.ids:
            with pytest.raises((TypeError, ValueError), match=r"expected.*float32"):
                metric.function(**arguments | {name: labels.float()})
        if name in metric.labels:
            for wrong in (labels - 1, labels + 1, labels * 0 - 100, labels + 10**9):
                with pytest.raises(ValueError, match="expected"):
                    metric.function(**arguments | {name: wrong})


@every_metric
def test_ids_may_be_any_integers_and_cost_no_memory(metric):
    """A vector as long as the largest label would take 8 TB."""
    values, labels = draw()
    arguments = metric.arguments(values, labels)
    sparse = {name: arguments[name] * 10**12 for name in metric.ids}
    found, expected = metric.function(**arguments | sparse), metric.function(**arguments)
    assert list(numbers(found)) == pytest.approx(list(numbers(expected)), nan_ok=True)


class _NoFloat64(TorchDispatchMode):
    """A device without float64: every operation that gives a tensor of it fails."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            assert not (isinstance(part, Tensor) and part.dtype == torch.float64), f"{function} gives float64"
        return result


# They compute on the CPU, where scikit-learn is.
ON_THE_CPU = {"nmi", "subcluster_purity", "principal_accuracies", "cross_validated_accuracy"}


@every_metric
def test_a_device_without_float64_is_enough(metric, monkeypatch):
    if metric.name in ON_THE_CPU:
        pytest.skip("computes its last step on the CPU")
    monkeypatch.setattr(precision, "widest", lambda device: torch.float32)
    for module in [module for name, module in sys.modules.items() if name.startswith("lossbook.metrics.")]:
        if hasattr(module, "widest"):
            monkeypatch.setattr(module, "widest", lambda device: torch.float32)
    expected = measure(metric, *draw(torch.float32))
    with _NoFloat64():
        result = metric.call(*draw(torch.float32))
    assert list(numbers(result)) == pytest.approx(expected, nan_ok=True)
