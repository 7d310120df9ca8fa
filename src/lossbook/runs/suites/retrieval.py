"""Retrieval and clustering (`warped`): among the images of classes that training never saw, and of those it saw."""

from __future__ import annotations

from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.clustering import nmi
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.suites.suite import Measured, Outputs, Suite

# For more classes (Stanford Online Products) papers print recall at other k, and no NMI: k-means would take hours.
_MANY_CLASSES = 1000
_FEW_KS, _MANY_KS = (1, 2, 4, 8), (1, 10, 100, 1000)


def measure(outputs: Outputs) -> Measured:
    """Distances are those of the raw features and of the features divided by their lengths.  The metrics ``unknown_...``
    have the paper's setting."""
    parts = {"known": (outputs.test_features, outputs.test_labels)}
    if outputs.unknown_features is not None:
        parts["unknown"] = (outputs.unknown_features, outputs.unknown_labels)
    values: dict[str, float] = {}
    for part, (features, labels) in parts.items():
        many = len(labels.unique()) > _MANY_CLASSES
        for distance, ending in (("euclidean", ""), ("cosine", "_cosine")):
            scores = retrieval_scores(features, labels, _MANY_KS if many else _FEW_KS, distance)
            if not many:
                clusters = nmi(features, labels, distance)
                scores |= {"NMI": clusters.nmi, "AMI": clusters.ami}
            values |= {f"{part}_{name}{ending}": value for name, value in scores.items()}
    if isinstance(outputs.objective.head, EuclideanHead):
        proxies = outputs.objective.head.weight
        values["train_avg_dtp"] = avg_dtp(outputs.train_features, outputs.train_labels, proxies)
        values["known_avg_dtp"] = avg_dtp(outputs.test_features, outputs.test_labels, proxies)
    return Measured(values)


_RECALLS = {f"recall@{k}": f"share of queries with one of their class among the {k} nearest" for k in _FEW_KS}
_RECALLS |= {f"recall@{k}": f"the same among the {k} nearest; only for more than 1,000 classes" for k in _MANY_KS if k > 1}
_SCORES = _RECALLS | {
    "P@1": "precision at 1, equal to recall@1",
    "R-precision": "share of a query's class among as many neighbours as the class has other images, mean over the queries",
    "MAP@R": "mean average precision at R",
    "NMI": "normalised mutual information of the classes and as many k-means clusters, far from 0 by chance; not for more than"
    " 1,000 classes",
    "AMI": "the same adjusted for chance, which is 0; not for more than 1,000 classes",
}
_PARTS = {
    "known": "test images of the trained classes",
    "unknown": "test images of the classes that RunSpec.classes leaves out, if there are any",
}
SUITE = Suite(
    measure,
    metrics={
        **{
            f"{part}_{name}{ending}": f"{line}; {images}, {distance} distance, at most 1; larger is better"
            for part, images in _PARTS.items()
            for distance, ending in (("Euclidean", ""), ("cosine", "_cosine"))
            for name, line in _SCORES.items()
        },
        "train_avg_dtp": "mean distance of the training images to their class's proxy (Table III); Euclidean heads only",
        "known_avg_dtp": "the same of the test images",
    },
)
