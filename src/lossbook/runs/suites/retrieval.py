"""Retrieval and clustering (`warped`): among the images of classes that training never saw, and of those it saw."""

from __future__ import annotations

from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.clustering import nmi
from lossbook.metrics.proxies import avg_dtp
from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.suites.suite import Measured, Outputs, Suite

# Beyond (Stanford Online Products) papers print recall at other k and no NMI; k-means with so many clusters takes hours.
_MANY_CLASSES = 1000
_FEW_KS, _MANY_KS = (1, 2, 4, 8), (1, 10, 100, 1000)


def measure(outputs: Outputs) -> Measured:
    """``unknown_*``: test images of the classes that ``RunSpec.classes`` leaves out, the paper's setting, if there are any;
    ``known_*``: test images of the trained classes.  Each with ``recall@{1,2,4,8}``, ``P@1``, ``R-precision``, ``MAP@R``,
    ``NMI`` and ``AMI`` by Euclidean distance of the raw features, and with ``_cosine`` at the end by cosine.
    Of more than a thousand classes ``recall@{1,10,100,1000}``, and neither ``NMI`` nor ``AMI``.
    ``train_avg_dtp`` (as Table III) and ``known_avg_dtp``: the mean distance to the true class's proxy, Euclidean heads only.
    """
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


SUITE = Suite(measure)
