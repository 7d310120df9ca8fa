"""Which images a run trains and tests on."""

import pytest
import torch

from lossbook.data.load import load
from lossbook.data.subsets import long_tail_counts
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes, subset


def test_subset_applies_few_images_and_a_long_tail():
    data = subset(RunSpec(dataset="digits", train_per_class=50, imbalance=10.0))
    counts = torch.bincount(data.train.labels)
    assert torch.equal(counts, long_tail_counts(50, 10, 10.0))
    assert len(data.test) == len(load("digits").test)


def test_groups_merge_classes_and_keep_what_they_were():
    data = subset(RunSpec(dataset="digits", groups=((0, 7), (3, 2), (5,))))
    assert data.num_classes == 3
    pairs = {tuple(pair) for pair in torch.stack([data.test.labels, data.test.fine], 1).tolist()}
    assert pairs == {(0, 0), (0, 7), (1, 3), (1, 2), (2, 5)}
    with pytest.raises(ValueError, match="at least two different classes"):
        subset(RunSpec(dataset="digits", groups=((0, 7), (7,))))


def test_classes_that_are_held_out():
    assert held_out_classes(RunSpec(dataset="digits")) is None
    rest = held_out_classes(RunSpec(dataset="digits", classes=tuple(range(8))))
    assert rest.labels.unique().tolist() == [0, 1]


def test_held_out_training_images_stand_for_the_test_images():
    data, spec = load("digits"), RunSpec(dataset="digits", validation_share=0.2)
    chosen, sizes = subset(spec), torch.bincount(data.train.labels)
    held_out = torch.bincount(chosen.test.labels)
    assert torch.equal(held_out, (0.2 * sizes).round().long())
    assert torch.equal(torch.bincount(chosen.train.labels) + held_out, sizes)
    last = data.train.take(data.train.labels == 3).images[-int(held_out[3]) :]
    assert torch.equal(chosen.test.take(chosen.test.labels == 3).images, last)


def test_a_long_tail_is_chosen_on_equally_many_images_of_every_class():
    spec = RunSpec(dataset="digits", validation_share=0.2, imbalance=10.0)
    tail = subset(spec)
    assert torch.bincount(tail.train.labels)[-1] < torch.bincount(tail.test.labels).min()
    assert torch.bincount(tail.test.labels).min() >= 17
    rest = held_out_classes(spec.replace(imbalance=1.0, classes=tuple(range(8))))
    assert len(rest) < len(held_out_classes(RunSpec(dataset="digits", classes=tuple(range(8)))))
    with pytest.raises(ValueError, match=r"at least 0 and below 1, got 1\.0"):
        RunSpec(validation_share=1)
