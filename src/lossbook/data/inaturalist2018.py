"""iNaturalist 2018 by the lists that long-tailed recognition uses; its validation images test."""

from __future__ import annotations

from lossbook.data.dataset import DataSet
from lossbook.data.photographs import BY_HAND, listed

INATURALIST2018 = DataSet(
    "inaturalist2018",
    num_classes=8142,
    read=listed("inaturalist2018", train="iNaturalist18_train.txt", test="iNaturalist18_val.txt"),
    cure=BY_HAND,
    folders=("inaturalist2018",),
    counts={"train": 437_513, "test": 24_426},
)
