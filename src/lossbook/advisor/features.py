"""Features on disk, standardised batch by batch, so that they need not fit in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LENGTH = 10.0  # root of the mean squared length of standardised features
IN_MEMORY = 1 << 30  # bytes of float32; what is larger is read in pieces
_PIECE = 4096  # samples


@dataclass(frozen=True)
class Standard:
    r"""Features to mean 0 and the same variance in every direction of the training samples:
    :math:`x \mapsto (x - m) \odot s`, with a mean squared length of :data:`LENGTH` squared.

    Attributes:
        mean: m, (d,).
        scale: s, (d,), 0 where a feature is constant.
    """

    mean: Tensor
    scale: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) * self.scale

    @classmethod
    def of(cls, features: np.ndarray, index: np.ndarray) -> Standard:
        """From the samples of an index, in pieces, in float64."""
        index = np.sort(index)
        shift = np.asarray(features[index[0]], dtype=np.float64)  # keeps digits where the mean is far from 0
        total, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
        for start in range(0, len(index), _PIECE):
            piece = np.asarray(features[index[start : start + _PIECE]], dtype=np.float64) - shift
            total += piece.sum(0)
            squares += np.square(piece).sum(0)
        mean = total / len(index)
        variance = (squares / len(index) - mean**2).clip(0)
        alive = variance > 1e-12 * max(float(variance.max()), np.finfo(np.float64).tiny)
        scale = np.where(alive, LENGTH / np.sqrt(np.where(alive, variance, 1.0) * max(int(alive.sum()), 1)), 0.0)
        return cls(torch.from_numpy(mean + shift).float(), torch.from_numpy(scale).float())


class Rows:
    """Standardised features of some samples, by their place in an index: (B,) -> (B, d) float32."""

    def __init__(self, features: np.ndarray, index: np.ndarray, standard: Standard) -> None:
        self.standard, self.features, self.index = standard, features, index
        small = len(index) * features.shape[1] * 4 <= IN_MEMORY
        self.kept = standard(_floats(features[index])) if small else None

    def __len__(self) -> int:
        return len(self.index)

    def __call__(self, places: Tensor) -> Tensor:
        if self.kept is not None:
            return self.kept[places]
        return self.standard(_floats(self.features[self.index[places.numpy()]]))

    def pieces(self) -> list[Tensor]:
        """The places of all samples, some thousand at a time."""
        return list(torch.arange(len(self)).split(_PIECE))


def _floats(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def open_features(path: Path) -> np.ndarray:
    """The features of a ``.npy`` file: in memory where they are small, else read piece by piece when they are asked for."""
    features = np.load(path, mmap_mode="r")
    return features if features.nbytes > IN_MEMORY else np.asarray(features)
