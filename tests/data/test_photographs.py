"""Data sets of photographs: small copies in their published layouts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lossbook.data.dataset import DataError
from lossbook.data.load import load
from lossbook.data.registry import DATASETS
from lossbook.runs.spec import RunSpec
from lossbook.runs.subsets import held_out_classes, subset


def counts(monkeypatch: pytest.MonkeyPatch, name: str, images: dict[str, int]) -> None:
    """Let a data set expect a small copy."""
    monkeypatch.setitem(DATASETS, name, dataclasses.replace(DATASETS[name], counts=images))


@pytest.fixture
def photographs(monkeypatch, tmp_path):
    """Three photographs and the lists that name them, where ImageNet-LT is looked for."""
    from PIL import Image

    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    folder = tmp_path / "imagenet"
    (folder / "train" / "n 1").mkdir(parents=True)
    for name, size, grey in (("a", (300, 400), 10), ("b", (500, 250), 200), ("c", (100, 100), 90)):
        Image.new("RGB", size, (grey, grey, 0)).save(folder / "train" / "n 1" / f"{name}.png")
    (folder / "ImageNet_LT_train.txt").write_text("train/n 1/a.png 0\ntrain/n 1/b.png 7\n")
    (folder / "ImageNet_LT_test.txt").write_text("train/n 1/c.png 3\n")
    return folder


def test_photographs_by_their_published_lists(fresh_cache, monkeypatch, photographs):
    counts(monkeypatch, "imagenet-lt", {"train": 2, "test": 1})
    data = load("imagenet-lt")
    assert data.train.images.shape == (2, 3, 224, 224)
    assert data.train.images[:, 0, 100, 100].tolist() == [10, 200]
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 7], [3])
    assert data.num_classes == 1000


def test_photographs_are_counted(fresh_cache, photographs):
    with pytest.raises(DataError, match=r"train images and labels have 2 images, expected 115,846 images; put the published"):
        load("imagenet-lt")
    (photographs / "train" / "n 1" / "b.png").unlink()
    with pytest.raises(
        DataError, match=r"'imagenet-lt' in .* is missing or damaged \(FileNotFoundError.*b\.png.*put the published"
    ):
        load("imagenet-lt")


@pytest.fixture
def cars(monkeypatch, tmp_path):
    """Three cars in the published layout, the labels out of order."""
    from PIL import Image
    from scipy.io import savemat

    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    folder = tmp_path / "cars196"
    (folder / "car_ims").mkdir(parents=True)
    rows = np.zeros(3, dtype=[("relative_im_path", object), ("class", object), ("test", object)])
    for k, (label, grey) in enumerate(((1, 10), (196, 90), (100, 200))):
        Image.new("RGB", (300, 200), (grey, 0, 0)).save(folder / "car_ims" / f"{k}.png")
        rows[k] = (f"car_ims/{k}.png", label, 0)
    savemat(folder / "cars_annos.mat", {"annotations": rows})
    return folder


def _cub(folder: Path) -> None:
    from PIL import Image

    (folder / "images" / "001.a").mkdir(parents=True)
    (folder / "images.txt").write_text("1 001.a/x.png\n2 001.a/y.png\n")
    (folder / "image_class_labels.txt").write_text("1 1\n2 200\n")
    for name, grey in (("x", 10), ("y", 90)):
        Image.new("RGB", (50, 60), (grey, 0, 0)).save(folder / "images" / "001.a" / f"{name}.png")


def _sop(folder: Path) -> None:
    from PIL import Image

    (folder / "bicycle_final").mkdir(parents=True)
    for part, label, grey in (("train", 11318, 10), ("test", 22634, 90)):
        Image.new("L", (50, 60), grey).save(folder / "bicycle_final" / f"{part}.png")
        header = "image_id class_id super_class_id path\n"
        (folder / f"Ebay_{part}.txt").write_text(f"{header}1 {label} 1 bicycle_final/{part}.png\n")


@pytest.mark.parametrize(
    ("name", "folder", "make", "labels"),
    [
        ("cub-retrieval", "CUB_200_2011", _cub, [0, 199]),
        ("sop", "Stanford_Online_Products", _sop, [11317, 22633]),
    ],
)
def test_retrieval_sets_have_all_images_in_both_splits(fresh_cache, monkeypatch, tmp_path, name, folder, make, labels):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    counts(monkeypatch, name, {"train": 2, "test": 2})
    make(tmp_path / folder)
    data = load(name)
    assert data.train.labels.tolist() == data.test.labels.tolist() == labels
    assert data.train.images.shape == (2, 3, 224, 224)
    assert data.test.images[:, 0, 100, 100].tolist() == [10, 90]
    assert data.num_classes > max(labels)


def test_cars_by_their_published_layout(fresh_cache, monkeypatch, cars):
    counts(monkeypatch, "cars-retrieval", {"train": 3, "test": 3})
    data = load("cars-retrieval")
    assert data.train.labels.tolist() == [0, 195, 99]
    assert data.test.images[:, 0, 100, 100].tolist() == [10, 90, 200]


def test_retrieval_sets_are_counted_and_never_downloaded(fresh_cache, monkeypatch, cars):
    with pytest.raises(DataError, match=r"'cars-retrieval' in .*: the train images .* 3 images, expected 16,185 images; put the"):
        load("cars-retrieval")
    (cars / "car_ims" / "1.png").unlink()
    with pytest.raises(DataError, match=r"'cars-retrieval' in .* is missing or damaged \(FileNotFoundError.*1\.png.*put the"):
        load("cars-retrieval")


def test_an_unknown_half_of_a_retrieval_set(fresh_cache, monkeypatch, cars):
    """Training sees the classes of the run, retrieval all images of the others."""
    counts(monkeypatch, "cars-retrieval", {"train": 3, "test": 3})
    spec = RunSpec(dataset="cars-retrieval", classes=tuple(range(98)))
    assert subset(spec).train.images[:, 0, 100, 100].tolist() == [10]
    assert held_out_classes(spec).images[:, 0, 100, 100].tolist() == [90, 200]
