"""What every head is, for type checkers."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class AnyHead(Protocol):
    """A module from features (B, d) to logits (B, N)."""

    @property
    def weight(self) -> Tensor:
        """Class vectors, (N, d)."""
        ...

    @property
    def bias(self) -> Tensor | None:
        """None, one for all classes (1,), or one per class (N,)."""
        ...

    def __call__(self, features: Tensor) -> Tensor:
        """Logits."""
        ...

    def similarities(self, features: Tensor) -> Tensor:
        """Without the bias, (B, d) -> (B, N)."""
        ...

    def threshold(self) -> Tensor:
        """The threshold on the similarities that the bias stands for: a scalar, or (N,)."""
        ...
