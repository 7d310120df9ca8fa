"""Unknown sets: what they hold, what is read alone, and what is said when one is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from skimage.data import lfw_subset
from sklearn.datasets import load_sample_images

from lossbook.data.dataset import DataError, data_dir, without_downloads
from lossbook.data.load import load, load_test
from lossbook.data.other_sets import OTHER_SETS
from lossbook.data.unknown import match_format, unknown_for, unknown_images
from lossbook.papers.registry import get_paper
from lossbook.papers.results import published


def test_faces_are_the_first_hundred_of_the_subset():
    found = unknown_images("faces", 32)
    assert found.shape == (100, 1, 25, 25) and found.dtype == torch.uint8
    np.testing.assert_allclose(found[:, 0].numpy() / 255, lfw_subset()[:100], atol=0.5 / 255 + 1e-9)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(DataError, match=r"'faces' in the installed package scikit-image .*; install scikit-image again, in the"):
        unknown_images("faces", 32)


def test_test_images_of_a_bundled_set():
    assert torch.equal(load_test("digits").images, load("digits").test.images)
    assert torch.equal(unknown_images("digits", 28), load("digits").test.images)


def test_cifar10_needs_its_test_file_only(monkeypatch, tmp_path):
    """Where the training batches are missing: in a folder with the two files that the test images need."""
    source = data_dir() / "cifar-10-batches-py"
    if not (source / "test_batch").is_file():
        pytest.skip("CIFAR-10's test images are not under LOSSBOOK_DATA")
    (tmp_path / source.name).mkdir()
    for name in ("test_batch", "batches.meta"):
        (tmp_path / source.name / name).symlink_to(source / name)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    load_test.cache_clear()
    assert load_test("cifar10").images.shape == (10_000, 3, 32, 32)
    load_test.cache_clear()


def test_packed_traffic_signs_are_verified(monkeypatch, tmp_path):
    (tmp_path / "gtsrb32").mkdir()
    np.savez(tmp_path / "gtsrb32" / "gtsrb32.npz", images=np.zeros((2, 32, 32, 3), np.uint8))
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"the unknown set 'gtsrb' in .* is missing or damaged .*the 2 images .*of 1,500 images"):
        unknown_images("gtsrb", 32)


def test_traffic_signs_where_they_are_found():
    if not (data_dir() / "gtsrb32").is_dir():
        pytest.skip("gtsrb32 is not under LOSSBOOK_DATA")
    assert unknown_images("gtsrb", 32).shape == (1500, 3, 32, 32)


def test_without_a_network_the_cure_is_named(monkeypatch, tmp_path):
    datasets = pytest.importorskip("lossbook._torchvision").datasets

    def no_network(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    for name, kind in (("gtsrb", "GTSRB"), ("svhn", "SVHN")):
        monkeypatch.setattr(datasets, kind, no_network)
        with pytest.raises(DataError, match=rf"'{name}' in {tmp_path} is missing or damaged .*no network.*LOSSBOOK_DATA"):
            unknown_images(name, 32)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="unknown set of images 'noise'; expected one of photographs, faces, gtsrb, svhn, cifar10-eff"
    ):
        unknown_images("noise", 32)


def test_printed_sets_are_those_of_table_4():
    printed = published(get_paper("onecold").evidence, "4").groupby("dataset", sort=False)["ood_dataset"].unique()
    assert {known: tuple(others) for known, others in printed.items()} == OTHER_SETS["ood_printed"]


def test_unknown_images_take_the_format_of_the_known_ones():
    images = torch.tensor([10, 20, 60], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    grey = match_format(images, channels=1, size=2)
    assert grey.shape == (1, 1, 2, 2) and grey.dtype == torch.uint8 and (grey == 30).all()
    assert torch.equal(match_format(grey, channels=3, size=2), grey.expand(1, 3, 2, 2))
    known = load("digits").test.images
    assert unknown_for("digits", "photographs", known, 12).shape[1:] == (1, 12, 12)


@pytest.mark.parametrize("name", ["gtsrb", "svhn"])
def test_nothing_is_downloaded_where_that_is_forbidden(name, monkeypatch, tmp_path):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    with without_downloads(), pytest.raises(DataError, match=f"'{name}' .*You can use download=True"):
        unknown_images(name, 32)


def test_photographs_are_cut_without_overlap():
    patches = unknown_images("photographs", 28)
    assert patches.dtype == torch.uint8
    assert patches.shape == (2 * (427 // 28) * (640 // 28), 3, 28, 28)
    image = torch.tensor(load_sample_images().images[0]).permute(2, 0, 1)
    torch.testing.assert_close(patches[640 // 28 + 2], image[:, 28:56, 56:84])
