"""Many, medium and few: the groups' bounds, a brute-force accuracy, what is refused."""

import math

import numpy as np
import pytest
import reference_geometry as ref
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.data.subsets import long_tail_counts
from lossbook.metrics import class_groups, group_accuracy


def test_the_bounds_are_those_of_the_paper():
    """Many > 100, 20 <= medium <= 100, few < 20."""
    assert class_groups(torch.tensor([1000, 101, 100, 50, 20, 19, 1])).tolist() == [0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("largest", "classes", "imbalance", "images", "groups"),
    [
        (500, 100, 100.0, 10847, (35, 35, 30)),
        (500, 100, 50.0, 12608, (41, 41, 18)),
        (500, 100, 10.0, 19573, (69, 31, 0)),
        (5000, 10, 100.0, 12406, (8, 2, 0)),
        (5000, 10, 50.0, 13996, (9, 1, 0)),
        (5000, 10, 10.0, 20431, (10, 0, 0)),
        (200, 10, 100.0, 492, (2, 3, 5)),
    ],
)
def test_groups_of_the_data_sets(largest, classes, imbalance, images, groups):
    counts = long_tail_counts(largest, classes, imbalance)
    assert int(counts.sum()) == images
    assert tuple(class_groups(counts).bincount(minlength=3).tolist()) == groups


@given(st.data())
def test_accuracy_of_every_group(data):
    classes = data.draw(st.integers(2, 6))
    counts = data.draw(st.lists(st.integers(1, 300), min_size=classes, max_size=classes))
    of_a_class = st.integers(0, classes - 1)
    labels = data.draw(st.lists(of_a_class, min_size=1, max_size=20))
    predictions = data.draw(st.lists(of_a_class, min_size=len(labels), max_size=len(labels)))
    many, few = data.draw(st.sampled_from([(100, 20), (150, 40), (30, 30)]))
    logits = torch.eye(classes)[torch.tensor(predictions)]
    found = group_accuracy(logits, torch.tensor(labels), torch.tensor(counts), many, few)
    expected = ref.group_accuracy(predictions, labels, counts, many, few)
    assert tuple(found) == pytest.approx(expected, nan_ok=True)


def test_all_is_the_mean_of_the_groups_weighted_by_their_test_images(device):
    logits = torch.randn(90, 3, generator=torch.Generator().manual_seed(0)).to(device)
    labels = (torch.arange(90) % 3).to(device)
    found = group_accuracy(logits, labels, torch.tensor([200, 50, 5]))
    assert found.all == pytest.approx((found.many + found.medium + found.few) / 3)


def test_a_group_without_images_is_nan():
    found = group_accuracy(torch.eye(2), torch.tensor([0, 1]), torch.tensor([500, 400]))
    assert found.many == found.all == 1
    assert math.isnan(found.medium)
    assert math.isnan(found.few)


def test_what_is_refused():
    logits, labels, counts = torch.eye(3), torch.arange(3), torch.tensor([200, 50, 5])
    with pytest.raises(ValueError, match=r"class counts of shape \(3,\), got \(2,\)"):
        group_accuracy(logits, labels, counts[:2])
    with pytest.raises(ValueError, match=r"within 0\.\.2, got values from 1 to 3"):
        group_accuracy(logits, labels + 1, counts)
    with pytest.raises(ValueError, match="logits without NaN"):
        group_accuracy(logits * torch.nan, labels, counts)
    with pytest.raises(ValueError, match=r"few <= many \+ 1.*got 30 and 20"):
        group_accuracy(logits, labels, counts, many=20, few=30)
    for wrong in ([[1, 2]], [], [-1, 2], [1.0, math.nan], [1.0, math.inf]):
        with pytest.raises(ValueError, match=r"finite numbers of training images >= 0, \(K,\)"):
            class_groups(wrong)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor], ids=["list", "array", "tensor"])
def test_counts_may_be_a_list_an_array_or_a_tensor(kind):
    assert class_groups(kind([200, 50, 5])).tolist() == [0, 1, 2]
    assert group_accuracy(torch.eye(3), torch.arange(3), kind([200, 50, 5])) == (1, 1, 1, 1)
