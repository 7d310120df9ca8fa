"""Tensors as numpy arrays, for the longhand references."""

from __future__ import annotations

import numpy as np


def rows(tensor) -> np.ndarray:
    """A tensor as float64 numpy."""
    return tensor.detach().cpu().double().numpy()
