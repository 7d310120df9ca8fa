"""Out-of-distribution detection by ten post-hoc scores (`onecold`, Sec. 3.4): other data sets are the unknown ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.data.batches import resize, to_float
from lossbook.data.dataset import Split
from lossbook.data.other_sets import others_of
from lossbook.data.unknown import unknown_for
from lossbook.heads.dual import DualHead
from lossbook.heads.linear import LinearHead
from lossbook.metrics import ood
from lossbook.metrics.openset import auroc
from lossbook.metrics.uniformity import samplewise_accuracy
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_NEIGHBOURS = 50
_ODIN_NOISE = 2 * 0.0014  # 0.0014 of the range of a pixel, which is 2 after `to_float`
_CHUNK = 500


def measure(outputs: Outputs) -> Measured:
    """A run on cached features is scored against cached features of the other data sets, and ODIN moves the features.
    The scores need a linear head; of a dual head, they take the cross-entropy head."""
    return Measured(measure_against(outputs, others_of("ood", outputs.spec.dataset)))


def measure_against(outputs: Outputs, unknown: tuple[str, ...]) -> dict[str, float]:
    """The metrics of :func:`measure` for these unknown sets."""
    head = outputs.objective.head.ce if isinstance(outputs.objective.head, DualHead) else outputs.objective.head
    if not isinstance(head, LinearHead):
        raise ValueError(f"the suite 'ood' needs a linear head, got {type(head).__name__}")
    known = outputs.data.test.images
    scores = _scores(outputs, head, known, outputs.test_features)
    with torch.no_grad():
        values = {"error": 1 - samplewise_accuracy(head(outputs.test_features), outputs.test_labels)}
    for name in unknown:
        images = unknown_for(outputs.spec.dataset, name, known, known.shape[-1])
        others = _scores(outputs, head, images, outputs.extract(images))
        areas = {method: auroc(scores[method], others[method]) for method in scores}
        values[f"ood_{name}"] = sum(areas.values()) / len(areas)
        values |= {f"ood_{name}_{method}": area for method, area in areas.items()}
    return values


def _scores(outputs: Outputs, head: LinearHead, images: Tensor, features: Tensor) -> dict[str, Tensor]:
    train, labels = outputs.train_features, outputs.train_labels
    with torch.no_grad():
        weight, bias = head.weight, -head.threshold().expand(len(head.weight))
        logits, train_logits = head(features), head(train)
        return {
            "msp": ood.msp(logits.double()),
            "odin": _odin(outputs, weight, bias, images),
            "rmds": ood.rmds(features, train, labels),
            "energy": ood.energy(logits),
            "vim": ood.vim(features, train, weight, bias),
            "knn": ood.knn(features, train, min(_NEIGHBOURS, len(train))),
            "dice": ood.dice(features, train, weight, bias),
            "she": ood.she(features, logits, train, train_logits, labels),
            "relation": ood.relation(features, logits, train, train_logits),
            "scale": ood.scale(features, weight, bias),
        }


def _odin(outputs: Outputs, weight: Tensor, bias: Tensor, images: Tensor) -> Tensor:
    device = next(outputs.backbone.parameters()).device
    resized = resize(Split(images, images.new_empty(0)), outputs.spec.image_size).images

    def logits(x: Tensor) -> Tensor:
        # In float64, because at a temperature of 1,000 the probabilities differ only in their sixth digit.
        return F.linear(outputs.backbone(x).double(), weight.to(device).double(), bias.to(device).double())

    parts = [ood.odin(logits, to_float(chunk.to(device)), noise=_ODIN_NOISE).cpu() for chunk in resized.split(_CHUNK)]
    return torch.cat(parts)


METRICS = {
    "error": "share of wrong predictions on the test images, within [0, 1]; smaller is better",
    "ood_<set>": "AUROC of the test images against an unknown set, mean over the ten scores, within [0, 1]; larger is better"
    " (Table 4)",
    "ood_<set>_<score>": "the same by one score: msp, odin, rmds, energy, vim, knn, dice, she, relation, scale",
}
SUITE = Suite(measure, METRICS)
