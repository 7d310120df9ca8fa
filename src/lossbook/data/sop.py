"""Stanford Online Products for retrieval: 11,318 products to train on and then 11,316 to retrieve."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lossbook.data.dataset import DataSet
from lossbook.data.photographs import BY_HAND, read_photographs, whole


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``Ebay_train.txt`` and ``Ebay_test.txt`` beside the twelve folders."""
    texts = [(folder / f"Ebay_{part}.txt").read_text(encoding="utf-8") for part in ("train", "test")]
    lines = [line.split() for text in texts for line in text.splitlines()[1:]]
    return read_photographs([folder / path for *_, path in lines], [int(product) - 1 for _, product, *_ in lines])


SOP = DataSet(
    "sop",
    num_classes=11318 + 11316,
    read=whole("Stanford_Online_Products", _read),
    cure=BY_HAND,
    folders=("Stanford_Online_Products",),
    counts={"train": 120_053, "test": 120_053},
)
