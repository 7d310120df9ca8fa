"""Splits and loaded data sets: classes chosen and merged, content hashed, folders found."""

import gzip
import os
from pathlib import Path

import pytest
import torch

from lossbook.data.dataset import DataError, Split, content_hash, data_dir
from lossbook.data.load import load


def test_select_relabels_in_the_order_given():
    data = load("digits")
    chosen = data.select((7, 2))
    first = chosen.train.images[chosen.train.labels == 0]
    assert torch.equal(first, data.train.images[data.train.labels == 7])
    assert chosen.num_classes == 2


def test_content_hash_sees_every_pixel_and_label():
    split = Split(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1]))
    other = Split(split.images.clone(), torch.tensor([1, 0]))
    assert content_hash(split) != content_hash(other)
    other = Split(split.images.clone().index_fill_(0, torch.tensor([1]), 1), split.labels)
    assert content_hash(split) != content_hash(other)


def test_data_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("LOSSBOOK_DATA")
    assert data_dir() == Path(os.path.expanduser("~")) / ".cache" / "lossbook"  # noqa: PTH111


def test_a_damaged_file_is_one_clear_error(fresh_cache, monkeypatch, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            (raw / f"{part}-{kind}").write_bytes(b"\0" * 64)
            with gzip.open(raw / f"{part}-{kind}.gz", "wb") as file:
                file.write(b"\0" * 64)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"'fashion-mnist' in .* is missing or damaged"):
        load("fashion-mnist")
