"""Heads that train together end as each would alone, and heads of the usual loop see the batches of all other runs.

In float64, where equal up to rounding means equal to ten digits, however steep the loss.
"""

import pytest
import torch

from lossbook.advisor.methods import METHODS
from lossbook.advisor.stacked import Member, Training, batch_order, stackable, train_alone, train_together
from lossbook.data.batches import batches
from lossbook.data.dataset import Split
from lossbook.objectives.create import create_objective

CLASSES, SIZE = 4, 6
TRAINING = Training(epochs=2, batch_size=16, weight_decay=1e-2, seed=3)


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(70) % CLASSES
    centers = torch.randn(CLASSES, SIZE, generator=generator)
    return 2 * (centers[labels] + torch.randn(70, SIZE, generator=generator)).double(), labels


def _members(name, labels, numbers=(0, 2)):
    counts, method = torch.bincount(labels), METHODS[name]
    settings = [method.settings[number] for number in numbers]
    return [Member(method.build(s, SIZE, counts, seed=5).double(), method.kind(s), s["lr"]) for s in settings]


def assert_same(one, other):
    """What predicts is equal to ten digits."""
    for mine, expected in (
        (one.objective.head.weight, other.objective.head.weight),
        (one.objective.head.bias, other.objective.head.bias),
    ):
        assert (mine is None) == (expected is None)
        if mine is not None:
            torch.testing.assert_close(mine, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_stacked_as_alone(name, data):
    features, labels = data
    together, alone = _members(name, labels, (0, 2, 7)), _members(name, labels, (0, 2, 7))
    start = alone[1].objective.head.weight.detach().clone()
    train_together(together, features.__getitem__, labels, TRAINING)
    for one, other in zip(together, alone, strict=True):
        train_alone(other, features.__getitem__, labels, TRAINING)
        assert_same(one, other)
    assert (alone[1].objective.head.weight - start).abs().max() > 1e-3


def test_methods_that_share_a_stack_do_not_touch_each_other(data):
    features, labels = data
    mixed = [member for name in ("CE", "bce-nu", "Euclidean", "BCE3S") for member in _members(name, labels)]
    single = [member for name in ("CE", "bce-nu", "Euclidean", "BCE3S") for member in _members(name, labels)]
    train_together([mixed[k] for k in (5, 0, 7, 2, 1, 4, 3, 6)], features.__getitem__, labels, TRAINING)
    for one, other in zip(mixed, single, strict=True):
        train_together([other], features.__getitem__, labels, TRAINING)
        assert_same(one, other)


def test_a_head_that_diverges_leaves_the_others_alone(data):
    features, labels = data
    counts, method = torch.bincount(labels), METHODS["CE"]
    wild = Member(method.build({"lr": 1e300}, SIZE, counts, 5).double(), method.kind({}), 1e300)
    tame, alone = _members("CE", labels, (2, 2))
    train_together([wild, tame], features.__getitem__, labels, TRAINING)
    train_alone(alone, features.__getitem__, labels, TRAINING)
    assert not wild.objective.head.weight.isfinite().all()
    assert_same(tame, alone)


def test_batches_are_those_of_the_usual_runs(data):
    features, labels = data
    generator = torch.Generator().manual_seed(TRAINING.seed)
    split = Split(features, labels)
    expected = [x for _ in range(TRAINING.epochs) for x, _ in batches(split, TRAINING.batch_size, generator)]
    found = [features[index] for index in batch_order(len(labels), TRAINING)]
    assert len(found) == len(expected) == 8
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["multicenter", "cot", "bce3s", "ce+occe-class", "ce+occe-dual"])
def test_what_is_more_than_one_product_is_refused(name, data):
    features, labels = data
    member = Member(create_objective(name, SIZE, CLASSES).double(), name, 0.1)
    assert not stackable(member.objective)
    with pytest.raises(ValueError, match="is not made of one matrix product"):
        train_together([member], features.__getitem__, labels, TRAINING)
