"""A loss that brings its own gradients, as torch's autograd sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Gradients = list[Tensor | None]
# (which inputs need a gradient, the inputs) to the values, the loss first, and the gradients
Form = Callable[..., tuple[tuple[Tensor, ...], Gradients]]


class _OnePass(torch.autograd.Function):
    """The loss and its gradients from one call of ``form``; the first backward takes the gradients with it, so that they
    exist once.  A second backward, through a retained graph, forms them anew."""

    @staticmethod
    def forward(ctx: Any, form: Form, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        values, ctx.gradients = form(ctx.needs_input_grad[1:], *inputs)
        ctx.form = form
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(*values[1:])
        return values

    @staticmethod
    def backward(ctx: Any, pull: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused losses have no second derivatives (create_graph=True): take the plain loss of head(features)"
            )
        inputs = ctx.saved_tensors
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            with torch.autocast(pull.device.type, enabled=False):
                _, gradients = ctx.form(ctx.needs_input_grad[1:], *inputs)
        # On CUDA the comparison would wait for the device.
        if pull.device.type != "cpu" or pull != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(pull)
        return None, *gradients


def one_pass(form: Form, *inputs: Tensor | None) -> tuple[Tensor, ...]:
    """The values, the loss first."""
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in inputs):
            return _OnePass.apply(form, *inputs)
        with torch.no_grad():
            return form((False,) * len(inputs), *inputs)[0]


def as_input(gradient: Tensor | None, like: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.to(like.dtype)
