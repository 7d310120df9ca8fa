"""What a training loop has told an objective that changes in the course of the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn

Hook = Literal["start_epoch", "after_step"]

_WHEN: dict[Hook, str] = {
    "start_epoch": "start_epoch(epoch, epochs) before the first batch of every epoch",
    "after_step": "after_step() after every optimizer step (objective.attach(optimizer) makes the optimizer do it)",
}


class Schedule(nn.Module):
    """The place in the training that the hooks have told, and the refusal to go on where they are silent.

    An objective has one if it needs a hook.  Everything in it that a resumed training needs is in its state_dict.

    Args:
        hooks: the hooks that the objective needs.
        share: (epoch, epochs) to the share of a term, which the objective reads as ``schedule.share``.  None: always 1.
        turns: the steps after which ``turn`` is 0 again.

    Attributes:
        epoch, epochs: the last arguments of ``start_epoch``; None until it is called.
        share: 1 until ``start_epoch`` is called.
        turn: 0, 1, ... ``turns - 1``: the number of steps, modulo ``turns``.
    """

    def __init__(self, *hooks: Hook, share: Callable[[int, int], float] | None = None, turns: int = 1) -> None:
        super().__init__()
        self.hooks = hooks
        self.epoch: int | None = None
        self.epochs: int | None = None
        self.share = 1.0
        self.turn = 0
        self._share_of, self._turns = share, turns
        self._version: int | None = None  # of the parameters at the last forward in training
        self._steps_alone = 0  # steps seen since ``after_step`` was last called
        self.register_load_state_dict_post_hook(_forget_version)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Take note of a new epoch.

        Raises:
            ValueError: unless 0 <= epoch < epochs; a loop that counts steps has no number of epochs.
        """
        if not 0 <= epoch < epochs:
            raise ValueError(f"expected start_epoch(epoch, epochs) with 0 <= epoch < epochs, got {epoch} and {epochs}")
        self.epoch, self.epochs = epoch, epochs
        self.share = 1.0 if self._share_of is None else self._share_of(epoch, epochs)

    def after_step(self) -> None:
        """Take note of an optimizer step."""
        self.turn = (self.turn + 1) % self._turns
        self._version, self._steps_alone = None, 0

    def check(self, name: str, parameters: Iterator[nn.Parameter]) -> None:
        """Called in each forward of the training: look whether the loop calls the hooks.

        A step is seen by the parameters' version numbers, which optimizers raise: without a look at the device, and for any
        number of forward passes per step.  One change without ``after_step`` passes, because there are optimizers (SAM) that
        compute a second loss at moved parameters within one step.  A compiled forward is not checked.

        Raises:
            RuntimeError: if the parameters have been stepped, but a hook that the objective needs has not been called.
        """
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        version = 0
        for parameter in parameters:
            if not isinstance(parameter, nn.Parameter):
                return  # torch.func computes with other tensors in the parameters' place
            version += parameter._version
        if self._version is not None and version != self._version:
            self._steps_alone += 1
            if "start_epoch" in self.hooks and self.epoch is None:
                raise RuntimeError(_missing(name, "start_epoch", self.hooks))
            if "after_step" in self.hooks and self._steps_alone > 1:
                raise RuntimeError(_missing(name, "after_step", self.hooks))
        self._version = version

    def get_extra_state(self) -> Tensor:
        """Epoch, epochs (-1: not told yet) and turn.  A tensor, as safetensors and ``weights_only`` loading want it."""
        told = (-1, -1) if self.epoch is None else (self.epoch, self.epochs)
        return torch.tensor([*told, self.turn], device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        epoch, epochs, self.turn = state.tolist()
        self.epoch = self.epochs = None
        self.share = 1.0
        if epoch >= 0:
            self.start_epoch(epoch, epochs)

    def __getstate__(self) -> dict[str, object]:
        """For copies and pickles, whose parameters count their versions anew."""
        return self.__dict__ | {"_version": None}

    def extra_repr(self) -> str:
        return ", ".join(self.hooks)


def _forget_version(schedule: Schedule, _keys: object) -> None:
    """Loading a state changes the parameters too: that is no step."""
    schedule._version = None


def _missing(name: str, hook: Hook, hooks: tuple[Hook, ...]) -> str:
    return (
        f"{name} changes in the course of the training and would train another loss here: the parameters have been stepped, but "
        f"its hook {hook} has not been called.  Call {_WHEN[hook]}, or train with a callback of lossbook.integrations (Lightning, "
        f"Hugging Face Trainer).  It needs: {', '.join(hooks)}"
    )
