"""Batches: every image once, augmentations and mixtures that keep what they should."""

import numpy as np
import pytest
import torch

from lossbook.data.batches import augment_batch, batches, mix_batch, resize, to_float
from lossbook.data.dataset import Split


def test_an_epoch_shows_every_image_once():
    split = Split(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))
    seen = [labels for _, labels in batches(split, 5, torch.Generator().manual_seed(0))]
    assert sorted(torch.cat(seen).tolist()) == list(range(10))
    images, labels = next(batches(split, 4, torch.Generator().manual_seed(0)))
    assert torch.equal(images.flatten().long(), labels)


def test_small_split_still_gives_a_batch():
    split = Split(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
    assert [len(labels) for _, labels in batches(split, 100, torch.Generator())] == [3]


def test_to_float_and_resize():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    assert torch.equal(to_float(images)[:, 0, 0, 0], torch.tensor([-1.0, 1.0]))
    smaller = resize(Split(images, torch.zeros(2)), 2)
    assert smaller.images.shape == (2, 1, 2, 2)
    assert smaller.images.dtype == torch.uint8
    assert torch.equal(smaller.images[:, 0, 0, 0], torch.tensor([0, 255], dtype=torch.uint8))
    assert resize(smaller, 0) is smaller


@pytest.mark.parametrize("name", ["shift", "flip"])
def test_augmentations_keep_shape_and_values(name):
    images = torch.rand(6, 3, 16, 16)
    new = augment_batch(images.clone(), (name,), torch.Generator().manual_seed(0))
    assert new.shape == images.shape
    assert np.isin(new.numpy(), images.numpy()).all()
    assert not torch.equal(new, images)


def test_every_image_is_shifted_by_its_own_offset_and_reflected():
    images = torch.rand(40, 3, 16, 12)
    shifted = augment_batch(images, ("shift",), torch.Generator().manual_seed(0))
    top, left = torch.randint(0, 5, (2, 40), generator=torch.Generator().manual_seed(0))
    assert len(set(zip(top.tolist(), left.tolist(), strict=True))) > 15
    for k, image in enumerate(images.numpy()):
        padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="reflect")
        expected = padded[:, top[k] : top[k] + 16, left[k] : left[k] + 12]
        assert np.array_equal(shifted[k].numpy(), expected)


def test_cutout_makes_a_square_grey():
    """A quarter of the size wide, where the border does not cut it; its centre lies anywhere."""
    grey = augment_batch(torch.ones(500, 3, 32, 32), ("cutout",), torch.Generator().manual_seed(0)) == 0
    rows, columns = grey[:, 0].any(2), grey[:, 0].any(1)
    assert torch.equal(grey, (rows[:, None, :, None] & columns[:, None, None, :]).expand_as(grey))
    assert set(rows.sum(1).tolist()) | set(columns.sum(1).tolist()) == {4, 5, 6, 7, 8}
    assert (rows.sum(1) == 8).float().mean().item() == pytest.approx(25 / 32, abs=0.06)
    assert rows.any(0).all() and columns.any(0).all()


@pytest.mark.parametrize("view", ["mixup", "cutmix", "mixup|cutmix"])
def test_a_mixed_image_is_made_of_its_share_of_two(view):
    """Images that are constant show both values: their mean gives the share."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6)
    images = labels.view(6, 1, 1, 1).expand(6, 1, 20, 20).float().contiguous()
    for _ in range(20):
        mixed, partners, share = mix_batch(images, labels, view, 1.0, generator)
        assert sorted(partners.tolist()) == labels.tolist()
        assert 0 <= share <= 1
        torch.testing.assert_close(mixed.mean((1, 2, 3)), share * labels + (1 - share) * partners)
    assert torch.equal(images[:, 0, 0, 0], labels.float()), "the batch itself stays as it was"


def test_views_by_name():
    images, labels = torch.rand(4, 1, 4, 4), torch.arange(4)
    same, partners, share = mix_batch(images, labels, "plain", 1.0, torch.Generator())
    assert same is images
    assert partners is labels
    assert share == 1
    with pytest.raises(ValueError, match="unknown view 'mix'; expected some of plain, mixup"):
        mix_batch(images, labels, "mix", 1.0, torch.Generator())


def test_class_balanced_batches():
    labels = torch.cat([torch.full((count,), k) for k, count in enumerate((40, 6, 3, 20))])
    split = Split(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), labels)
    seen = list(batches(split, 8, torch.Generator().manual_seed(0), num_classes=2))
    assert len(seen) == len(labels) // 8
    for images, chosen in seen:
        assert torch.equal(labels[images.flatten().long()], chosen)
        counts = torch.bincount(chosen)
        assert sorted(counts[counts > 0].tolist()) == [4, 4]
        for k in counts.nonzero().flatten():
            own = images.flatten()[chosen == k]
            assert len(own.unique()) == min(4, (labels == k).sum())
    assert {k for _, chosen in seen for k in chosen.tolist()} == {0, 1, 2, 3}
    with pytest.raises(ValueError, match=r"batches of 1\.\.4 classes"):
        next(batches(split, 10, torch.Generator(), num_classes=5))
