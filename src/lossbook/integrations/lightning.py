"""A callback for Lightning's Trainer."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch.utils.hooks import RemovableHandle

from lossbook.integrations.find import objectives_with_hooks
from lossbook.objectives.objective import Objective
from lossbook.optional import package

with suppress(ModuleNotFoundError):  # lightning imports torchvision where it is installed, and this cures it
    import lossbook._torchvision  # noqa: F401
with package("lightning"):
    from lightning.pytorch import Callback, LightningModule, Trainer


class LossbookCallback(Callback):
    """Calls the hooks of all objectives in the LightningModule.

    ``after_step`` follows the steps of the optimizer that holds the objective's parameters, so it is called once per step with
    ``accumulate_grad_batches`` too, and in manual optimization.

    .. code-block:: python

        Trainer(max_epochs=10, callbacks=[LossbookCallback()]).fit(module)
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._handles = [
            objective.attach(_optimizer_of(objective, trainer.optimizers)) for objective in objectives_with_hooks(pl_module)
        ]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for objective in objectives_with_hooks(pl_module):
            objective.start_epoch(trainer.current_epoch, trainer.max_epochs or 0)  # 0, like -1: there is no last epoch

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Also after an error: the next training attaches anew."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _optimizer_of(objective: Objective, optimizers: list[torch.optim.Optimizer]) -> torch.optim.Optimizer:
    """The first optimizer with a parameter of the objective; the first of all where the objective is frozen."""
    own = {id(parameter) for parameter in objective.parameters()}
    for optimizer in optimizers:
        if any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"]):
            return optimizer
    return optimizers[0]
