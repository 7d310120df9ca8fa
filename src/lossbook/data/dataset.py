"""What a data set is: its images as uint8 tensors, where they come from, and the check that they are the right ones.

Bundled sets come inside an ordinary package and need no download.  The others lie under the folder that the
environment variable ``LOSSBOOK_DATA`` names (default ``~/.cache/lossbook``); torchvision downloads its own there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is loaded where it is used, so that listing the data sets is quick
    from torch import Tensor

PARTS = ("train", "test")
DOWNLOAD = "delete its files there and run again with a network to download it, or set LOSSBOOK_DATA to the folder that holds it"


class DataError(RuntimeError):
    """A data set is missing or damaged; the message names it, its folder and the cure."""


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
        import torch

        relabel = torch.full((int(self.labels.max()) + 1,), -1)
        for label, group in enumerate(groups):
            relabel[torch.tensor(group, dtype=torch.int64)] = label
        labels = relabel[self.labels]
        return Split(self.images, labels, fine).take(labels >= 0)


@dataclass(frozen=True)
class ImageData:
    """A loaded data set: training and test images of ``num_classes`` classes."""

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
    return Path(os.environ.get("LOSSBOOK_DATA") or "~/.cache/lossbook").expanduser()


_downloads = ContextVar("downloads", default=True)


def may_download() -> bool:
    """May a missing file be downloaded?  Not :func:`without_downloads`."""
    return _downloads.get()


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
    import torch

    digest = hashlib.sha256(str(tuple(split.images.shape)).encode())
    digest.update(split.images.contiguous().numpy().tobytes())
    digest.update(split.labels.to(torch.int64).numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def place_of(package: str) -> str:
    """Where the files of a set are looked for, for messages."""
    return f"the installed package {package}" if package else str(data_dir())


def reinstall(package: str) -> str:
    """The cure for a set that comes inside a package."""
    return f"install {package} again, in the version that requirements.lock pins"


@dataclass(frozen=True)
class DataSet:
    """A data set that runs can train on.

    Attributes:
        name: as run specs spell it.
        num_classes: of all its images.
        read: names of parts (``"train"``, ``"test"``) to their splits; it reads no files but theirs where it can.
        cure: what the user does when files are missing or damaged.
        package: that the files come inside; empty for those below :func:`data_dir`.
        folders: one of these, below :func:`data_dir`, is there if the data set is.
        sha256: part -> :func:`content_hash` of the split.
        counts: part -> number of images, for a set whose content is not the same to the bit on every machine.
    """

    name: str
    num_classes: int
    read: Callable[[Sequence[str]], tuple[Split, ...]]
    cure: str
    package: str = ""
    folders: tuple[str, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def is_here(self) -> bool:
        """Are there any files of it?"""
        return bool(self.package) or any((data_dir() / folder).exists() for folder in self.folders)

    def load(self, parts: Sequence[str] = PARTS) -> tuple[Split, ...]:
        """Read and verify some parts.

        Raises:
            DataError: for a missing or damaged file, with the data set, the folder and the cure; and where nothing is
                known that the content could be verified by.
        """
        try:
            splits = self.read(parts)
        except Exception as error:  # torchvision raises all kinds: no network, a cut archive, a damaged pickle
            raise DataError(
                f"data set {self.name!r} in {place_of(self.package)} is missing or damaged"
                f" ({type(error).__name__}: {error}); {self.cure}"
            ) from error
        for part, split in zip(parts, splits, strict=True):
            self._verify(part, split)
        return splits

    def _verify(self, part: str, split: Split) -> None:
        if part in self.sha256:
            found, expected = f"SHA-256 {content_hash(split)}", f"SHA-256 {self.sha256[part]}"
        elif part in self.counts:
            found, expected = f"{len(split):,} images", f"{self.counts[part]:,} images"
        else:
            raise DataError(
                f"data set {self.name!r} states neither SHA-256 nor number of its {part} images, so they cannot be verified;"
                f" where they are the right ones, add {part!r}: {content_hash(split)!r} to the sha256 of its DataSet"
            )
        if found != expected:
            raise DataError(
                f"data set {self.name!r} in {place_of(self.package)}: the {part} images and labels have {found},"
                f" expected {expected}; {self.cure}"
            )
