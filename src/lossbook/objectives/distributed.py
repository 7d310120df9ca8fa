"""State that follows the batches of a training, where several processes share the work."""

from __future__ import annotations

from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lossbook.losses.fused.autograd import transformed


class FollowsBatches(nn.Module):
    """A module that may keep state about the batches that it is trained on: a memory bank, class means, calibration.

    Attributes:
        synchronized: what a batch is where several processes train, see :meth:`synchronize`; None: nobody has said it.
    """

    synchronized: bool | None = None

    def synchronize(self, gather: bool = True) -> Self:
        """Say what this process's batches are, where several processes train together.

        Args:
            gather: True for ``DistributedDataParallel`` and what is built on it, where each process has batches of its own:
                in training the state then follows the batches of all processes, in the order of their ranks, and a weighted
                mean (by weights, or by ``ignore_index``) is one over the joint batch.  False where each process is given
                the joint batch, or its state shall follow its own batches.

        The loss of a process is that of its own samples: DDP's mean over the processes is the loss of the joint batch, if each
        has as many samples.  Losses of pairs (and ``proxy-anchor``) compare the samples within a process only.  Random choices
        are each process's own.  All processes must take each training step together,
        and where the state follows the batches, each needs a sample that is not ignored.

        A parameter that the loss does not reach yet (the projector of ``bce3s`` in the first epoch) gets a gradient of 0, as
        DDP waits for one of each parameter.  An optimizer's weight decay then acts on it, as it does not in one process, where
        it has none; with ``find_unused_parameters=True`` and ``lambda_ss=0`` it would do so as well.
        """
        for module in self.modules():
            if isinstance(module, FollowsBatches):
                module.synchronized = gather
        return self

    def _gathers(self) -> bool:
        """Whether the batches of several processes are to be put together."""
        if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
            return False
        if self.synchronized is None:
            raise RuntimeError(
                f"the state of {type(self).__name__} follows the batches, and {dist.get_world_size()} processes train: call "
                "objective.synchronize() for batches of the processes' own (DistributedDataParallel), or "
                "objective.synchronize(gather=False) if each process is given the joint batch"
            )
        return self.synchronized

    def _of_all_processes(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """What the state follows: the parts (B, ...) of this process, or of all processes one after the other.  No gradient.

        Raises:
            RuntimeError: under ``torch.func``, which hands no state on; or if nobody has called :meth:`synchronize`.
        """
        if transformed(*parts):
            raise RuntimeError(
                f"the state of {type(self).__name__} follows the batches in training, and torch.func has no place to keep it: "
                "call objective.eval() first"
            )
        return tuple(map(_gathered, parts)) if self._gathers() else parts

    def _in_proportion(self, loss: Tensor, weight: Tensor | None) -> Tensor:
        """A process's weighted mean times its share of the processes' weight, so that DDP's mean of the losses is the weighted
        mean over the joint batch; without weights it is that already."""
        if weight is None or not self._gathers():
            return loss
        total = weight.clone()
        dist.all_reduce(total)
        return loss * (dist.get_world_size() * weight / total.clamp_min(torch.finfo(total.dtype).tiny))


@torch.no_grad()
def _gathered(part: Tensor) -> Tensor:
    """(B, ...) of every process, one after the other; their numbers of samples may differ."""
    size = torch.tensor([len(part)], device=part.device)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    lengths = [int(size) for size in sizes]
    padded = part.new_zeros(max(lengths), *part.shape[1:])
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(parts, padded)
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])
