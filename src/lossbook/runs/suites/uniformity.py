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
    """The similarities have no bias, the logits have one.  Overlaps need right predictions in two classes at least."""
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
    """Figs. 2 and 3: one row per class."""
    bias = outputs.objective.threshold().expand(free.shape[1])
    columns = {"bias_threshold": bias}
    for view, values, negatives in (("type1", free, "type1"), ("type2", free, "type2"), ("biased", logits, "type1")):
        for end, ends in class_ranges(values, outputs.test_labels, negatives)._asdict().items():
            columns[f"{view}_{end}"] = ends
    return [{"class": i} | {name: values[i].item() for name, values in columns.items()} for i in range(free.shape[1])]


def _histogram(positive: torch.Tensor, negative: torch.Tensor) -> list[dict[str, float]]:
    """Counts of positive and largest negative similarities over a common grid, correctly classified samples only."""
    correct = positive > negative
    positive, negative = positive[correct], negative[correct]
    if positive.numel() == 0:
        return []
    low, high = negative.min().item(), positive.max().item()
    edges = torch.linspace(low, high, _BINS + 1).tolist()
    counts = [values.histc(_BINS, low, high).tolist() for values in (positive, negative)]
    return [{"left": edges[k], "right": edges[k + 1], "positive": counts[0][k], "negative": counts[1][k]} for k in range(_BINS)]


SUITE = Suite(
    measure,
    metrics={
        "A_SW": "sample-wise accuracy, the share of right predictions, within [0, 1]; larger is better",
        "A_CW": "class-wise uniform accuracy, with the best threshold per class, within [0, 1]; larger is better",
        "A_Uni": "uniform accuracy, with one best threshold on the logits, within [0, 1]; larger is better",
        "threshold": "that threshold, in the logits' unit (as Table II prints it)",
        "A_Uni_free": "A_Uni of the similarities, which have no bias",
        "threshold_free": "its threshold, in the similarities' unit",
        "threshold_learned": "the threshold that the loss has learned, mean over the classes, in the similarities' unit",
        "A_SW_softmax": "A_SW after a softmax",
        "A_CW_softmax": "A_CW after a softmax",
        "A_Uni_softmax": "A_Uni after a softmax",
        "threshold_softmax": "its threshold, within [0, 1]",
        "metric_range": "largest less smallest similarity",
        "A_Uni_learned": "share of samples that the learned threshold classifies, nothing searched, within [0, 1]; larger is"
        " better; losses with one threshold only",
        "bias_change_mean": "change of the biases in training, mean over the classes; heads with a bias only",
        "bias_change_std": "its standard deviation over the classes; heads with several biases only",
        "overlap_positive_min_mean": "smallest similarity of a class's samples to their class, mean over the classes (Fig. 2)",
        "overlap_positive_min_std": "its standard deviation over the classes",
        "overlap_negative_max_mean": "largest similarity of a class's samples to another class, mean over the classes (Fig. 2)",
        "overlap_negative_max_std": "its standard deviation over the classes",
        "overlap_width": "overlap_negative_max_mean less overlap_positive_min_mean; smaller is better, negative when apart",
    },
    small_tables={
        "classes": "one row per `class` (Figs. 2 and 3): its learned `bias_threshold`, and over the right samples the ends of the"
        " positive and the negative similarities, with the negatives of its own samples (`type1_positive_min`,"
        " `type1_positive_max`, `type1_negative_min`, `type1_negative_max`) or of the other classes' samples"
        " (`type2_positive_min`, `type2_positive_max`, `type2_negative_min`, `type2_negative_max`), and of the logits"
        " (`biased_positive_min`, `biased_positive_max`, `biased_negative_min`, `biased_negative_max`)",
        "histogram": "one row per bin from `left` to `right`: numbers of `positive` and of largest `negative` similarities"
        " of the right samples",
    },
)
