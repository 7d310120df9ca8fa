"""Which samples train, validate and test.

One block of the samples is for validation: settings are chosen on it, and it is never tested on.  The others make folds, each of
which is tested once, by heads that were trained on all other samples.  So no sample that a number of the report counts has
chosen a setting.  Where the data brings its own test samples, every fold tests on them, with another seed of the training.
Classes have their share in every block, and samples of one group lie in one block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOLDS = 5
VALIDATION = 0  # the number of the block


@dataclass(frozen=True)
class Fold:
    """Indices of samples, in rising order."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Plan:
    """The splits of a comparison.

    Attributes:
        tuning: what settings are chosen on.
        folds: what is judged.
        own_test: the data's own test samples are tested on in every fold.
    """

    tuning: Fold
    folds: tuple[Fold, ...]
    own_test: bool


def blocks(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A block 0..count-1 for every sample, (n,): the classes' shares are the same in all up to one sample, or as near as whole
    groups allow.

    Args:
        labels: (n,).
        groups: (n,), any integers.
        count: at least 2.
        seed: of the random order.

    Example:
        >>> np.bincount(blocks(np.zeros(10, dtype=int), np.arange(10), 5, seed=0))
        array([2, 2, 2, 2, 2])
    """
    random = np.random.default_rng(seed)
    if len(np.unique(groups)) < len(groups):
        from sklearn.model_selection import StratifiedGroupKFold

        found = np.empty(len(labels), dtype=np.int64)
        order = random.permutation(len(labels))
        parts = StratifiedGroupKFold(count).split(order, labels[order], groups[order])
        for number, (_, part) in enumerate(parts):
            found[order[part]] = number
        return found
    # Dealt out class by class, so that what one class leaves over goes to the next blocks.
    order = np.lexsort((random.random(len(labels)), random.permutation(labels.max() + 1)[labels]))
    found = np.empty(len(labels), dtype=np.int64)
    found[order] = np.arange(len(labels)) % count
    return found


def plan(labels: np.ndarray, groups: np.ndarray, part: np.ndarray, folds: int = FOLDS, seed: int = 0) -> Plan:
    """The splits of some samples.

    Args:
        labels: (n,), 0..N-1.
        groups: (n,): samples of one group never lie in two splits.
        part: (n,): ``"train"``, ``"val"``, ``"test"`` or ``""`` where the data does not say.
        folds: how many.
        seed: of the random order.

    Raises:
        ValueError: for too few samples or groups, a group within several of the data's own parts, or a class that no training
            sample has.
    """
    _check_parts(groups, part)
    test = np.flatnonzero(part == "test")
    rest = np.flatnonzero(part != "test")
    if len(np.unique(groups[rest])) < folds + 1:
        raise ValueError(f"expected samples of at least {folds + 1} groups for {folds} folds, got {len(np.unique(groups[rest]))}")
    if len(test):
        own = np.flatnonzero(part == "val")
        held_out = own if len(own) else rest[blocks(labels[rest], groups[rest], folds + 1, seed) == VALIDATION]
        tuning = Fold(np.setdiff1d(rest, held_out), held_out)
        made = Plan(tuning, (Fold(rest, test),) * folds, own_test=True)
    else:
        block = blocks(labels, groups, folds + 1, seed)
        tuning = Fold(np.flatnonzero(block != VALIDATION), np.flatnonzero(block == VALIDATION))
        made = Plan(
            tuning, tuple(Fold(np.flatnonzero(block != k), np.flatnonzero(block == k)) for k in range(1, folds + 1)), False
        )
    for fold in (made.tuning, *made.folds):
        missing = np.setdiff1d(labels, labels[fold.train])
        if len(missing):
            raise ValueError(
                f"{len(missing)} of {labels.max() + 1} classes would have no training sample in a split, "
                "as all their samples are of one group or in the test part: leave these classes out, or give more samples"
            )
    return made


def _check_parts(groups: np.ndarray, part: np.ndarray) -> None:
    pairs = np.unique(np.stack([groups, np.unique(part, return_inverse=True)[1]]), axis=1)
    owner, counts = np.unique(pairs[0], return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{int((counts > 1).sum())} groups of samples lie in several of the data's own parts (train, val, test), "
            f"for instance {owner[counts > 1][0]}: every group must lie in one"
        )
