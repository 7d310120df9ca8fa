"""One run on several devices: the backbone's work is divided, the loss sees the whole batch.

Every process draws the same batches and augmentations, sends its shard of the images through the backbone, and then
gathers the features of all shards.  So every process computes the loss on the whole batch.  No loss needs a special
case, even if it has pairs of samples, a memory bank, a random choice of negatives, or a calibration that follows the training.

Gradients: the backward pass of the gathering adds up what the W processes send back.  The backbone's gradients on each shard
are therefore W times too large, and DDP's mean over the processes turns them into the sum over the shards.  The head's
gradients are the same in every process, and so is their mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lossbook.optional import extra
from lossbook.precision import bfloat16_units
from lossbook.runs.spec import RunSpec

with extra("run"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy


def in_bfloat16(mixed_precision: bool) -> bool:
    """Whether runs train in bfloat16 autocast here: on CUDA always, and with ``mixed_precision`` on a CPU with matrix units for
    it."""
    return torch.cuda.is_available() or (mixed_precision and bfloat16_units())


def create_fabric(devices: int, mixed_precision: bool = False) -> Fabric:
    """A Fabric on CUDA, or on the CPU where there is no GPU; several devices are joined by DDP.

    The environment is named, so that Fabric does not look for a cluster: inside a SLURM job it would wait for other
    processes, and where ``srun`` is merely installed it would warn.
    """
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    # Named as a plugin, because a precision given as a word is announced at every run.
    autocast = [MixedPrecision("bf16-mixed", accelerator)] if in_bfloat16(mixed_precision) else []
    return Fabric(
        accelerator=accelerator,
        strategy=DDPStrategy(start_method="spawn", find_unused_parameters=True) if devices > 1 else "auto",
        devices=devices,
        precision=None if autocast else "32-true",
        plugins=[LightningEnvironment(), *autocast],
    )


def check_divisible(spec: RunSpec, devices: int, images: int) -> None:
    """Check that every batch divides evenly among the devices.

    Raises:
        ValueError: if one does not.
    """
    for phase in spec.phases():
        batch = min(phase.batch_size, images)
        if batch % devices:
            raise ValueError(f"batches of {batch} images cannot be divided among {devices} devices: choose another batch_size")


def local_shard(fabric: Fabric, batch: Tensor) -> Tensor:
    """This process's shard of a batch."""
    return batch if fabric.world_size == 1 else batch.unflatten(0, (fabric.world_size, -1))[fabric.global_rank]


def all_gather(fabric: Fabric, shard: Tensor) -> Tensor:
    """The whole batch, from the shard of each process, in its order; gradients flow back to every shard."""
    return shard if fabric.world_size == 1 else fabric.all_gather(shard, sync_grads=True).flatten(0, 1)


def norms_over_whole_batch(fabric: Fabric, backbone: nn.Module) -> nn.Module:
    """Give batch normalisation the statistics of the whole batch, not of one shard.

    On CUDA it becomes ``SyncBatchNorm``.  That does not exist on the CPU, where the norms gather their input instead.
    """
    if fabric.world_size == 1:
        return backbone
    if fabric.device.type == "cuda":
        import lossbook._torchvision  # noqa: F401  cures torchvision, which timm imports

        # isort: split
        from timm.layers import convert_sync_batchnorm

        return convert_sync_batchnorm(backbone)
    for module in backbone.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(lambda norm, inputs: (all_gather(fabric, inputs[0]),) if norm.training else None)
            module.register_forward_hook(lambda norm, _, output: local_shard(fabric, output) if norm.training else None)
    return backbone
