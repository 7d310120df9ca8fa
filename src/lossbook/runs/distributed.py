"""One run on several devices: the backbone's work is divided, the loss sees the whole batch.

Every process draws the same batches and augmentations, sends its share of the images through the backbone, and then
gathers the features of all.  So the loss is computed on the whole batch everywhere, and whatever it is made of stays
right without a special case: pairs of samples, a memory bank, a random choice of negatives, a calibration that follows
the training.

Gradients: gathering adds up in its backward pass what each of W processes sends back, so that the backbone's gradients
come out W times too large on each share; DDP's mean over the processes makes them whole.  The head's are the same in
every process, and so is their mean.
"""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from lossbook.runs.spec import RunSpec


def create_fabric(devices: int) -> Fabric:
    """CUDA with bfloat16 autocast where there is one, else the CPU; with several devices, DDP by processes of its own.

    The environment is named, so that Fabric does not look for a cluster: inside a SLURM job, too, the processes are
    started here, and a machine where ``srun`` is installed is no reason for a warning.
    """
    on_cuda = torch.cuda.is_available()
    return Fabric(
        accelerator="cuda" if on_cuda else "cpu",
        strategy=DDPStrategy(start_method="spawn", find_unused_parameters=True) if devices > 1 else "auto",
        devices=devices,
        precision="bf16-mixed" if on_cuda else "32-true",
        plugins=[LightningEnvironment()],
    )


def check_divisible(spec: RunSpec, devices: int, images: int) -> None:
    """Every device must get equally many images of every batch.

    Raises:
        ValueError: where they would not.
    """
    for phase in spec.phases():
        batch = min(phase.batch_size, images)
        if batch % devices:
            raise ValueError(f"batches of {batch} images cannot be divided among {devices} devices: choose another batch_size")


def local_shard(fabric: Fabric, batch: Tensor) -> Tensor:
    """This process's part of a batch."""
    return batch if fabric.world_size == 1 else batch.unflatten(0, (fabric.world_size, -1))[fabric.global_rank]


def all_gather(fabric: Fabric, part: Tensor) -> Tensor:
    """The batch of which each process has a part, in its order; gradients flow back to every part."""
    return part if fabric.world_size == 1 else fabric.all_gather(part, sync_grads=True).flatten(0, 1)


def norms_over_whole_batch(fabric: Fabric, backbone: nn.Module) -> nn.Module:
    """Batch normalisation with the statistics of the whole batch, not of a share.

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
