"""The protocol of *A Metric Learning Reality Check* (`warped`, Tables VI to VIII): four models on class-disjoint folds.

The training classes are cut into four folds; four models are trained, each on three of them, with a quarter of the
run's embedding size and another seed.  All are evaluated on the classes that no model has seen:

* ``separated``: each alone, the scores averaged ("aggregate" in the paper);
* ``concatenated``: their embeddings side by side ("ensemble");
* ``complete``: the run's own model, all four folds and the full embedding size (the paper's addition);
* ``validation``: each model on the fold that it has not seen, averaged.  This is the score to choose settings by.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.neighbours import Distance
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes
from lossbook.runs.suites.suite import Measured, Outputs, Suite

FOLDS = 4
SCORES = ("MAP@R", "R-precision", "P@1")
_NEEDS_CLASSES = "the suite 'reality_check' needs RunSpec.classes: the classes left out are the test classes"


def class_folds(num_classes: int, folds: int = FOLDS) -> list[Tensor]:
    """Consecutive classes in parts of equal size, the first ones larger by one where that is not possible.

    Raises:
        ValueError: where a fold would have fewer than two classes, and nothing could be confused in it.

    Example:
        >>> [fold.tolist() for fold in class_folds(9)]
        [[0, 1, 2], [3, 4], [5, 6], [7, 8]]
    """
    if num_classes < 2 * folds:
        raise ValueError(f"expected at least {2 * folds} classes, two in each of {folds} folds, got {num_classes}")
    return list(torch.arange(num_classes).tensor_split(folds))


def concatenated(embeddings: Sequence[Tensor], distance: Distance) -> Tensor:
    """Embeddings of the same images by several models side by side: K times (M, d) to (M, K d).

    Squared Euclidean distances add up as they are.  For cosines each model's embeddings are first divided by their
    lengths, so that every model counts the same: the cosine of the whole is the mean of the models' cosines.

    Example:
        >>> concatenated([torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])], "euclidean").tolist()
        [[3.0, 4.0, 0.0, 2.0]]
    """
    return torch.cat([F.normalize(e) if distance == "cosine" else e for e in embeddings], 1)


def fold_specs(spec: RunSpec) -> list[RunSpec]:
    """The runs of the four models, the k-th without the k-th fold."""
    if not spec.classes:
        raise ValueError(_NEEDS_CLASSES)
    if spec.embedding_size == 0 or spec.embedding_size % FOLDS:
        raise ValueError(f"expected an embedding_size that is a multiple of {FOLDS}, got {spec.embedding_size}")
    specs = []
    for k, fold in enumerate(class_folds(len(spec.classes))):
        kept = tuple(c for i, c in enumerate(spec.classes) if i not in fold)
        specs.append(spec.replace(classes=kept, embedding_size=spec.embedding_size // FOLDS, seed=FOLDS * spec.seed + k))
    return specs


def _scores(features: Tensor, labels: Tensor, distance: Distance) -> dict[str, float]:
    found = retrieval_scores(features, labels, ks=(1,), distance=distance)
    return {name: found[name] for name in SCORES}


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(s[name] for s in scores) / len(scores) for name in SCORES}


def measure(outputs: Outputs, *folds: Outputs | None) -> Measured:
    """Retrieval by the distance that the loss works with; nothing if one of the four trainings diverged."""
    unknown = held_out_classes(outputs.spec)
    if unknown is None:
        raise ValueError(_NEEDS_CLASSES)
    distance: Distance = "euclidean" if isinstance(outputs.objective.head, EuclideanHead) else "cosine"
    test, validation = [], []
    for fold, model in zip(class_folds(outputs.data.num_classes), folds, strict=True):
        if model is None:
            return Measured({})
        test.append(model.extract(unknown.images))
        held_out = outputs.data.test.take(torch.isin(outputs.data.test.labels, fold))
        validation.append(_scores(model.extract(held_out.images), held_out.labels, distance))
    scores = {
        "complete": _scores(outputs.unknown_features, unknown.labels, distance),
        "concatenated": _scores(concatenated(test, distance), unknown.labels, distance),
        "separated": _mean([_scores(features, unknown.labels, distance) for features in test]),
        "validation": _mean(validation),
    }
    return Measured({f"{setting}_{name}": value for setting, found in scores.items() for name, value in found.items()})


_SETTINGS = {
    "complete": "the run's own model",
    "concatenated": "four models side by side",
    "separated": "four models, mean",
    "validation": "four models, each on the fold that it has not seen, mean",
}
SUITE = Suite(
    measure,
    metrics={
        f"{setting}_{name}": f"{name} of {line}, within [0, 1]; larger is better"
        for setting, line in _SETTINGS.items()
        for name in SCORES
    },
    further_runs=fold_specs,
)
