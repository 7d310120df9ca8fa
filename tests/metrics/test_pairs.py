"""Verification of pairs: drawing them, folds with thresholds of their own, TAR@FAR."""

import pytest
import reference_pairs as ref
import reference_retrieval
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import cross_validated_accuracy, draw_pairs, similarities, tar_at_far
from lossbook.metrics import pairs as drawing

SCORED = st.lists(st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, 2)), min_size=4, max_size=40)


def columns(drawn):
    scores, same, fold = zip(*drawn, strict=True)
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(same), torch.tensor(fold)


@given(SCORED.filter(lambda drawn: len({fold for *_, fold in drawn}) > 1))
def test_accuracy_of_every_fold_against_trying_all_thresholds(drawn):
    scores, same, fold = columns(drawn)
    expected = ref.verification_by_folds(scores.tolist(), same.tolist(), fold.tolist())
    assert cross_validated_accuracy(scores, same, fold).tolist() == pytest.approx(expected)


@given(SCORED.filter(lambda drawn: len({same for _, same, _ in drawn}) == 2), st.integers(0, 3))
def test_tar_at_far_against_trying_all_thresholds(drawn, allowed):
    scores, same, _ = columns(drawn)
    others = int((~same).sum())
    if allowed < others:
        expected = ref.tar_at_far(scores.tolist(), same.tolist(), allowed)
        assert tar_at_far(scores, same, allowed / others) == pytest.approx(expected)


def test_the_threshold_comes_from_the_other_folds():
    """Fold 1's own best threshold would be perfect; that of fold 0 accepts everything in it."""
    scores = torch.tensor([0.1, 0.2, 0.8, 0.9])
    same = torch.tensor([False, True, False, True])
    assert cross_validated_accuracy(scores, same, torch.tensor([0, 0, 1, 1])).tolist() == [0.5, 0.5]


def test_folds_of_classes_where_there_are_enough():
    labels = torch.arange(40).repeat(5)[torch.randperm(200, generator=torch.Generator().manual_seed(1))]
    pairs = draw_pairs(labels, folds=10, per_fold=15)
    assert len(pairs.left) == 300
    assert torch.equal(labels[pairs.left] == labels[pairs.right], pairs.same)
    for fold in range(10):
        rows = pairs.fold == fold
        assert int(pairs.same[rows].sum()) == int((~pairs.same[rows]).sum()) == 15
        inside = set(labels[torch.cat([pairs.left[rows], pairs.right[rows]])].tolist())
        outside = set(labels[torch.cat([pairs.left[~rows], pairs.right[~rows]])].tolist())
        assert not inside & outside
    assert len({frozenset(p) for p in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}) == 300
    assert (pairs.left != pairs.right).all()


def test_folds_of_images_where_classes_are_few():
    labels = torch.arange(5).repeat(60)
    pairs = draw_pairs(labels, folds=10, per_fold=30)
    for fold in range(10):
        rows = pairs.fold == fold
        inside = set(torch.cat([pairs.left[rows], pairs.right[rows]]).tolist())
        assert not inside & set(torch.cat([pairs.left[~rows], pairs.right[~rows]]).tolist())
        assert len(labels[pairs.left[rows]].unique()) > 2
    again, other = draw_pairs(labels, per_fold=30), draw_pairs(labels, per_fold=30, seed=1)
    assert torch.equal(pairs.left, again.left)
    assert not torch.equal(pairs.left, other.left)


def test_fewer_pairs_stay_balanced():
    pairs = draw_pairs(torch.arange(20).repeat(2), folds=10, per_fold=300)
    assert torch.bincount(pairs.fold).tolist() == [4] * 10  # two classes of two images: two pairs of one class each
    assert int(pairs.same.sum()) == 20


