"""Which images a run trains and tests on: some classes, merged classes, few images per class, a long tail."""

from __future__ import annotations

import dataclasses

import torch

from lossbook.data.dataset import ImageData, Split
from lossbook.data.load import load
from lossbook.data.subsets import first_of_each_class, last_share_of_each_class, long_tail_counts
from lossbook.runs.spec import RunSpec


def _images(spec: RunSpec) -> ImageData:
    """The data set of a spec; the last images of every class of its training images stand for the test images where the spec
    holds out a share of them.  They are taken from all training images, so that a long tail is chosen on equally many of
    every class."""
    data = load(spec.dataset)
    if not spec.validation_share:
        return data
    train, validation = last_share_of_each_class(data.train, spec.validation_share)
    return dataclasses.replace(data, train=train, test=validation)


def subset(spec: RunSpec) -> ImageData:
    """The data set of a spec with its ``validation_share``, ``classes`` or ``groups``, ``train_per_class`` and
    ``imbalance`` applied.

    Raises:
        ValueError: for an unknown data set or class.
        DataError: for a missing or damaged data set.
    """
    data = _images(spec)
    if spec.classes:
        data = data.select(spec.classes)
    elif spec.groups:
        data = data.merge(spec.groups)
    train = data.train
    if spec.train_per_class:
        train = first_of_each_class(train, torch.full((data.num_classes,), spec.train_per_class))
    if spec.imbalance != 1:
        largest = int(torch.bincount(train.labels).max())
        train = first_of_each_class(train, long_tail_counts(largest, data.num_classes, spec.imbalance))
    return dataclasses.replace(data, train=train)


def held_out_classes(spec: RunSpec) -> Split | None:
    """The test images of the classes that ``spec.classes`` leaves out, relabelled 0.. in order; None if there are none."""
    if not spec.classes:
        return None
    data = _images(spec)
    others = tuple(sorted(set(range(data.num_classes)) - set(spec.classes)))
    return data.test.select(others) if others else None
