"""Data sets by name, as uint8 tensors; class splits and long tails; batches on the device."""

from lossbook.data.batches import AUGMENTATIONS, VIEWS, augment_batch, batches, mix_batch, resize, to_float
from lossbook.data.sets import DATASETS, ImageData, Split, load
from lossbook.data.subsets import first_of_each_class, held_out_classes, long_tail_counts, subset

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "VIEWS",
    "ImageData",
    "Split",
    "augment_batch",
    "batches",
    "first_of_each_class",
    "held_out_classes",
    "load",
    "long_tail_counts",
    "mix_batch",
    "resize",
    "subset",
    "to_float",
]
