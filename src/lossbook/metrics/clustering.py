r"""Do the clusters of an embedding agree with the classes?"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from lossbook.metrics.checks import check_tensors
from lossbook.metrics.neighbours import Distance, check_embeddings, points_of
from lossbook.optional import extra


class Clustering(NamedTuple):
    """Agreement of k-means clusters with the classes: NMI in [0, 1], and AMI, whose chance level is 0."""

    nmi: float
    ami: float


def nmi(features: Tensor, labels: Tensor, distance: Distance = "euclidean", seed: int = 0) -> Clustering:
    r"""The mutual information of the classes and of as many k-means clusters, over the geometric mean of their entropies.

    .. math:: \mathrm{NMI} = \frac{I(Y; C)}{\sqrt{H(Y)\,H(C)}}

    NMI is far from 0 by chance when the classes are many and small; AMI subtracts what chance gives.  scikit-learn's
    k-means (k-means++, the best of ten starts) on the CPU.

    Args:
        distance: ``"cosine"`` clusters the features divided by their lengths.
        seed: of the ten starts.

    Example:
        >>> import torch
        >>> nmi(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([0, 0, 1, 1]))
        Clustering(nmi=1.0, ami=1.0)
    """
    with extra("metrics"):  # imported late, as it takes seconds
        from sklearn.cluster import KMeans
        from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    check_tensors(features=features, labels=labels)
    check_embeddings(features, labels)
    points, classes = points_of(features, distance).cpu().double().numpy(), labels.cpu().numpy()
    starts: Any = 10  # scikit-learn's default is a string, which type checkers take for the only type
    means = KMeans(n_clusters=len(labels.unique()), n_init=starts, random_state=seed).fit(points)
    scores = (normalized_mutual_info_score, adjusted_mutual_info_score)
    return Clustering(*(float(score(classes, means.labels_, average_method="geometric")) for score in scores))
