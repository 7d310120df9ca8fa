"""Data sets: bundled ones are verified and fixed; a missing or damaged one says so and how to mend it."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbook.data import AUGMENTATIONS, DATASETS, Split, augment_batch, batches, load, resize, to_float
from lossbook.data.sets import DataError, content_hash, data_dir


@pytest.fixture
def fresh_cache():
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.mark.parametrize(("name", "train", "test", "size"), [("mnist5k", 2000, 3000, 28), ("digits", 900, 897, 8)])
def test_bundled_sets(name, train, test, size):
    data = load(name)
    assert (len(data.train), len(data.test)) == (train, test)
    assert data.train.images.shape == (train, 1, size, size)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.bincount().unique().tolist() == [train // 10]
    assert data.num_classes == 10


@pytest.mark.parametrize("name", [name for name, (_, _, bundled) in DATASETS.items() if not bundled])
def test_downloaded_sets_where_they_are_found(name):
    folders = {"fashion-mnist": "FashionMNIST/raw", "cifar10": "cifar-10-batches-py/data_batch_5", "cifar100": "cifar-100-python"}
    if not (data_dir() / folders[name]).exists():
        pytest.skip(f"{name} is not under LOSSBOOK_DATA")
    data = load(name)
    assert len(data.train) + len(data.test) in (60000, 70000)
    assert len(data.train.labels.unique()) == data.num_classes


def test_damaged_content_names_set_folder_and_cure(fresh_cache, monkeypatch):
    loader, classes, bundled = DATASETS["digits"]
    train, test = loader()
    train.images[0, 0, 0, 0] += 1
    monkeypatch.setitem(DATASETS, "digits", (lambda: (train, test), classes, bundled))
    with pytest.raises(DataError, match=r"'digits' in an installed package: the train images .* reinstall"):
        load("digits")


def test_missing_files_name_set_folder_and_cure(fresh_cache, monkeypatch, tmp_path):
    torchvision_datasets = pytest.importorskip("lossbook._torchvision").datasets
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))

    def no_network(self):
        raise OSError("no network")

    monkeypatch.setattr(torchvision_datasets.FashionMNIST, "download", no_network)
    with pytest.raises(DataError, match=rf"'fashion-mnist' in {tmp_path} is missing or damaged .*no network.*LOSSBOOK_DATA"):
        load("fashion-mnist")


def test_a_damaged_file_is_one_clear_error(fresh_cache, monkeypatch, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 60000), ("t10k", 10000)):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            (raw / f"{part}-{kind}").write_bytes(b"\0" * 64)
            with gzip.open(raw / f"{part}-{kind}.gz", "wb") as file:
                file.write(b"\0" * 64)
        assert count
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    with pytest.raises(DataError, match="'fashion-mnist'"):
        load("fashion-mnist")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'imagenet'; expected one of mnist5k, digits"):
        load("imagenet")


def test_data_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("LOSSBOOK_DATA")
    assert data_dir() == Path(os.path.expanduser("~")) / ".cache" / "lossbook"  # noqa: PTH111


def test_select_relabels_in_the_order_given():
    data = load("digits")
    chosen = data.select((7, 2))
    first = chosen.train.images[chosen.train.labels == 0]
    assert torch.equal(first, data.train.images[data.train.labels == 7])
    assert chosen.num_classes == 2


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


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_shape_and_values(name):
    images = torch.rand(6, 3, 16, 16)
    new = augment_batch(images.clone(), (name,), torch.Generator().manual_seed(0))
    assert new.shape == images.shape
    assert np.isin(new.numpy(), images.numpy()).all()
    assert not torch.equal(new, images)


def test_content_hash_sees_every_pixel_and_label():
    split = Split(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1]))
    other = Split(split.images.clone(), torch.tensor([1, 0]))
    assert content_hash(split) != content_hash(other)
    other = Split(split.images.clone().index_fill_(0, torch.tensor([1]), 1), split.labels)
    assert content_hash(split) != content_hash(other)
