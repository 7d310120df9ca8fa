"""Logits of a linear or cosine head, a block of classes at a time, and the gradients that flow back through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lossbook.heads.linear import unit_vectors
from lossbook.losses.fused.autograd import Gradients, as_input
from lossbook.losses.fused.blocks import Precision, block_size, check, product_into


class Products:
    """Inner products with the class vectors, or scaled cosines; a block of logits is ``gain * products + bias``.

    ``features`` are unit vectors already where ``scale`` is given; the class vectors are normalised here, by the gain.
    ``stored`` is the type in which the logits of all classes wait for the second pass of a softmax: that of the wide numbers, or
    where products come back in half precision, that of the products, of which the second pass makes the logits again.
    """

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: float | None,
        precision: Precision,
        needs: Sequence[bool],
        groups: int = 1,
        divisor: int = 1,
    ) -> None:
        self.precision, self.wide, self.weight, self.scale, self.bias = precision, precision.wide, weight, scale, bias
        self.features = precision.operand(features)
        self.divisor, self.share = divisor, 1 / divisor
        self.stored = precision.stored(features.device)
        # A product that comes back in half precision would be divided in a pass of its own: its operand is instead.
        self.shared_features = precision.operand(features * self.share) if self.stored != self.wide else None
        self.inverse_lengths: dict[int, Tensor] = {}
        self._last: tuple[slice, Tensor] | None = None
        self.size = block_size(features.device, -(-len(features) // groups))
        self.length = len(weight)
        wide: dict[str, Any] = {"dtype": precision.wide, "device": features.device}
        needs_features, needs_weight, needs_bias = needs
        self.features_gradient = torch.zeros(features.shape, **wide) if needs_features else None
        # Several groups of samples add to it, so it is float32 or wider then.
        dtype = weight.dtype if groups == 1 else precision.wide
        self.weight_gradient = torch.empty(weight.shape, dtype=dtype, device=weight.device) if needs_weight else None
        self.bias_gradient: Any = torch.zeros(len(weight), **wide) if needs_bias else None

    def restart(self) -> None:
        """Called before every pass over the blocks."""
        self._last = None

    def rows(self, block: slice) -> Tensor:
        """The class vectors as operands, (n, d); those of the last block are kept, as every block is asked for twice."""
        if self._last is None or self._last[0] != block:
            self._last = block, self._operands(block)
        return self._last[1]

    def _operands(self, block: slice) -> Tensor:
        return self.precision.operand(self.weight[block])

    def _inverse_lengths(self, block: slice) -> Tensor:
        """(n, 1), formed once; 0 for a row of zeros, which has cosine 0 with everything and gets no gradient."""
        found = self.inverse_lengths.get(block.start)
        if found is None:
            lengths = torch.linalg.vector_norm(self.rows(block), dim=1, keepdim=True, dtype=self.wide)
            found = self.inverse_lengths[block.start] = torch.where(lengths > 0, 1 / lengths.clamp_min(1e-12), 0.0)
        return found

    def _gain(self, block: slice) -> Tensor | None:
        return None if self.scale is None else self.scale * self._inverse_lengths(block)

    def products(self, block: slice, group: slice, out: Tensor) -> Tensor | None:
        """Writes the block's inner products, (n, b), and returns the gain, (n, 1), if there is one."""
        product_into(self.rows(block), self.features[group].T, out)
        return self._gain(block)

    def logits(self, block: slice, group: slice, out: Tensor) -> Tensor:
        """The block's logits, (n, b), made in ``out`` if it is wide; else ``out`` gets the products."""
        product_into(self.rows(block), self.features[group].T, out)
        return self._from_products(block, out)

    def place(self, block: slice, samples: int) -> Tensor | None:
        """Memory for what :meth:`logits` leaves of a block until its gradient is there: that of the gradient itself, where the
        type of what is stored is smaller and the only group of samples fits in; else None."""
        if self.stored == self.wide or self.weight_gradient is None or samples < len(self.features):
            return None
        rows = (block.stop - block.start) * len(self.weight) // self.length
        start = block.start * len(self.weight) // self.length
        memory = self.weight_gradient[start : start + rows].flatten().view(self.stored)
        size = (block.stop - block.start) * samples
        return memory[:size].view(-1, samples) if size <= len(memory) else None

    def logits_again(self, block: slice, out: Tensor) -> Tensor:
        """The same logits from what :meth:`logits` left in ``out``."""
        return out if out.dtype == self.wide else self._from_products(block, out)

    def _from_products(self, block: slice, products: Tensor) -> Tensor:
        logits, gain = products.to(self.wide), self._gain(block)
        if gain is not None:
            logits.mul_(gain)
        if self.bias is not None:
            logits.add_(self.bias[block].unsqueeze(1))
        return logits

    def pull(self, block: slice, group: slice, gradient: Tensor, logits: Tensor) -> None:
        """Takes the gradient of the block's logits, (n, b), and spoils it."""
        if self.bias_gradient is not None:
            self.bias_gradient[block] += gradient.sum(1)
        gain = self._gain(block)
        if gain is not None:
            gradient.mul_(gain)
        self.pull_products(block, group, gradient)

    def pull_products(self, block: slice, group: slice, gradient: Tensor) -> None:
        """Takes the gradient of the block's inner products, (n, b)."""
        rows, gradient = self.rows(block), gradient.to(self.features.dtype)
        if self.features_gradient is not None:
            product_into(gradient.T, rows, self.features_gradient[group], add=True, factor=self.share)
        if self.weight_gradient is not None:
            target, add = self.weight_gradient[block], group.start > 0
            if self.scale is None:
                self._pull_rows(gradient, group, target, add)
            else:
                pulled = torch.empty(target.shape, dtype=self.wide, device=target.device)
                self._pull_rows(gradient, group, pulled)
                rows = rows.to(self.wide)
                # The part of the gradient along the vector would change its length only, on which no cosine depends.
                along = (pulled * rows).sum(1, keepdim=True) * self._inverse_lengths(block).square()
                pulled.addcmul_(rows, along, value=-1)
                target.add_(pulled) if add else target.copy_(pulled)

    def _pull_rows(self, gradient: Tensor, group: slice, out: Tensor, add: bool = False) -> None:
        """The gradient of the class vectors from that of the inner products."""
        if self.shared_features is None:
            product_into(gradient, self.features[group], out, add, self.share)
        else:
            product_into(gradient, self.shared_features[group], out, add)

    def gradients(self, features: Tensor) -> Gradients:
        """For features, weight and bias, of the loss."""
        if self.bias_gradient is not None:
            self.bias_gradient *= self.share
        return [
            as_input(self.features_gradient, features),
            as_input(self.weight_gradient, self.weight),
            as_input(self.bias_gradient, self.bias),
        ]


def prepared(
    features: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor | None]:
    """Checked: the features, unit vectors for cosines, and the bias, one per class."""
    check(features, weight, labels, soft=True)
    if bias is not None and bias.shape not in ((1,), weight.shape[:1]):
        raise ValueError(f"expected a bias of shape (1,) or ({len(weight)},), got {tuple(bias.shape)}")
    if scale is not None and not scale > 0:
        raise ValueError(f"expected scale > 0, got {scale}")
    return features if scale is None else unit_vectors(features), None if bias is None else bias.expand(len(weight))
