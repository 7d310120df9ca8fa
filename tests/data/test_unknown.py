"""Unknown sets and the data set of patches: what they hold, what is read alone, and what is said when one is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from skimage.data import camera, lfw_subset

from lossbook.data import load
from lossbook.data.sets import DataError, content_hash, data_dir, load_test
from lossbook.data.unknown import UNKNOWN_SETS, faces, unknown_images
from lossbook.papers.results import published
from lossbook.runs.suites.ood_printed import PRINTED


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


def test_faces_are_the_first_hundred_of_the_subset():
    found = faces()
    assert found.shape == (100, 1, 25, 25) and found.dtype == torch.uint8
    np.testing.assert_allclose(found[:, 0].numpy() / 255, lfw_subset()[:100], atol=0.5 / 255 + 1e-9)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(ImportError, match="'faces' needs scikit-image"):
        faces()


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
    with pytest.raises(DataError, match=r"the images 'gtsrb' in .* are missing or damaged .*1,500 images expected"):
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
        with pytest.raises(DataError, match=rf"'{name}' in {tmp_path} are missing or damaged .*no network.*LOSSBOOK_DATA"):
            unknown_images(name, 32)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="no images 'noise'; expected one of photographs, faces, gtsrb, svhn, cifar10-eff"):
        unknown_images("noise", 32)


def test_printed_sets_are_those_of_table_4():
    printed = published("onecold", "4").groupby("dataset", sort=False)["ood_dataset"].unique()
    assert {known: tuple(others) for known, others in printed.items()} == PRINTED
    assert len(set(UNKNOWN_SETS)) == len(UNKNOWN_SETS)


def test_splits_share_no_image():
    data = load("patches")
    assert content_hash(data.train) != content_hash(data.test)
    train = {image.numpy().tobytes() for image in data.train.images}
    assert not train & {image.numpy().tobytes() for image in data.test.images if image.float().std() > 1}
