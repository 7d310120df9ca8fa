"""Data sets by name, as uint8 tensors; class splits; batches on the device."""

from lossbook.data.batches import AUGMENTATIONS, augment_batch, batches, resize, to_float
from lossbook.data.sets import DATASETS, ImageData, Split, load

__all__ = ["AUGMENTATIONS", "DATASETS", "ImageData", "Split", "augment_batch", "batches", "load", "resize", "to_float"]
