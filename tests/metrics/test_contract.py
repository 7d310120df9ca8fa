"""What holds for every metric: repeatable, the same in every dtype, layout and on every device, no silent NaN, no empty input.

A new metric is one line in ``METRICS``; its own test file then holds its brute-force reference, its invariances and what is
special about it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from lossbook.metrics.calibration import expected_calibration_error
from lossbook.metrics.clustering import nmi
from lossbook.metrics.collapse import fisher_ratio, nc1, nc2, nc3, nc4, principal_accuracies
from lossbook.metrics.diversity import effective_rank, intra_class_diversity, subcluster_purity, within_class_share
from lossbook.metrics.geometry import classifier_separability, compactness, feature_separability, separability_matrix
from lossbook.metrics.longtail import group_accuracy
from lossbook.metrics.neighbours import nearest_neighbours
from lossbook.metrics.openset import auroc, generalisation_gap, oscr
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
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    overlap,
    samplewise_accuracy,
    split_similarities,
    uniform_accuracy,
)
from lossbook.metrics.verification import threshold_accuracy, verification_accuracy

SAMPLES, CLASSES = 24, 4


@dataclass(frozen=True)
class Metric:
    """An example call of a metric: (values (M, N), labels (M,)) to its numbers.

    ``values`` are logits, or features of as many dimensions as there are classes.
    """

    name: str
    call: Callable[[Tensor, Tensor], Any]


def _proxies(values: Tensor) -> Tensor:
    return torch.eye(CLASSES, dtype=values.dtype, device=values.device)


METRICS = [
    Metric("samplewise_accuracy", samplewise_accuracy),
    Metric("uniform_accuracy", uniform_accuracy),
    Metric("classwise_uniform_accuracy", classwise_uniform_accuracy),
    Metric("split_similarities", split_similarities),
    Metric("class_ranges", class_ranges),
    Metric("overlap", overlap),
    Metric("group_accuracy", lambda z, y: group_accuracy(z, y, torch.tensor([200, 50, 50, 5], device=z.device))),
    Metric("expected_calibration_error", lambda z, y: expected_calibration_error(z[:, 0].abs() / 16, y == 0)),
    Metric("nc1", nc1),
    Metric("nc2", lambda x, y: nc2(x)),
    Metric("nc3", lambda x, y: nc3(x, y, _proxies(x))),
    Metric("nc4", lambda x, y: nc4(x, y, _proxies(x), None)),
    Metric("fisher_ratio", fisher_ratio),
    Metric("principal_accuracies", principal_accuracies),
    Metric("intra_class_diversity", intra_class_diversity),
    Metric("within_class_share", within_class_share),
    Metric("effective_rank", lambda x, y: effective_rank(x)),
    Metric("subcluster_purity", lambda x, y: subcluster_purity(x, y // 2, y)),
    Metric("compactness", compactness),
    Metric("feature_separability", feature_separability),
    Metric("feature_separability, global", lambda x, y: feature_separability(x, y, center="global")),
    Metric("classifier_separability", lambda x, y: classifier_separability(x)),
    Metric("separability_matrix", lambda x, y: separability_matrix(x)),
    Metric("linear_cka", lambda x, y: linear_cka(x, x.flip(1) ** 2)),
    Metric("oscr", lambda p, y: oscr(p, y, p.flip(0)[:9])),
    Metric("auroc", lambda p, y: auroc(p[:, 0], p[:, 1])),
    Metric("generalisation_gap", lambda z, y: generalisation_gap(z, y, z.flip(0), y)),
    Metric("threshold_accuracy", lambda s, y: threshold_accuracy(s[:, 0], y == 0, 1.5)),
    Metric("verification_accuracy", lambda s, y: verification_accuracy(s[:, 0], y == 0)),
    Metric("cross_validated_accuracy", lambda s, y: cross_validated_accuracy(s[:, 0], y % 2 == 0, y // 2)),
    Metric("tar_at_far", lambda s, y: tar_at_far(s[:, 0], y == 0, 0.2)),
    Metric("similarities", lambda x, y: similarities(x, x.flip(0))),
    Metric("nearest_neighbours", lambda x, y: nearest_neighbours(x, 3)),
    Metric("recall_at_k", recall_at_k),
    Metric("precision_at_1", precision_at_1),
    Metric("precision_at_k", precision_at_k),
    Metric("mean_average_precision", mean_average_precision),
    Metric("mean_reciprocal_rank", mean_reciprocal_rank),
    Metric("r_precision", r_precision),
    Metric("map_at_r", map_at_r),
    Metric("retrieval_scores", retrieval_scores),
    Metric("nmi", nmi),
    Metric("avg_dtp", lambda x, y: avg_dtp(x, y, _proxies(x))),
]

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
