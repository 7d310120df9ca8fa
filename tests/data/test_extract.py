"""Cached features: computed once, resumable, found again only for the same images and settings, damage named."""

import numpy as np
import pandas as pd
import pytest
import torch

from lossbook.data import extract
from lossbook.data import features as cached
from lossbook.data.dataset import DataError, ImageData, Split
from lossbook.data.extract import CACHES, extract_features
from lossbook.data.feature_names import features_name
from lossbook.data.features import FeatureCache, features_of
from lossbook.data.gtsrb import CACHE as GTSRB
from lossbook.data.load import load, load_test
from lossbook.data.registry import DATASETS
from lossbook.data.unknown import match_format, unknown_images
from lossbook.data.unknown_features import unknown_features_of
from lossbook.data.unknown_registry import UNKNOWN_SETS
from lossbook.models import create_model
from lossbook.runs.spec import RunSpec
from lossbook.runs.train import train

NAME = features_name("digits")
TINY = FeatureCache("digits", DATASETS["digits"].sha256, {"train": 4, "test": 3})
SIGNS = FeatureCache("gtsrb", GTSRB.sha256, {"test": 3})


@pytest.fixture
def tiny(fresh_cache, tmp_path, monkeypatch):
    """Four training and three test images stand for the digits, two images per file."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (7, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    data = ImageData("digits", Split(images[:4], labels[:4]), Split(images[4:], labels[4:]), 2)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    monkeypatch.setattr(cached, "CHUNK", 2)
    monkeypatch.setattr(extract, "CACHES", {"digits": TINY})
    monkeypatch.setattr(extract, "load", lambda name: data)
    monkeypatch.setitem(DATASETS, NAME, features_of(TINY, 2))
    return data


def test_what_is_read_is_what_the_backbone_makes(tiny):
    extract_features("digits")
    data = load(NAME)
    assert data.train.images.shape == (4, 1280)
    assert data.test.labels.tolist() == tiny.test.labels.tolist()
    backbone, _ = create_model("efficientnet_lite0", 1, pretrained=True)
    with torch.no_grad():
        exact = backbone.eval()(tiny.test.images.float() / 127.5 - 1)
    apart = (data.test.images - exact).norm(dim=1) / exact.norm(dim=1)
    assert apart.max() < 0.15  # bfloat16 on enlarged noise


def test_it_goes_on_where_it_was(tiny):
    folder = extract_features("digits")
    files = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(path.name for path in files) == ["test-000.npz", "test-001.npz", "train-000.npz", "train-001.npz"]
    (folder / "train-001.npz").unlink()
    with pytest.raises(DataError, match="compute it: lossbook features digits"):
        load(NAME)
    extract_features("digits")
    changed = [path.name for path, before in files.items() if path.stat().st_mtime_ns != before]
    assert changed == ["train-001.npz"]


def test_a_damaged_file_is_named(tiny):
    path = extract_features("digits") / "test-000.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=f"data set '{NAME}' .* is missing or damaged"):
        load(NAME)


def test_the_folder_hangs_on_everything_that_the_features_hang_on(monkeypatch):
    cache = CACHES["cifar100"]
    before = cache.folder
    assert FeatureCache("cifar100", CACHES["omniglot"].sha256, cache.counts).folder != before
    for name, value in (("SIDE", 128), ("PRECISION", "float32"), ("WEIGHTS_SHA256", "0" * 64)):
        with monkeypatch.context() as patch:
            patch.setattr(cached, name, value)
            assert cache.folder != before, name


def test_a_run_trains_on_features(tiny):
    extract_features("digits")
    spec = RunSpec(dataset=NAME, model="identity", embedding_size=4, epochs=2, batch_size=2, lr=0.01)
    result = train(spec)
    assert result.metrics["diverged"] == 0
    assert np.isfinite(result.metrics["A_SW"])


def test_a_file_that_lacks_vectors_is_told(tiny):
    path = extract_features("digits") / "train-000.npz"
    with np.load(path) as file:
        shorter = {name: values[:1] for name, values in file.items()}
    np.savez(path, **shorter)
    with pytest.raises(DataError, match="3 train vectors, expected 4"):
        load(NAME)


def test_test_features_are_read_alone(tiny):
    folder = extract_features("digits")
    (folder / "train-000.npz").unlink()
    assert torch.equal(load_test(NAME).labels, tiny.test.labels)


@pytest.fixture
def signs(tmp_path, monkeypatch):
    """Three images stand for the traffic signs: an unknown set, which has no training images."""
    images = torch.randint(0, 256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    monkeypatch.setattr(extract, "CACHES", {"digits": TINY, "gtsrb": SIGNS})
    monkeypatch.setitem(UNKNOWN_SETS, SIGNS.name, unknown_features_of(SIGNS))
    monkeypatch.setattr(extract, "unknown_images", lambda name, size: images)
    return images


def test_an_unknown_set_has_features_of_its_test_images_alone(signs):
    folder = extract_features("gtsrb")
    assert [path.name for path in folder.iterdir()] == ["test-000.npz"]
    found = unknown_images(features_name("gtsrb"), 0)
    assert found.shape == (3, 1280)
    assert torch.equal(match_format(found, 1280, 1280), found)
    assert extract.provenance("gtsrb")["train vectors"] == 0
    assert extract.provenance("gtsrb")["images SHA-256"] == GTSRB.sha256["test"][:12]


def test_features_of_an_unknown_set_that_are_missing_or_damaged_name_the_cure(signs):
    name = features_name("gtsrb")
    with pytest.raises(DataError, match=rf"'{name}' in .* missing or damaged .*compute it: lossbook features gtsrb"):
        unknown_images(name, 0)
    path = extract_features("gtsrb") / "test-000.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=rf"'{name}' in .* missing or damaged .*compute it: lossbook features gtsrb"):
        unknown_images(name, 0)


def test_an_unknown_set_of_another_size_is_refused(signs, monkeypatch):
    monkeypatch.setattr(extract, "CACHES", {"gtsrb": GTSRB})
    with pytest.raises(DataError, match=r"gtsrb in .* has 3 images, expected 1,500"):
        extract_features("gtsrb")


def test_nothing_trains_on_an_unknown_set():
    with pytest.raises(ValueError, match="unknown data set 'gtsrb-efficientnet_lite0'"):
        load(features_name("gtsrb"))


def test_provenance_of_other_data_sets_stays(signs, tmp_path):
    path = tmp_path / "features.csv"
    extract_features("gtsrb")
    extract.record("gtsrb", path)
    other = pd.read_csv(path, dtype=str).assign(**{"data set": NAME, "content SHA-256": "012345678e12"})
    other.to_csv(path, index=False)
    extract.record("gtsrb", path)
    extract.record("gtsrb", path)
    rows = pd.read_csv(path, dtype=str)
    assert rows["data set"].tolist() == [NAME, features_name("gtsrb")]
    assert rows["content SHA-256"][0] == "012345678e12"
    assert rows["content SHA-256"][1] == extract.provenance("gtsrb")["content SHA-256"]


def test_a_file_of_something_else_is_not_overwritten(signs, tmp_path):
    path = tmp_path / "features.csv"
    path.write_text("a,b\n1,2\n")
    extract_features("gtsrb")
    with pytest.raises(ValueError, match=r"expected the columns data set, images, .* delete it"):
        extract.record("gtsrb", path)
    assert path.read_text() == "a,b\n1,2\n"


def test_other_weights_and_other_data_sets_are_refused(tiny, monkeypatch):
    with pytest.raises(ValueError, match="no features of 'mnist5k'; expected one of digits"):
        extract_features("mnist5k")
    monkeypatch.setattr(cached, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="expected 000000000000"):
        extract_features("digits")
