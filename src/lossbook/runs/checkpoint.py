"""Checkpoints inside a run: a killed run goes on after the last epoch that was stored, and ends equal to the last bit.

A checkpoint holds the state of model, objective, optimizer and schedule, of both random generators, the curves so far, and
the place in the training.  It is written whole or not at all.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lossbook.files import write_atomically
from lossbook.runs.spec import RunSpec

SECONDS = 60.0  # between two checkpoints, which cost a fraction of a second each
State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """Where the checkpoints of a run lie, and those of the further runs that its suites train.

    Attributes:
        folder: made when the first one is written.
        code: fingerprint of the code; a checkpoint of other code is not gone on from.
    """

    folder: Path
    code: str


class Checkpoint:
    """The checkpoint of one run.

    Args:
        where: None: nothing is stored, and the run starts from the beginning.
        spec: the run.
        in_bfloat16: whether it computes so here; a checkpoint of the other precision is not gone on from.
    """

    def __init__(self, where: Checkpoints | None, spec: RunSpec, in_bfloat16: bool) -> None:
        self._path = None if where is None else where.folder / f"{spec.run_id}.pt"
        self._of = None if where is None else {"spec": spec.canonical_json(), "code": where.code, "in_bfloat16": in_bfloat16}
        self._written = time.monotonic()

    def load(self) -> State | None:
        """The state that was stored last; None if there is none of this run, code and precision."""
        if self._path is None or not self._path.is_file():
            return None
        content = torch.load(self._path, map_location="cpu", weights_only=True)
        return content["state"] if content["of"] == self._of else None

    def save(self, state: Callable[[], State]) -> None:
        """Store a state, unless the last one was stored less than ``SECONDS`` ago."""
        if self._path is None or time.monotonic() - self._written < SECONDS:
            return
        content = io.BytesIO()
        torch.save({"of": self._of, "state": state()}, content)
        write_atomically(self._path, content.getvalue())
        self._written = time.monotonic()


def state_of(parts: dict[str, Any], order: torch.Generator, device: torch.device) -> State:
    """The states of modules, optimizers and schedulers by name, and of the generators: ``order`` and torch's own."""
    random = [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]
    return {name: part.state_dict() for name, part in parts.items()} | {"order": order.get_state(), "random": random}


def restore(state: State, parts: dict[str, Any], order: torch.Generator, device: torch.device) -> None:
    """Give the parts and the generators the states of :func:`state_of`."""
    for name, part in parts.items():
        part.load_state_dict(state[name])
    order.set_state(state["order"])
    torch.set_rng_state(state["random"][0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["random"][1], device)


def save_weights(path: Path, backbone: nn.Module, objective: nn.Module, spec: RunSpec) -> None:
    """Write trained weights as safetensors: ``backbone.*`` and ``objective.*`` by their names in the state_dicts, and the
    spec's canonical JSON as metadata.

    ``load_state_dict`` of :func:`lossbook.models.create_model`'s backbone takes the former without their prefix.
    """
    from safetensors.torch import save

    parts = {"backbone": backbone, "objective": objective}
    tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
    own = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    write_atomically(path, save(own, {"spec": spec.canonical_json()}))
