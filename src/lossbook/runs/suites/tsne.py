"""Test features in the plane by t-SNE (Figs. 3 and 9 of `bce3s`): a picture, not a measure."""

from __future__ import annotations

import torch

from lossbook.data.dataset import Split
from lossbook.data.subsets import first_of_each_class
from lossbook.optional import extra
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_IMAGES_PER_CLASS = 30


def measure(outputs: Outputs) -> Measured:
    """The points of a run with seed 0; nothing for other seeds.

    scikit-learn's t-SNE takes the unit features, so that distances follow angles as compactness does, and starts from
    their principal components.
    """
    if outputs.spec.seed:
        return Measured({})  # small tables are kept of the first seed only, and t-SNE takes longer than the training
    with extra("metrics"):
        from sklearn.manifold import TSNE

    counts = torch.full((outputs.data.num_classes,), _IMAGES_PER_CLASS)
    chosen = first_of_each_class(Split(outputs.test_features, outputs.test_labels), counts)
    features = torch.nn.functional.normalize(chosen.images).numpy()
    tsne = TSNE(init="pca", perplexity=min(30, len(features) / 4), max_iter=500, random_state=0, n_jobs=1)
    places = tsne.fit_transform(features)
    columns = (*places.astype(float).round(2).T.tolist(), chosen.labels.tolist())
    return Measured({}, {"tsne": [{"x": x, "y": y, "label": label} for x, y, label in zip(*columns, strict=True)]})


SUITE = Suite(
    measure,
    small_tables={
        "tsne": "one row per test image (the first 30 of each class), runs of seed 0 only: its place (`x`, `y`) and `label`"
    },
)
