"""Cached features: computed once, resumable, found again only for the same images and settings, damage named."""

import numpy as np
import pytest
import torch

from lossbook import features
from lossbook.data import DATASETS, ImageData, Split, load, sets
from lossbook.data import features as cache
from lossbook.data.sets import DataError
from lossbook.models import create_model
from lossbook.specs import RunSpec
from lossbook.training import train

NAME = cache.features_name("digits")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Four training and three test images stand for the digits, two images a file."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (7, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    data = ImageData("digits", Split(images[:4], labels[:4]), Split(images[4:], labels[4:]), 2)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    monkeypatch.setattr(cache, "COUNTS", {"digits": {"train": 4, "test": 3}})
    monkeypatch.setattr(cache, "CHUNK", 2)
    monkeypatch.setattr(features, "load", lambda name: data)
    monkeypatch.setitem(sets.FEATURES, NAME, "digits")
    monkeypatch.setitem(DATASETS, NAME, (sets._features("digits"), 2, False))
    load.cache_clear()
    yield data
    load.cache_clear()


def test_what_is_read_is_what_the_backbone_makes(tiny):
    features.extract_features("digits")
    data = load(NAME)
    assert data.train.images.shape == (4, 1280)
    assert data.test.labels.tolist() == tiny.test.labels.tolist()
    backbone, _ = create_model("efficientnet_lite0", 1, pretrained=True)
    with torch.no_grad():
        exact = backbone.eval()(tiny.test.images.float() / 127.5 - 1)
    apart = (data.test.images - exact).norm(dim=1) / exact.norm(dim=1)
    assert apart.max() < 0.15  # bfloat16 on enlarged noise


def test_it_goes_on_where_it_was(tiny):
    folder = features.extract_features("digits")
    files = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(path.name for path in files) == ["test-000.npz", "test-001.npz", "train-000.npz", "train-001.npz"]
    (folder / "train-001.npz").unlink()
    with pytest.raises(DataError, match="compute it: lossbook features digits"):
        load(NAME)
    features.extract_features("digits")
    changed = [path.name for path, before in files.items() if path.stat().st_mtime_ns != before]
    assert changed == ["train-001.npz"]


def test_a_damaged_file_is_named(tiny):
    path = features.extract_features("digits") / "test-000.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=f"data set '{NAME}' .* is missing or damaged"):
        load(NAME)


def test_the_folder_hangs_on_everything_that_the_features_hang_on(monkeypatch):
    before = cache.features_hash("cifar100")
    assert before != cache.features_hash("omniglot")
    for name, value in (("SIDE", 128), ("PRECISION", "float32"), ("WEIGHTS_SHA256", "0" * 64)):
        with monkeypatch.context() as patch:
            patch.setattr(cache, name, value)
            assert cache.features_hash("cifar100") != before, name


def test_a_run_trains_on_features(tiny):
    features.extract_features("digits")
    spec = RunSpec(dataset=NAME, model="identity", embedding_size=4, epochs=2, batch_size=2, lr=0.01)
    result = train(spec)
    assert result.metrics["diverged"] == 0
    assert np.isfinite(result.metrics["A_SW"])


def test_other_weights_and_other_data_sets_are_refused(tiny, monkeypatch):
    with pytest.raises(ValueError, match="no features of 'mnist5k'; expected one of digits"):
        features.extract_features("mnist5k")
    monkeypatch.setattr(cache, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="expected 000000000000"):
        features.extract_features("digits")
