"""In which precision heads and losses compute."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision widened to float32, anything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
