"""A callback for the Hugging Face Trainer."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from lossbook.integrations.find import objectives_with_hooks
from lossbook.optional import package

with suppress(ModuleNotFoundError):  # transformers imports torchvision where it is installed, and this cures it
    import lossbook._torchvision  # noqa: F401
with package("transformers"):
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class LossbookCallback(TrainerCallback):
    """Calls the hooks of all objectives in the model.

    .. code-block:: python

        Trainer(model, args, train_dataset=data, callbacks=[LossbookCallback()]).train()
    """

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        done = state.epoch or 0.0
        epoch = int(done)
        # Where the data set has no length, the Trainer does not know how many epochs its steps will make.
        epochs = 0 if state.num_train_epochs == sys.maxsize else state.num_train_epochs
        for objective in objectives_with_hooks(kwargs["model"]):
            told = objective.schedule.epoch if objective.schedule is not None else None
            if done > epoch and told == epoch:
                continue  # resumed in mid-epoch, with the state of an objective that is in it already
            objective.start_epoch(epoch, epochs)

    def on_optimizer_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        for objective in objectives_with_hooks(kwargs["model"]):
            objective.after_step()
