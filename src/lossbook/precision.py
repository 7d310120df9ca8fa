"""In which precision heads, losses and metrics compute."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

# The types of devices that have no float64.
WITHOUT_FLOAT64 = frozenset({"mps"})


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision widened to float32, anything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def widest(device: torch.device) -> torch.dtype:
    """The widest floating type of the device: float64, or float32 where there is none."""
    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64


@functools.cache
def bfloat16_units() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 in units of their own (AMX), several times as fast as float32."""
    return torch.cpu._is_amx_tile_supported()


def vanishing(dtype: torch.dtype) -> float:
    r"""The exponent below which :math:`e^x` is taken as 0: from there on up, its products with numbers of at least the rounding
    error of 1 are normal.  Some CPUs need a hundred times as long for denormal numbers.

    Example:
        >>> round(vanishing(torch.float32), 1)  # e^x is 1e-31
        -71.4
    """
    return math.log(torch.finfo(dtype).tiny / torch.finfo(dtype).eps)


def without_vanishing_(exponents: Tensor) -> Tensor:
    """Exponents below :func:`vanishing` become minus infinity in place, so that their exponential is 0 and never denormal."""
    threshold_ = torch.nn.functional.threshold_  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    return threshold_(exponents, vanishing(exponents.dtype), -torch.inf)


def wide(values: Tensor) -> Tensor:
    """Values in the :func:`widest` dtype of their device."""
    return values.to(widest(values.device))
