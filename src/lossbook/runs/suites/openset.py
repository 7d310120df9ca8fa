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
    """``error`` on the known classes, ``oscr`` and ``auroc_msp`` with the maximum softmax probability as the score.

    A dual head is measured for all its predictions, with ``_ce``, ``_occe`` and ``_combined`` behind the names; without
    suffix it is the objective's own.  The combined prediction is a score by itself and sees no softmax.
    """
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


SUITE = Suite(measure)