def listed(labels, folds, per_fold, seed):
    """Pairs from a list of all pairs, as numbers of drawn pairs stand for it."""
    generator = torch.Generator().manual_seed(seed)
    classes, group = torch.unique(labels, return_inverse=True)
    fold_of = (group if len(classes) >= 2 * folds else torch.randperm(len(labels), generator=generator)) % folds
    drawn = []
    for fold in range(folds):
        members = (fold_of == fold).nonzero().squeeze(1).tolist()
        every = [(i, j) for n, i in enumerate(members) for j in members[n + 1 :]]
        kinds = [[pair for pair in every if (labels[pair[0]] == labels[pair[1]]) == same] for same in (True, False)]
        count = min(per_fold, *map(len, kinds))
        for kind in kinds:
            drawn += [kind[n] for n in torch.randperm(len(kind), generator=generator)[:count].tolist()]
    return drawn


@pytest.mark.parametrize(
    ("samples", "classes", "folds", "per_fold"), [(60, 3, 4, 10), (80, 25, 10, 3), (50, 12, 3, 500), (9, 2, 1, 4)]
)
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_a_list_of_all_pairs(samples, classes, folds, per_fold, seed):
    labels = torch.cat([torch.arange(classes).repeat(3), torch.randint(classes, (samples,))])[
        torch.randperm(samples + 3 * classes)
    ]
    pairs = draw_pairs(labels * 10**12 - 5, folds, per_fold, seed)
    assert list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == listed(labels, folds, per_fold, seed)


@pytest.mark.parametrize("classes", [2, 40, 5000])
def test_many_samples_take_no_list_of_pairs(classes):
    """200,000 samples have 2 x 10^9 pairs in a fold of their own tenth, 16 GB of numbers."""
    labels = torch.randint(classes, (200_000,), generator=torch.Generator().manual_seed(0))
    pairs = draw_pairs(labels)
    assert len(pairs.left) == 6000 and int(pairs.same.sum()) == 3000
    assert torch.equal(labels[pairs.left] == labels[pairs.right], pairs.same)
    assert (pairs.left < pairs.right).all()
    assert len(torch.stack([pairs.left, pairs.right]).unique(dim=1)[0]) == 6000


def test_numbers_drawn_one_by_one_are_different_and_equally_likely(monkeypatch):
    monkeypatch.setattr(drawing, "_SHUFFLED", 0)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([drawing._draw_numbers(20, 2, generator) for _ in range(6000)])
    assert (draws[:, 0] != draws[:, 1]).all()
    counts = draws.flatten().bincount(minlength=20)
    assert len(counts) == 20 and ((counts - 600).abs() < 110).all()  # 4.6 standard deviations


def test_similarities():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 6, 3, generator=generator)
    apart = [reference_retrieval.distance(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert similarities(left, right).tolist() == pytest.approx([-d for d in apart])
    cosines = [1 - reference_retrieval.cosine_distance(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert similarities(left, right, "cosine").tolist() == pytest.approx(cosines)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_pairs(torch.zeros(4)), r"integer labels of shape \(M,\), got torch.float32"),
        (lambda: draw_pairs(torch.zeros(40, dtype=torch.int64)), "fold 0 lacks one kind"),
        (lambda: draw_pairs(torch.zeros(0, dtype=torch.int64)), "fold 0 lacks one kind"),
        (lambda: draw_pairs(torch.arange(40), folds=0), "folds >= 1 and per_fold >= 1, got 0 and 300"),
        (lambda: similarities(torch.zeros(2, 3), torch.zeros(3, 3)), r"got \(2, 3\) and \(3, 3\)"),
        (lambda: similarities(torch.zeros(2, 3), torch.zeros(2, 3), "l1"), "'euclidean' or 'cosine', got 'l1'"),
        (lambda: cross_validated_accuracy(torch.zeros(2), torch.ones(2).bool(), torch.zeros(2).long()), "at least two folds"),
        (lambda: cross_validated_accuracy(torch.zeros(2), torch.ones(2).bool(), torch.zeros(2)), "integer fold for each of 2"),
        (lambda: tar_at_far(torch.zeros(2), torch.ones(2).bool(), 0.1), "pairs of the same class and of two"),
        (lambda: tar_at_far(torch.zeros(2), torch.zeros(2).bool(), 0.1), "pairs of the same class and of two"),
        (lambda: tar_at_far(torch.zeros(2), torch.tensor([True, False]), 1.0), r"within \[0, 1\), got 1.0"),
        (lambda: tar_at_far(torch.zeros(2), torch.zeros(3).bool(), 0.1), "same shape"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
