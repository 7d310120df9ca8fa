"""Data sets by name, as uint8 tensors; class splits; batches on the device."""

from lossbook.data.batches import augment_batch, batches, resize, to_float
from lossbook.data.sets import DATASETS, ImageData, Split, load

__all__ = ["DATASETS", "ImageData", "Split", "augment_batch", "batches", "load", "resize", "to_float"]
