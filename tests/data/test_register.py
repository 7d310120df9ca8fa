"""Data sets of a user's own, by name."""

import dataclasses

import pytest
import torch

from lossbook import registered
from lossbook.data.dataset import DataError, DataSet, Split, content_hash
from lossbook.data.load import load
from lossbook.data.register import register_dataset
from lossbook.data.registry import DATASETS

PARTS = {
    "train": Split(torch.arange(6 * 64, dtype=torch.uint8).reshape(6, 1, 8, 8), torch.arange(6) % 3),
    "test": Split(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.arange(3)),
}
MINE = DataSet(
    "mine",
    num_classes=3,
    read=lambda names: tuple(PARTS[name] for name in names),
    cure="make it again",
    sha256={name: content_hash(split) for name, split in PARTS.items()},
)


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    monkeypatch.setattr(registered, "DATASETS", {})
    yield
    DATASETS.pop("mine", None)
    load.cache_clear()


def test_it_is_loaded_by_name():
    register_dataset("mine", MINE)
    data = load("mine")
    assert (len(data.train), len(data.test), data.num_classes) == (6, 3, 3)


def test_other_images_than_were_registered_are_an_error():
    register_dataset("mine", dataclasses.replace(MINE, read=lambda names: tuple(PARTS["test"] for _ in names)))
    with pytest.raises(DataError, match="the train images and labels have SHA-256"):
        load("mine")


@pytest.mark.parametrize("name", ["digits", "photographs"])
def test_a_taken_name_is_refused(name):
    with pytest.raises(ValueError, match=f"the name '{name}' is taken by another data set"):
        register_dataset(name, dataclasses.replace(MINE, name=name))


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        ({"train": PARTS["train"]}, TypeError, "expected a lossbook.data.dataset.DataSet, got dict"),
        (dataclasses.replace(MINE, name="other"), ValueError, "expected the name of the data set, 'other', got 'mine'"),
        (
            dataclasses.replace(MINE, sha256={"train": "0"}, counts={"test": 3}),
            ValueError,
            r"expected the SHA-256 of the train and test images of 'mine', test is missing: .*content_hash\(split\)",
        ),
    ],
)
def test_what_is_refused(dataset, error, message):
    with pytest.raises(error, match=message):
        register_dataset("mine", dataset)
    assert "mine" not in DATASETS
