"""A user's own data: a folder of images, a file of features, or a data set by name, to features, labels and what was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lossbook.advisor.images import Backbone, features_of_arrays, read_folder
from lossbook.data.feature_names import are_features
from lossbook.data.load import load
from lossbook.data.registry import DATASETS
from lossbook.optional import package

PARTS = ("train", "val", "test")
SUFFIXES = (".npz", ".npy", ".pt", ".parquet")
COLUMNS = ("labels", "split", "groups")


@dataclass(frozen=True)
class Samples:
    """Features and labels.

    Attributes:
        name: of the data, for headings.
        features: (n, d), float32; not in memory where they are read from a file piece by piece.
        labels: (n,), int64, 0..N-1.
        classes: their names, N.
        part: (n,): the data's own split, one of :data:`PARTS`, or "" where it has none.
        groups: (n,), int64: samples of one group never lie in two splits.
        left_out: what was left out and why -> how many samples.
        notes: other things that the reader of a report should know.
        backbone: that made the features of images; None for features.
    """

    name: str
    features: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray
    groups: np.ndarray
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    backbone: Backbone | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def sha256(self) -> str:
        """A hash over all features and labels."""
        digest = hashlib.sha256(repr((self.features.shape, self.classes)).encode())
        for start in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.features[start : start + 4096]).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()


def read(source: str, labels: str = "", backbone: Backbone | None = None, cache: Path = Path("_build/advisor")) -> Samples:
    """Read some data.

    Args:
        source: a folder of images with one sub-folder per class, or with ``train``, ``val``, ``test`` of such; a ``.npz``,
            ``.pt`` or ``.parquet`` file with ``features`` (in parquet: all other columns), ``labels`` and, where wanted,
            ``split`` and ``groups``; a ``.npy`` file of features; or a data set's name.
        labels: the ``.npy`` file of labels that belongs to a ``.npy`` file of features.
        backbone: what makes features of images.
        cache: the folder that features of images are kept in.

    Raises:
        ValueError: for anything else, or data that cannot be compared on, saying what was expected.
    """
    path = Path(source)
    if source in DATASETS:
        samples = _of_dataset(source, backbone or Backbone(), cache)
    elif path.is_dir():
        found = read_folder(path, backbone or Backbone(), cache)
        samples = _checked(path.name, found.features, found.labels, found.part, None, found.left_out, found.notes, found.backbone)
    elif path.is_file() and path.suffix in SUFFIXES:
        if (path.suffix == ".npy") != bool(labels):
            raise ValueError("expected --labels FILE.npy with a .npy file of features, and only there")
        columns = _columns(path, labels)
        extra = sorted(set(columns) - {"features", *COLUMNS})
        notes = (f"{', '.join(extra)} in {path.name} were not used",) if extra else ()
        samples = _checked(path.stem, *(columns.get(name) for name in ("features", *COLUMNS)), {}, notes, None)
    else:
        raise ValueError(
            f"expected a folder of images, a file ({', '.join(SUFFIXES)}) or one of the data sets "
            f"{', '.join(DATASETS)}; got {source!r}, which is none of these"
        )
    return samples


def samples_of(name: str, features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> Samples:
    """Samples from arrays: features (n, d), labels (n,) of numbers or texts, groups (n,).

    Raises:
        ValueError: for data that cannot be compared on, saying what was expected.
    """
    return _checked(name, features, labels, None, groups, {}, (), None)


def _columns(path: Path, labels: str) -> Mapping[str, Any]:
    try:
        if path.suffix == ".npy":
            return {"features": np.load(path, mmap_mode="r"), "labels": np.load(labels)}
        if path.suffix == ".npz":
            with np.load(path) as file:
                return dict(file)
        if path.suffix == ".pt":
            import torch

            found = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(found, dict):
                raise ValueError(f"a {type(found).__name__} in the place of a dict")
            return {
                name: value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value) for name, value in found.items()
            }
        return _of_parquet(path)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # numpy, torch and pyarrow raise all kinds for a file that is damaged or of another kind
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {error})") from error


def _of_parquet(path: Path) -> Mapping[str, Any]:
    import pandas as pd

    with package("pyarrow"):
        import pyarrow  # noqa: F401  that pandas reads the file with
    table = pd.read_parquet(path)
    numbers = table.drop(columns=[name for name in COLUMNS if name in table]).select_dtypes("number")
    return {"features": numbers.to_numpy()} | {name: table[name].to_numpy() for name in COLUMNS if name in table}


def _of_dataset(name: str, backbone: Backbone, cache: Path) -> Samples:
    data = load(name)
    labels = np.concatenate([data.train.labels.numpy(), data.test.labels.numpy()])
    part = np.array(["train"] * len(data.train) + ["test"] * len(data.test))
    images = np.concatenate([data.train.images.numpy(), data.test.images.numpy()])
    if are_features(name):
        return _checked(name, images, labels, part, None, {}, (), None)
    return _checked(name, features_of_arrays(images, backbone, cache), labels, part, None, {}, (), backbone)


def _checked(
    name: str,
    features: Any,
    labels: Any,
    part: Any,
    groups: Any,
    left_out: dict[str, int],
    notes: tuple[str, ...],
    backbone: Backbone | None,
) -> Samples:
    """After all checks; samples that cannot be used are left out and counted."""
    if features is None or labels is None:
        missing = " and ".join(key for key, value in (("features", features), ("labels", labels)) if value is None)
        raise ValueError(f"expected arrays `features` (n, d) and `labels` (n,) in {name}, {missing} is missing")
    features, labels = np.asanyarray(features), np.asarray(labels)
    if features.ndim != 2 or features.dtype.kind not in "fiub" or not features.size:
        raise ValueError(f"expected features of numbers and shape (n, d), got {features.dtype} of shape {features.shape}")
    if labels.shape != features.shape[:1]:
        raise ValueError(f"expected one label per sample, ({len(features)},), got shape {labels.shape}")
    part = _texts("split", part, len(labels))
    unknown = sorted(set(part.tolist()) - {"", *PARTS})
    if unknown:
        raise ValueError(f"expected a split of {', '.join(PARTS)}, got {', '.join(map(repr, unknown[:5]))}")
    if "" in part and (part != "").any():
        raise ValueError(f"expected a split of every sample or of none, {int((part == '').sum())} have none")
    group = _numbered(np.arange(len(labels)) if groups is None else np.asarray(groups), len(labels))
    left_out, keep = dict(left_out), np.ones(len(labels), dtype=bool)

    def leave_out(bad: np.ndarray, why: str) -> None:
        bad = bad & keep
        if bad.any():
            left_out[why] = left_out.get(why, 0) + int(bad.sum())
            keep[bad] = False

    leave_out(_missing(labels), "no label")
    leave_out(~_finite(features), "features that are not finite")
    texts = labels.astype(str) if labels.dtype.kind not in "iub" else labels
    names, number, counts = np.unique(texts[keep], return_inverse=True, return_counts=True)
    rare = np.zeros(len(labels), dtype=bool)
    rare[np.flatnonzero(keep)[counts[number] < 2]] = True
    leave_out(rare, f"the only sample of its class ({int((counts < 2).sum())} classes)")
    if int((counts >= 2).sum()) < 2:
        raise ValueError(f"expected at least two classes with two samples each, got {int((counts >= 2).sum())} of {len(names)}")
    names, number = np.unique(texts[keep], return_inverse=True)
    whole = bool(keep.all())
    return Samples(
        name,
        features if whole else features[keep],
        number.astype(np.int64),
        tuple(str(one) for one in names.tolist()),
        part if whole else part[keep],
        group if whole else group[keep],
        left_out,
        notes,
        backbone,
    )


def _texts(name: str, values: Any, count: int) -> np.ndarray:
    found = np.full(count, "") if values is None else np.asarray(values).astype(str)
    if found.shape != (count,):
        raise ValueError(f"expected one {name} per sample, ({count},), got shape {found.shape}")
    return found


def _numbered(groups: np.ndarray, count: int) -> np.ndarray:
    if groups.shape != (count,):
        raise ValueError(f"expected one group per sample, ({count},), got shape {groups.shape}")
    return np.unique(groups.astype(str) if groups.dtype.kind == "O" else groups, return_inverse=True)[1].astype(np.int64)


def _missing(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind == "f":
        return np.isnan(labels)
    if labels.dtype.kind == "O":
        return np.array([one is None or one != one for one in labels.tolist()])
    return np.zeros(len(labels), dtype=bool)


def _finite(features: np.ndarray) -> np.ndarray:
    if features.dtype.kind != "f":
        return np.ones(len(features), dtype=bool)
    pieces = (features[start : start + 4096] for start in range(0, len(features), 4096))
    return np.concatenate([np.isfinite(piece).all(1) for piece in pieces])
