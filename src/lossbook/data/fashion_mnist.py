"""FashionMNIST, and its cached features."""

from __future__ import annotations

from lossbook.data.dataset import DOWNLOAD, DataSet
from lossbook.data.features import FeatureCache, features_of
from lossbook.data.torchvision_sets import by_content

FASHION_MNIST = DataSet(
    "fashion-mnist",
    num_classes=10,
    read=by_content("FashionMNIST"),
    cure=DOWNLOAD,
    folders=("FashionMNIST",),
    sha256={
        "train": "a8007d7be041707b663947cf4c2d8a73d1704ccde85043273b866d5181bde6c2",
        "test": "3581bf52f521803120533f28e81ae934decd1771980630083c739dc6da7d3bc6",
    },
)
CACHE = FeatureCache("fashion-mnist", FASHION_MNIST.sha256, {"train": 60_000, "test": 10_000})
FEATURES = features_of(CACHE, FASHION_MNIST.num_classes)
