"""What a run is: :class:`RunSpec`, its canonical JSON and its id.  No torch here, so listing runs is instant."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run.  ``train(spec)`` is a pure function of it.

    Attributes:
        objective: name in the registry, e.g. ``"bce-nu"`` (``lossbook list``).
        objective_args: further arguments of ``create_objective``, e.g. ``{"scale": 96.0}``.
        dataset: name of a data set, e.g. ``"mnist5k"``.
        classes: train and test on these classes only, relabelled 0..k-1 in this order; empty = all.
        model: name of a backbone, e.g. ``"cnn"``.
        pretrained: start from the backbone's published weights.
        image_size: images are resized to this height and width in pixels; 0 = as stored.
        augment: names of batch augmentations applied in order: ``"shift"``, ``"flip"``.
        epochs: passes over the training images.
        batch_size: images per step.
        lr: peak learning rate of SGD (linear warm-up, then cosine decay to zero).
        momentum: SGD momentum (Nesterov).
        weight_decay: L2 penalty on weights of two and more dimensions (never on biases or norms).
        warmup_epochs: length of the linear warm-up.
        evaluations: what is measured on the test images, names in ``lossbook.evaluations``.
        seed: seeds initialisation, order and augmentation.
    """

    objective: str = "soft-d"
    objective_args: dict[str, Any] = field(default_factory=dict)
    dataset: str = "mnist5k"
    classes: tuple[int, ...] = ()
    model: str = "cnn"
    pretrained: bool = False
    image_size: int = 0
    augment: tuple[str, ...] = ()
    epochs: int = 10
    batch_size: int = 100
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    evaluations: tuple[str, ...] = ("uniformity",)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("classes", "augment", "evaluations"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"RunSpec.{name} must be a list, got {getattr(self, name)!r}")
        for name in ("lr", "momentum", "weight_decay", "warmup_epochs"):
            object.__setattr__(self, name, float(getattr(self, name)))
        # One number, one spelling: 96 and 96.0 are the same argument and must give the same id.
        arguments = {key: float(v) if type(v) is int else v for key, v in copy.deepcopy(self.objective_args).items()}
        object.__setattr__(self, "objective_args", arguments)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "augment", tuple(self.augment))
        object.__setattr__(self, "evaluations", tuple(self.evaluations))
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"RunSpec.{name} must be at least 1, got {getattr(self, name)}")
        if not self.lr > 0:
            raise ValueError(f"RunSpec.lr must be positive, got {self.lr}")

    def __hash__(self) -> int:
        return hash(self.run_id)

    def replace(self, **changes: Any) -> RunSpec:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def canonical_json(self) -> str:
        """Sorted keys, no spaces: equal specs give equal text on every machine."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the SHA-256 of :meth:`canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:12]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunSpec:
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown run spec field(s) {', '.join(unknown)}; expected some of {', '.join(sorted(known))}")
        return cls(**values)


def parse_specs(text: str) -> list[RunSpec]:
    """Read run specs from YAML (or JSON) text: one mapping, or a list of mappings."""
    loaded = yaml.safe_load(text)
    rows = loaded if isinstance(loaded, list) else [loaded]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"expected a run spec as a YAML mapping, or a list of them, got {text[:80]!r}")
    return [RunSpec.from_dict(row) for row in rows]
