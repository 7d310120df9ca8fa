"""Open-set recognition by the largest probability (`onecold`, Sec. 3.3, Table 3).

Needs a run on some classes only (``RunSpec.classes``): the test images of the other classes are the unknown ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lossbook.heads.dual import DualHead
from lossbook.metrics.openset import auroc, oscr
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """The score is the largest softmax probability.  A dual head is measured for each of its predictions; metrics without a
    suffix are those of the objective's own prediction.  The combined prediction is a score already and gets no softmax."""
    if outputs.unknown_features is None:
        raise ValueError("the suite 'openset' needs RunSpec.classes: the classes left out are the unknown ones")
    known, unknown, labels = outputs.test_features, outputs.unknown_features, outputs.test_labels
    head = outputs.objective.head
    with torch.no_grad():  # in float64: near 1, float32 probabilities tie
        if not isinstance(head, DualHead):
            parts = {"": [outputs.objective.logits(x).double().softmax(1) for x in (known, unknown)]}
        else:
            both = [(head.ce(x).double(), head.occe(x).double()) for x in (known, unknown)]
            parts = {
                "_ce": [ce.softmax(1) for ce, _ in both],
                "_occe": [occe.softmax(1) for _, occe in both],
                "_combined": [head.combine(*logits) for logits in both],
            }
            parts[""] = parts[f"_{head.prediction}"]
        return Measured({name + part: value for part in parts for name, value in _measure(*parts[part], labels).items()})


def _measure(known: Tensor, unknown: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "error": 1 - samplewise_accuracy(known, labels),
        "oscr": oscr(known, labels, unknown),
        "auroc_msp": auroc(known.amax(1), unknown.amax(1)),
    }


_PARTS = {"": "", "_ce": " by the cross entropy head", "_occe": " by the one-cold head", "_combined": " by both heads together"}
SUITE = Suite(
    measure,
    metrics={
        f"{name}{part}": f"{line.format(whose)}{'; dual heads only' if part else ''}"
        for part, whose in _PARTS.items()
        for name, line in {
            "error": "share of wrong predictions on the known classes{}, within [0, 1]; smaller is better",
            "oscr": "area under the open-set classification rate curve{}, within [0, 1]; larger is better",
            "auroc_msp": "AUROC of known against unknown classes by the largest probability{}, within [0, 1]; larger is better",
        }.items()
    },
)
