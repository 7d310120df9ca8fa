"""Retrieval (`warped`) without clusters: ten starts of k-means take several times as long as the training of a linear map."""

from __future__ import annotations

from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """``unknown_*`` of the suite ``retrieval``: among the test images of the classes that ``RunSpec.classes`` leaves out,
    by Euclidean distance of the raw features and, with ``_cosine`` at the end, by cosine."""
    if outputs.unknown_features is None:
        raise ValueError("the suite 'neighbours' needs RunSpec.classes: it searches among the classes left out")
    values: dict[str, float] = {}
    for distance, ending in (("euclidean", ""), ("cosine", "_cosine")):
        scores = retrieval_scores(outputs.unknown_features, outputs.unknown_labels, distance=distance)
        values |= {f"unknown_{name}{ending}": value for name, value in scores.items()}
    return Measured(values)


SUITE = Suite(measure)
