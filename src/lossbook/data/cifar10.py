"""CIFAR-10, and the cached features of its test images, which are an unknown set."""

from __future__ import annotations

from lossbook.data.dataset import DOWNLOAD, DataSet
from lossbook.data.features import FeatureCache
from lossbook.data.torchvision_sets import by_content
from lossbook.data.unknown_features import unknown_features_of

CIFAR10 = DataSet(
    "cifar10",
    num_classes=10,
    read=by_content("CIFAR10"),
    cure=DOWNLOAD,
    folders=("cifar-10-batches-py",),
    sha256={
        "train": "f3120a8fa253dbdad16aeebfcbcdbe65951c58226061082bf1b61dde3add92d7",
        "test": "815bee49b92162b075142619fb16b9562d1186e49d0509d9cf0af8940f739265",
    },
)
CACHE = FeatureCache("cifar10", CIFAR10.sha256, {"test": 10_000})
UNKNOWN_FEATURES = unknown_features_of(CACHE)
