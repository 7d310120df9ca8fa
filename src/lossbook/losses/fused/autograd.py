"""A loss that brings its own gradients, as torch's autograd sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

Gradients = list[Tensor | None]


class Values(NamedTuple):
    """What a pass gives besides the gradients.

    Attributes:
        loss: the sum of the samples' losses, each times its factor; a scalar.
        losses: the samples' losses, (B,); None where nothing asked for them.
        others: whatever else the function that runs the pass wants to know.
    """

    loss: Tensor
    losses: Any
    others: tuple[Tensor, ...] = ()


# (which inputs need a gradient, the samples' factors, the inputs) to the values and the gradients
Form = Callable[..., tuple[Values, Gradients]]


class _OnePass(torch.autograd.Function):
    """The loss and its gradients from one call of ``form``; the first backward takes the gradients with it, so that they
    exist once.  A second backward, through a retained graph, forms them anew, as does the only one of losses per sample: their
    gradients depend on what comes back for every sample."""

    @staticmethod
    def forward(
        ctx: Any, form: Form, factors: Tensor | None, per_sample: bool, *inputs: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        needs = ctx.needs_input_grad[3:]
        values, ctx.gradients = form((False,) * len(needs) if per_sample else needs, factors, *inputs)
        if per_sample:
            ctx.gradients = None
        ctx.form, ctx.factors, ctx.per_sample = form, factors, per_sample
        ctx.save_for_backward(*inputs)
        others = [tensor for tensor in (values.losses, *values.others) if tensor is not None]
        ctx.mark_non_differentiable(*others)
        return values.losses * factors if per_sample else values.loss, values.losses, *values.others

    @staticmethod
    def backward(ctx: Any, pull: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused losses have no second derivatives (create_graph=True): take the plain loss of head(features)"
            )
        inputs = ctx.saved_tensors
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            factors = pull * ctx.factors if ctx.per_sample else ctx.factors
            with torch.autocast(pull.device.type, enabled=False):
                _, gradients = ctx.form(ctx.needs_input_grad[3:], factors, *inputs)
        # On CUDA the comparison would wait for the device.
        if not ctx.per_sample and (pull.device.type != "cpu" or pull != 1):
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(pull)
        return None, None, None, *gradients


def transformed(*tensors: Tensor | None) -> bool:
    """Whether a transform of ``torch.func``, which these functions have no form for, is at work on one of the tensors.

    It is False in what ``torch.compile`` traces, as the question cannot be asked there.
    """
    if torch.compiler.is_compiling():
        return False
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
    return any(tensor is not None and wrapped(tensor) for tensor in tensors)


def one_pass(form: Form, factors: Tensor | None, per_sample: bool, *inputs: Tensor | None) -> Values:
    """The values, the loss with its gradients: (B,) if ``per_sample``, else a scalar.

    Raises:
        RuntimeError: under a transform of ``torch.func``, and in the backward of a second derivative.
    """
    if transformed(*inputs):
        raise RuntimeError("the fused losses have no form under torch.func: take the plain loss of head(features)")
    assert inputs[0] is not None
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in inputs):
            loss, losses, *others = _OnePass.apply(form, factors, per_sample, *inputs)
            return Values(loss, losses, tuple(others))
        with torch.no_grad():
            values, _ = form((False,) * len(inputs), factors, *inputs)
            return values._replace(loss=values.losses * factors) if per_sample else values


def as_input(gradient: Tensor | None, like: Tensor | None) -> Tensor | None:
    return None if gradient is None or like is None else gradient.to(like.dtype)
