"""Long tails and few images per class."""

import pytest
import torch

from lossbook.data.dataset import Split
from lossbook.data.subsets import first_of_each_class, long_tail_counts


@pytest.mark.parametrize(
    ("largest", "classes", "imbalance", "total"),
    [
        *((500, 100, 100, 10847), (500, 100, 50, 12608), (500, 100, 10, 19573)),
        *((5000, 10, 100, 12406), (5000, 10, 50, 13996), (5000, 10, 10, 20431)),
    ],
)
def test_long_tails_have_the_published_sizes(largest, classes, imbalance, total):
    counts = long_tail_counts(largest, classes, imbalance)
    assert counts.sum() == total
    assert counts[0] == largest
    assert counts[-1] == largest // imbalance


def test_long_tail_of_impossible_shape():
    with pytest.raises(ValueError, match=r"an imbalance of at least 1 and two classes, got 0\.5"):
        long_tail_counts(500, 10, 0.5)


def test_the_first_images_of_each_class_in_their_order():
    labels = torch.tensor([2, 0, 0, 1, 2, 0, 2])
    split = Split(torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1), labels)
    few = first_of_each_class(split, torch.tensor([2, 5, 1]))
    assert few.images.flatten().tolist() == [0, 1, 2, 3]
    assert few.labels.tolist() == [2, 0, 0, 1]
