"""ImageNet-LT, the long-tailed part of ImageNet-1K, by its published lists."""

from __future__ import annotations

from lossbook.data.dataset import DataSet
from lossbook.data.photographs import BY_HAND, listed

IMAGENET_LT = DataSet(
    "imagenet-lt",
    num_classes=1000,
    read=listed("imagenet", train="ImageNet_LT_train.txt", test="ImageNet_LT_test.txt"),
    cure=BY_HAND,
    folders=("imagenet",),
    counts={"train": 115_846, "test": 50_000},
)
