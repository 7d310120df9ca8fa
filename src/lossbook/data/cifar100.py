"""CIFAR-100, and its cached features."""

from __future__ import annotations

from lossbook.data.dataset import DOWNLOAD, DataSet
from lossbook.data.features import FeatureCache, features_of
from lossbook.data.torchvision_sets import by_content

CIFAR100 = DataSet(
    "cifar100",
    num_classes=100,
    read=by_content("CIFAR100"),
    cure=DOWNLOAD,
    folders=("cifar-100-python",),
    sha256={
        "train": "f317bded07d1d3a909562a1178725e166e72f0c555c98e0a08304de390c326c2",
        "test": "c4e5d0f8abe8dec50f355ad5e622c815abd93293ca7b5ab9fd56af32924c2061",
    },
)
CACHE = FeatureCache("cifar100", CIFAR100.sha256, {"train": 50_000, "test": 10_000})
FEATURES = features_of(CACHE, CIFAR100.num_classes)
