"""Patches are cut where their docstring says."""

import torch
from skimage.data import camera

from lossbook.data.load import load


def test_patches_are_whole_tiles_of_both_halves():
    data = load("patches")
    assert data.train.labels.bincount().tolist() == [10] * 12
    assert data.test.labels.bincount().tolist() == [20] * 12
    photograph = torch.from_numpy(camera().copy())  # 512 x 512, the third
    first = data.train.images[data.train.labels == 2][:, 0]
    assert torch.equal(first[0], photograph[:32, :32])
    assert torch.equal(first[-1], photograph[-32:, 224:256])
    right = data.test.images[data.test.labels == 2][:, 0]
    assert torch.equal(right[0], photograph[:32, 256:288])
    assert torch.equal(right[-1], photograph[-32:, -32:])
