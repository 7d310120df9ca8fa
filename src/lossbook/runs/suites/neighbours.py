"""Retrieval (`warped`) without clusters: ten starts of k-means take several times as long as the training of a linear map."""

from __future__ import annotations

from lossbook.metrics.retrieval import retrieval_scores
from lossbook.runs.suites.suite import Measured, Outputs, Suite


def measure(outputs: Outputs) -> Measured:
    """The metrics ``unknown_...`` of the suite ``retrieval``: retrieval among the test images of the classes that
    ``RunSpec.classes`` leaves out."""
    if outputs.unknown_features is None:
        raise ValueError("the suite 'neighbours' needs RunSpec.classes: it searches among the classes left out")
    values: dict[str, float] = {}
    for distance, ending in (("euclidean", ""), ("cosine", "_cosine")):
        scores = retrieval_scores(outputs.unknown_features, outputs.unknown_labels, distance=distance)
        values |= {f"unknown_{name}{ending}": value for name, value in scores.items()}
    return Measured(values)


_SCORES = {
    "recall@1": "share of queries with one of their class as the nearest neighbour",
    "recall@2": "share of queries with one of their class among the 2 nearest neighbours",
    "recall@4": "share of queries with one of their class among the 4 nearest neighbours",
    "recall@8": "share of queries with one of their class among the 8 nearest neighbours",
    "P@1": "precision at 1, equal to recall@1",
    "R-precision": "share of a query's class among as many neighbours as the class has other images, mean over the queries",
    "MAP@R": "mean average precision at R",
}
SUITE = Suite(
    measure,
    metrics={
        f"unknown_{name}{ending}": f"{line}, among the held-out classes' test images by {distance} distance, within [0, 1];"
        " larger is better"
        for distance, ending in (("Euclidean", ""), ("cosine", "_cosine"))
        for name, line in _SCORES.items()
    },
)
