"""The `uniform` paper's numbers: three accuracies, the optimal and the learned threshold, ranges and histograms."""

from __future__ import annotations

import math

import torch

from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    overlap,
    samplewise_accuracy,
    split_similarities,
    uniform_accuracy,
)
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_BINS = 40


def measure(outputs: Outputs) -> Measured:
    """Thresholds in the metrics' unit: ``threshold`` on the metrics with bias (as Table II prints it), the others on
    the bias-free metrics.  ``A_Uni_learned`` is the accuracy at the learned threshold, with nothing searched."""
    objective, labels = outputs.objective, outputs.test_labels
    with torch.no_grad():
        logits = objective.logits(outputs.test_features)
        free = objective.head.similarities(outputs.test_features)
    accuracy, threshold = uniform_accuracy(logits, labels)
    free_accuracy, free_threshold = uniform_accuracy(free, labels)
    learned = objective.threshold()
    positive, negative = split_similarities(free, labels)
    softmaxed = logits.double().softmax(1)  # Tables S.II-S.VII
    softmaxed_accuracy, softmaxed_threshold = uniform_accuracy(softmaxed, labels)
    values = {
        "A_SW": samplewise_accuracy(logits, labels),
        "A_CW": classwise_uniform_accuracy(logits, labels),
        "A_Uni": accuracy,
        "threshold": threshold,
        "A_Uni_free": free_accuracy,
        "threshold_free": free_threshold,
        "threshold_learned": learned.mean().item(),
        "A_SW_softmax": samplewise_accuracy(softmaxed, labels),
        "A_CW_softmax": classwise_uniform_accuracy(softmaxed, labels),
        "A_Uni_softmax": softmaxed_accuracy,
        "threshold_softmax": softmaxed_threshold,
        "metric_range": (free.max() - free.min()).item(),
    }
    if learned.numel() == 1:
        values["A_Uni_learned"] = ((positive > learned) & (learned >= negative)).double().mean().item()
    if outputs.initial_bias is not None:
        change = (objective.head.bias.detach() - outputs.initial_bias).double()
        values["bias_change_mean"] = change.mean().item()
        values["bias_change_std"] = change.std().item() if change.numel() > 1 else math.nan
    if labels[positive > negative].unique().numel() > 1:
        spread = overlap(free, labels)
        values |= {f"overlap_{name}": value for name, value in spread._asdict().items()}
        values["overlap_width"] = spread.width
    return Measured(values, {"classes": _class_rows(outputs, free, logits), "histogram": _histogram(positive, negative)})


def _class_rows(outputs: Outputs, free: torch.Tensor, logits: torch.Tensor) -> list[dict[str, float]]:
    """Figs. 2 and 3: one row a class."""
    bias = outputs.objective.threshold().expand(free.shape[1])
    columns = {"bias_threshold": bias}
    for view, metrics, negatives in (("type1", free, "type1"), ("type2", free, "type2"), ("biased", logits, "type1")):
        for end, values in class_ranges(metrics, outputs.test_labels, negatives)._asdict().items():
            columns[f"{view}_{end}"] = values
    return [{"class": i} | {name: values[i].item() for name, values in columns.items()} for i in range(free.shape[1])]


def _histogram(positive: torch.Tensor, negative: torch.Tensor) -> list[dict[str, float]]:
    """Counts of positive and largest negative metrics over a common grid, correctly classified samples only."""
    correct = positive > negative
    positive, negative = positive[correct], negative[correct]
    if positive.numel() == 0:
        return []
    low, high = negative.min().item(), positive.max().item()
    edges = torch.linspace(low, high, _BINS + 1).tolist()
    counts = [values.histc(_BINS, low, high).tolist() for values in (positive, negative)]
    return [{"left": edges[k], "right": edges[k + 1], "positive": counts[0][k], "negative": counts[1][k]} for k in range(_BINS)]


SUITE = Suite(measure)
