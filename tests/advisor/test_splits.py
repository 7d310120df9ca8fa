import numpy as np
import pytest

from lossbook.advisor.duplicates import merged, near_duplicates
from lossbook.advisor.splits import blocks, plan

NONE = np.full(60, "")
LABELS = np.repeat([0, 1, 2], [30, 20, 10])
APART = np.arange(60)


def test_every_sample_is_tested_once_or_validates():
    made = plan(LABELS, APART, NONE, folds=4)
    tested = np.concatenate([fold.test for fold in made.folds])
    assert sorted([*tested, *made.tuning.test]) == list(range(60))
    for fold in made.folds:
        assert sorted([*fold.train, *fold.test]) == list(range(60))
        assert set(made.tuning.test) <= set(fold.train)
        assert np.bincount(LABELS[fold.test]).tolist() == [6, 4, 2]


@pytest.mark.parametrize("seed", range(5))
def test_blocks_keep_the_classes_shares(seed):
    labels = np.random.default_rng(seed).integers(7, size=101)
    found = blocks(labels, np.arange(101), 6, seed)
    for label in range(7):
        sizes = np.bincount(found[labels == label], minlength=6)
        assert sizes.max() - sizes.min() <= 1
    assert np.ptp(np.bincount(found)) <= 1


def test_samples_of_one_group_never_lie_in_two_splits():
    groups = np.arange(60) // 3
    made = plan(LABELS, groups, NONE, folds=3)
    for fold in (made.tuning, *made.folds):
        assert not set(groups[fold.train]) & set(groups[fold.test])


def test_the_datas_own_parts_are_kept():
    part = np.array(["train", "val", "test"])[np.arange(60) % 3]
    made = plan(LABELS, APART, part, folds=2)
    assert made.own_test
    assert set(part[made.tuning.train]) == {"train"} and set(part[made.tuning.test]) == {"val"}
    for fold in made.folds:
        assert set(part[fold.test]) == {"test"} and set(part[fold.train]) == {"train", "val"}


def test_a_group_across_the_datas_own_parts_is_an_error():
    part = np.array(["train", "test"])[np.arange(60) % 2]
    with pytest.raises(ValueError, match="20 groups of samples lie in several of the data's own parts"):
        plan(LABELS, APART // 3, part)


def test_too_few_groups_or_a_class_in_one_group():
    with pytest.raises(ValueError, match="expected samples of at least 6 groups for 5 folds, got 3"):
        plan(LABELS, APART % 3, NONE)
    with pytest.raises(ValueError, match="1 of 3 classes would have no training sample"):
        plan(LABELS, np.where(LABELS == 2, 0, 1 + APART), NONE, folds=2)


def test_near_duplicates_are_found_and_grouped():
    features = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    features[7] = features[3] + 1e-3
    features[20] = features[7]
    pairs = near_duplicates(features)
    assert pairs.tolist() == [[3, 7], [3, 20], [7, 20]]
    groups = merged(np.arange(40), pairs)
    assert groups[3] == groups[7] == groups[20]
    assert len(np.unique(groups)) == 38
