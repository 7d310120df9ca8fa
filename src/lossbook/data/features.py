"""Cached features of a frozen, pretrained backbone: vectors (n, 1280) in the place of images.

``lossbook.data.extract`` computes them once; here they are read.  The folder's name has a hash over all that they depend on
(the images, the weights, the size of the input, the precision), so features of anything else are simply not found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lossbook.data.dataset import DataSet, Split, data_dir
from lossbook.data.feature_names import features_name

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 96  # pixels that the backbone sees
PRECISION = "bfloat16"  # of its convolutions; the pooled features are kept in float16
CHUNK = 1000  # images per file


@dataclass(frozen=True)
class FeatureCache:
    """The features of one data set's images on disk.

    Attributes:
        images: name of the data set.
        sha256: part -> content hash of the images; an unknown set has the part ``"test"`` only.
        counts: part -> number of images.
    """

    images: str
    sha256: dict[str, str]
    counts: dict[str, int]

    @property
    def name(self) -> str:
        """What run specs call these features."""
        return features_name(self.images)

    @property
    def cure(self) -> str:
        """How missing files are made."""
        return f"compute it: lossbook features {self.images}"

    @property
    def folder(self) -> str:
        """Below the folder of all data.  Its hash is over the images and labels, the weights, the size of the input and
        the precision."""
        settings = [{part: self.sha256[part] for part in self.counts}, WEIGHTS_SHA256, SIDE, PRECISION]
        return f"features/{self.name}-{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]}"

    def files(self, part: str) -> list[Path]:
        """The files of the training or the test images, in order."""
        return [data_dir() / self.folder / f"{part}-{k:03d}.npz" for k in range(-(-self.counts[part] // CHUNK))]

    def read(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, 1280) float32 and labels (n,); a zip archive's own checksums find a damaged file.

        Raises:
            FileNotFoundError: if they have not been computed, or not all of them.
            ValueError, zipfile.BadZipFile: for a damaged file, or one with fewer vectors than it should have.
        """
        chunks = []
        for path in self.files(part):
            with np.load(path) as file:
                chunks.append((file["features"], file["labels"]))
        features, labels = (np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
        if len(labels) != self.counts[part]:
            raise ValueError(f"{len(labels):,} {part} vectors, expected {self.counts[part]:,}")
        return features.astype(np.float32), labels


def features_of(cache: FeatureCache, num_classes: int) -> DataSet:
    """Cached features as a data set that runs can train on."""

    def read(parts: Sequence[str]) -> tuple[Split, ...]:
        import torch  # here, so that listing the data sets is quick

        return tuple(Split(*map(torch.from_numpy, cache.read(part))) for part in parts)

    return DataSet(cache.name, num_classes, read, cache.cure, folders=(cache.folder,), counts=cache.counts)
