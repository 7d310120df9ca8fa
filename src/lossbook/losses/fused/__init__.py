r"""Head and loss in one pass, for many classes: the logits (B, N) of a batch never exist.

A head of :math:`N` class vectors and the loss of its logits take three matrix products, :math:`6 B N d` flops.  Everything
between the products (logits, targets, terms, their gradients) is a (B, N) tensor.  Here the forward forms the loss *and* its
gradients, and the backward hands them over.

- The terms of a binary cross entropy see one class each, so blocks of classes suffice (``binary``; on CUDA
  ``binary_triton``).
- A softmax needs the sums over all classes first: groups of samples, each with one (N, group) buffer of at most a quarter
  of the weight's size, worked through in blocks of classes that fit a cache (``softmax``).

Further modules say what the logits are: inner products and cosines (``products``), Euclidean distances
(``distances``), inner products with sampled sub-centres (``subcenters``).  ``autograd`` hands a loss and its gradients to
torch, ``blocks`` cuts classes and samples and multiplies, ``samples`` holds what is known of the single samples.

All losses are those of the functions they are named after up to the order of the sums (a relative 1e-5 in float32, 1e-12 in
float64) and compute half precision in float32.  All take ``reduction`` and ``sample_weight``, soft targets where the function
that they are named after does, and ``details``, a :class:`~lossbook.losses.fused.samples.Details` that they fill with what a
training step would form the logits again for: every sample's loss and prediction, and how many predictions are right.

Under autocast the operands of the products are rounded to its type.  On CUDA, and on a CPU with units for bfloat16 (Intel's
AMX), the products are also made in that type; there those of a CPU come back rounded to bfloat16, as they do from
``F.linear``, and everything else is float32.  Exponentials below 1e-31 (float32) are taken as 0, as some cores need a hundred
times as long for the denormal numbers that come of them.

Gradients that autograd does not ask for are not formed, under ``torch.no_grad`` and ``torch.inference_mode`` none at all.
``create_graph=True`` and the transforms of ``torch.func`` are an error, and ``torch.compile`` breaks the graph at these
functions.

All raise ``ValueError`` / ``TypeError`` for a wrong shape, dtype or label, see
:func:`~lossbook.losses.checks.check_logits_labels`.
"""

from __future__ import annotations

from torch import Tensor

from lossbook.heads.linear import CosineHead, Head
from lossbook.heads.protocol import AnyHead

# From this number of classes on the objectives use these functions.  Here they save memory, and under a binary cross entropy
# time too; with fewer classes they cost time, and with 100,000 they save time under a softmax as well (benchmarks/fused.py).
LARGE = 10_000


def many(head: AnyHead) -> bool:
    """Whether the head has enough classes for these functions to pay."""
    return len(head.weight) >= LARGE


def inputs(head: Head) -> dict[str, Tensor | float | None]:
    """A linear or cosine head as arguments of the functions here."""
    return {
        "weight": head.weight,
        "bias": None if head.bias is None else head.bias_sign * head.bias,
        "scale": head.scale if isinstance(head, CosineHead) else None,
    }
