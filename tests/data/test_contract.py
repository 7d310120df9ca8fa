"""What holds for every data set of the registries: those that are here are read, the others skipped."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest
import torch

from lossbook.data.dataset import DataError, DataSet, Split, content_hash, without_downloads
from lossbook.data.extract import CACHES
from lossbook.data.feature_names import are_features, images_of
from lossbook.data.load import load, load_test
from lossbook.data.other_sets import OTHER_SETS
from lossbook.data.registry import DATASETS
from lossbook.data.unknown_registry import UNKNOWN_SETS

# In these every image is in both parts: a run's classes tell training from retrieval.
WHOLE = ("cub-retrieval", "cars-retrieval", "sop")
# Test images that a training image of the same class equals: CIFAR-100's are known, a drawing of few strokes has equals.
REPEATED = {"cifar100": 4, "omniglot": 1}
LARGEST = 100_000  # more photographs than these do not fit into a test's memory
SIZES = {
    "mnist5k": (1, 28),
    "digits": (1, 8),
    "patches": (1, 32),
    "fashion-mnist": (1, 28),
    "cifar10": (3, 32),
    "cifar100": (3, 32),
    "omniglot": (1, 35),
}


@functools.cache
def found(name: str, parts: tuple[str, ...] = ("train", "test")) -> tuple[Split, ...]:
    """Parts of a data set that is here; a set whose files are not all here is skipped."""
    dataset = DATASETS[name]
    if not dataset.is_here() or sum(dataset.counts.values()) > LARGEST:
        pytest.skip(f"{name} is not here")
    try:
        with without_downloads():
            return dataset.load(parts)
    except DataError as error:
        if dataset.package or "have SHA-256" in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_says_what_verifies_it_and_how_it_is_mended(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name
    verified = dataset.sha256 or dataset.counts
    assert set(verified) == {"train", "test"}
    assert all(len(digest) == 64 for digest in dataset.sha256.values())
    assert bool(dataset.package) != bool(dataset.folders)
    assert dataset.cure


@pytest.mark.parametrize("name", DATASETS)
def test_images_and_labels(name: str) -> None:
    dataset, splits = DATASETS[name], found(name)
    for split in splits:
        assert len(split.images) == len(split.labels) > 0
        assert split.labels.dtype == torch.int64
        assert split.labels.unique().tolist() == list(range(dataset.num_classes))
        if are_features(name):
            assert split.images.dtype == torch.float32
            assert split.images.shape[1:] == (1280,)
            assert split.images.isfinite().all()
        else:
            channels, size = SIZES.get(name, (3, 224))
            assert split.images.dtype == torch.uint8
            assert split.images.shape[1:] == (channels, size, size)
            assert split.images.is_contiguous()


@pytest.mark.parametrize(
    ("name", "train", "test"), [("mnist5k", 2000, 3000), ("digits", 900, 897), ("patches", 120, 240), ("omniglot", 24_345, 8_115)]
)
def test_sets_that_are_cut_here_have_equally_many_training_images_per_class(name: str, train: int, test: int) -> None:
    splits = found(name)
    assert tuple(map(len, splits)) == (train, test)
    assert splits[0].labels.bincount().unique().tolist() == [train // DATASETS[name].num_classes]


@pytest.mark.parametrize("name", DATASETS)
def test_the_test_part_alone_is_the_same(name: str) -> None:
    (alone,) = found(name, ("test",))
    _, test = found(name)
    assert torch.equal(alone.images, test.images)
    assert torch.equal(alone.labels, test.labels)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in WHOLE and not are_features(name)])
def test_no_image_is_in_both_parts_with_the_same_label(name: str) -> None:
    train, test = found(name)
    seen = {(image.tobytes(), int(label)) for image, label in zip(train.images.numpy(), train.labels, strict=True)}
    again = sum(
        (image.tobytes(), int(label)) in seen
        for image, label in zip(test.images.numpy(), test.labels, strict=True)
        if image.std() > 1  # a plain patch of sky has equals
    )
    assert again == REPEATED.get(name, 0)


@pytest.mark.parametrize("name", CACHES)
def test_features_hang_on_the_images_that_the_registry_verifies(name: str) -> None:
    cache = CACHES[name]
    assert cache.images == name
    if name in DATASETS:
        assert cache.sha256 == DATASETS[name].sha256
    registry = DATASETS if "train" in cache.counts else UNKNOWN_SETS
    assert images_of(registry[cache.name].name) == name


def test_the_folders_of_features_stay() -> None:
    """Hours of computing lie in them, and records name them by their data set."""
    folders = {name: cache.folder.removeprefix("features/") for name, cache in CACHES.items()}
    assert folders == {
        "cifar100": "cifar100-efficientnet_lite0-5aa865ec847b",
        "fashion-mnist": "fashion-mnist-efficientnet_lite0-0493f2beaa36",
        "omniglot": "omniglot-efficientnet_lite0-f7b4e0f587ad",
        "cifar10": "cifar10-efficientnet_lite0-b8a5628e3fdc",
        "gtsrb": "gtsrb-efficientnet_lite0-e5ac666d93a6",
    }


@pytest.mark.parametrize("name", UNKNOWN_SETS)
def test_unknown_sets(name: str) -> None:
    assert UNKNOWN_SETS[name].name == name
    try:
        with without_downloads():
            images = UNKNOWN_SETS[name].load(32)
    except DataError as error:
        if UNKNOWN_SETS[name].package:
            raise
        pytest.skip(str(error))
    assert len(images) >= 100
    if are_features(name):
        assert images.dtype == torch.float32 and images.ndim == 2
    else:
        assert images.dtype == torch.uint8 and images.ndim == 4


def test_no_name_is_in_both_registries_and_none_is_unknown_to_itself() -> None:
    assert not set(DATASETS) & set(UNKNOWN_SETS)
    for suite, known in OTHER_SETS.items():
        assert all(name not in others for name, others in known.items())
        if suite != "ood_printed":  # some of the sets that the paper prints have no loader
            assert {other for others in known.values() for other in others} <= {*DATASETS, *UNKNOWN_SETS}


def digits(**changes: object) -> DataSet:
    return dataclasses.replace(DATASETS["digits"], **changes)


def test_damaged_content_shows_both_digests_and_the_cure() -> None:
    expected = DATASETS["digits"].sha256["train"]
    train, test = DATASETS["digits"].load()
    train = Split(train.images.clone(), train.labels)
    train.images[0, 0, 0, 0] += 1
    with pytest.raises(DataError) as raised:
        digits(read=lambda parts: (train, test)).load()
    message = str(raised.value)
    assert "'digits' in the installed package scikit-learn: the train images and labels have SHA-256 " in message
    assert content_hash(train) in message and f"expected SHA-256 {expected}; install scikit-learn again" in message


def test_a_data_set_without_a_hash_says_what_to_add() -> None:
    with pytest.raises(DataError, match=r"'digits' states neither .*add 'train': '2d892ad0[0-9a-f]{56}' to the sha256") as raised:
        digits(sha256={}).load()
    assert "install" not in str(raised.value)


def test_missing_files_name_set_folder_and_cure(fresh_cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torchvision_datasets = pytest.importorskip("lossbook._torchvision").datasets
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))

    def no_network(self: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torchvision_datasets.FashionMNIST, "download", no_network)
    with pytest.raises(DataError, match=rf"'fashion-mnist' in {tmp_path} is missing or damaged .*no network.*LOSSBOOK_DATA"):
        load("fashion-mnist")
    assert not DATASETS["fashion-mnist"].is_here()


@pytest.mark.parametrize("asked", [load, load_test])
def test_unknown_name_lists_the_known_ones(asked) -> None:
    with pytest.raises(ValueError, match=r"'imagenet'; expected one of mnist5k, digits"):
        asked("imagenet")
