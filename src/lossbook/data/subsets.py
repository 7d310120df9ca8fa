"""Which images a run trains and tests on: some classes, merged classes, few images a class, a long tail.

Everything is taken by position, nothing at random: the same subset on every machine.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from lossbook.data.sets import ImageData, Split, load
from lossbook.runs.spec import RunSpec


def long_tail_counts(largest: int, num_classes: int, imbalance: float) -> Tensor:
    r"""Exponential long tail: images of class :math:`k = 0 \dots K-1`,

    .. math:: n_k = \lfloor n_{\max} \cdot \mathrm{IF}^{-k/(K-1)} \rfloor

    Example:
        >>> int(long_tail_counts(500, 100, 100.0).sum())  # CIFAR100-LT
        10847
    """
    if imbalance < 1 or num_classes < 2:
        raise ValueError(f"expected an imbalance of at least 1 and two classes, got {imbalance} and {num_classes}")
    return torch.tensor([int(largest * imbalance ** (-k / (num_classes - 1))) for k in range(num_classes)])


def first_of_each_class(split: Split, counts: Tensor) -> Split:
    """The first ``counts[k]`` images of every class k, in their old order (all of them where there are fewer)."""
    by_class = torch.argsort(split.labels, stable=True)
    sizes = torch.bincount(split.labels, minlength=len(counts))
    starts = sizes.cumsum(0) - sizes
    rank = torch.empty_like(split.labels)
    rank[by_class] = torch.arange(len(split)) - starts[split.labels[by_class]]
    return split.take(rank < counts[split.labels])


def subset(spec: RunSpec) -> ImageData:
    """The data set of a spec with its ``classes`` or ``groups``, ``train_per_class`` and ``imbalance`` applied.

    Raises:
        ValueError: for an unknown data set or class.
        DataError: for a missing or damaged data set.
    """
    data = load(spec.dataset)
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
    data = load(spec.dataset)
    others = tuple(sorted(set(range(data.num_classes)) - set(spec.classes)))
    return data.test.select(others) if others else None
