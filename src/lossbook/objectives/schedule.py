"""What a training loop has told an objective that changes in the course of the training."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

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
        self._resumed = False  # the state was loaded, and no epoch has started since
        self._stepped = False
        self._steppers: set[int] = set()  # the optimizers (id) that have made a step since the last ``after_step``

    def start_epoch(self, epoch: int, epochs: int) -> bool:
        """Take note of an epoch.

        Returns:
            Whether it is a new one: a training that was stored in mid-epoch and resumed goes on with the same.

        Raises:
            ValueError: unless 0 <= epoch < epochs; a loop that counts steps has no number of epochs.
        """
        if not 0 <= epoch < epochs:
            raise ValueError(f"expected start_epoch(epoch, epochs) with 0 <= epoch < epochs, got {epoch} and {epochs}")
        new = not self._resumed or (epoch, epochs) != (self.epoch, self.epochs)
        self.epoch, self.epochs, self._resumed = epoch, epochs, False
        self.share = 1.0 if self._share_of is None else self._share_of(epoch, epochs)
        return new

    def after_step(self) -> None:
        """Take note of an optimizer step; nothing where the loop and an attached optimizer both tell the same one."""
        if self._stepped and not self._steppers:
            return
        self.turn = (self.turn + 1) % self._turns
        self._steppers.clear()

    def before_step(self, optimizer: torch.optim.Optimizer, name: str) -> None:
        """Let the optimizer make its step, or refuse its second one without a hook that the objective needs.

        Raises:
            RuntimeError: naming the objective, the hook, and the ways to call it.
        """
        missing: Hook | None = None
        if "start_epoch" in self.hooks and self.epoch is None and self._stepped:
            missing = "start_epoch"
        elif "after_step" in self.hooks and id(optimizer) in self._steppers:
            missing = "after_step"
        if missing is not None:
            raise RuntimeError(
                f"the objective {name!r} changes in the course of the training and would train another loss here: an optimizer "
                f"makes its second step, but the hook {missing} has not been called.  Call {_WHEN[missing]}, or train with a "
                f"callback of lossbook.integrations (Lightning, Hugging Face Trainer).  It needs: {', '.join(self.hooks)}"
            )
        self._stepped = True
        self._steppers.add(id(optimizer))

    def get_extra_state(self) -> Tensor:
        """Epoch, epochs (-1: not told yet) and turn.  A tensor, as safetensors and ``weights_only`` loading want it."""
        epoch, epochs = (-1 if told is None else told for told in (self.epoch, self.epochs))
        return torch.tensor([epoch, epochs, self.turn], device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        epoch, epochs, self.turn = state.tolist()
        self.epoch, self.epochs, self.share = None, None, 1.0
        if epoch >= 0:
            self.start_epoch(epoch, epochs)
        self._resumed = True
        self._stepped = False
        self._steppers.clear()

    def extra_repr(self) -> str:
        return ", ".join(self.hooks)


class Scheduled(Protocol):
    """What is watched: an objective."""

    name: str
    schedule: Schedule | None

    def parameters(self) -> Iterator[nn.Parameter]: ...


_watched: weakref.WeakSet[Scheduled] = weakref.WeakSet()


def watch(objective: Scheduled) -> None:
    """Have every optimizer ask the objective's schedule before it steps the objective's parameters.

    The question is asked where the steps are made, not in ``forward``: so it reaches compiled objectives, costs no look at the
    device, and is right for any number of forward passes per step (accumulated gradients, closures).  An optimizer that is no
    ``torch.optim.Optimizer``, or whose own step is compiled, does not ask, nor does one that has none of the objective's
    parameters: a frozen objective that is a loss for the network alone needs its hooks and is not refused without them.
    """
    _watched.add(objective)
    _ask_before_steps()


@functools.cache
def _ask_before_steps() -> None:
    """Once per process."""
    register_optimizer_step_pre_hook(_before_step)


def _before_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    if torch.compiler.is_compiling():
        return
    watched = [objective for objective in _watched if objective.schedule is not None]
    if not watched:
        return
    stepped = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for objective in watched:
        if objective.schedule is not None and any(id(parameter) in stepped for parameter in objective.parameters()):
            objective.schedule.before_step(optimizer, objective.name)
