"""Cached features of a frozen, pretrained backbone: vectors (n, 1280) in the place of images.

``lossbook.data.extract`` computes them once; here they are read.  The folder's name has a hash over all that they depend on
(the images, the weights, the size of the input, the precision), so features of anything else are simply not found.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from lossbook.data.hashes import SHA256

BACKBONE = "efficientnet_lite0"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 96  # pixels that the backbone sees
PRECISION = "bfloat16"  # of its convolutions; the pooled features are kept in float16
CHUNK = 1000  # images a file
# Data sets whose features can be had: images that train, images that test.  Those without the former are unknown sets.
COUNTS = {
    "cifar100": {"train": 50_000, "test": 10_000},
    "fashion-mnist": {"train": 60_000, "test": 10_000},
    "omniglot": {"train": 24_345, "test": 8_115},
    "cifar10": {"test": 10_000},
    "gtsrb": {"test": 1_500},
}


def features_name(dataset: str) -> str:
    """The name under which a run spec asks for the features of a data set."""
    return f"{dataset}-{BACKBONE}"


def features_hash(dataset: str) -> str:
    """12 hex digits over the images and labels, the weights, the size of the input and the precision."""
    images = {part: SHA256[dataset][part] for part in COUNTS[dataset]}
    settings = [images, WEIGHTS_SHA256, SIDE, PRECISION]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def features_folder(root: Path, dataset: str) -> Path:
    """Where a data set's features lie below the folder of all data."""
    return root / "features" / f"{features_name(dataset)}-{features_hash(dataset)}"


def chunk_files(root: Path, dataset: str, part: str) -> list[Path]:
    """The files of the training or the test images, in order."""
    count = -(-COUNTS[dataset][part] // CHUNK)
    return [features_folder(root, dataset) / f"{part}-{k:03d}.npz" for k in range(count)]


def read_features(root: Path, dataset: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 1280) float32 and labels (n,); a zip archive's own checksums find a damaged file.

    Raises:
        FileNotFoundError: if they have not been computed, or not all of them.
        ValueError, zipfile.BadZipFile: for a damaged file, or one with fewer vectors than it should have.
    """
    chunks = []
    for path in chunk_files(root, dataset, part):
        with np.load(path) as file:
            chunks.append((file["features"], file["labels"]))
    features, labels = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    if len(labels) != COUNTS[dataset][part]:
        raise ValueError(f"{len(labels):,} {part} vectors, expected {COUNTS[dataset][part]:,}")
    return features.astype(np.float32), labels
