r"""Class means as a code: how often a class is decided right.

A sample is :math:`h = \mu_y + \zeta` with normal noise :math:`\zeta` of variance 1, all N classes are equally likely, and the
nearest mean decides.  :math:`E` is the mean of the squared lengths of the class means.
"""

from __future__ import annotations

import math

import torch


def _check(classes: int, energy: float) -> None:
    if classes < 3 or energy < 0:
        raise ValueError(f"expected at least 3 classes and an energy of at least 0, got {classes} and {energy}")


def simplex_right(classes: int, energy: float) -> float:
    r"""A simplex, all means of length :math:`\sqrt E`.

    .. math:: \int \varphi(x)\, \Phi\bigl(x + \sqrt{E N / (N-1)}\bigr)^{N-1} dx

    It is the probability for N orthogonal means of squared length :math:`E N / (N-1)`, which are a simplex around their mean.

    Args:
        classes: N, at least 3.
        energy: E.

    Raises:
        ValueError: for fewer classes or a negative energy.
    """
    _check(classes, energy)
    x = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    density = (-x.square() / 2).exp() / math.sqrt(2 * math.pi)
    others = torch.special.ndtr(x + math.sqrt(energy * classes / (classes - 1))) ** (classes - 1)
    return torch.trapezoid(density * others, x).item()


def poles_right(classes: int, energy: float) -> float:
    r"""Two opposite means of length :math:`\sqrt{E N / 2}`, all others 0; of these, one can be decided.

    .. math:: \frac{1}{N} \Bigl(4\, \Phi\bigl(\sqrt{E N / 8}\bigr) - 1\Bigr)

    Args and errors are those of :func:`simplex_right`.
    """
    _check(classes, energy)
    return (4 * torch.special.ndtr(torch.tensor(energy * classes / 8, dtype=torch.float64).sqrt()).item() - 1) / classes
