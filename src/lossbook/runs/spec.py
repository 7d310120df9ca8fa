"""What a run is: :class:`RunSpec`, its canonical JSON and its id.  No torch here, so listing runs is instant."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from lossbook.optional import extra

with extra("run"):
    import yaml

_LISTS = ("classes", "groups", "augment", "views", "lr_steps", "suites")
_NUMBERS = (
    "validation_share",
    "imbalance",
    "mix_alpha",
    "lr",
    "head_lr",
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "gradient_clip",
)
# Two fields have other names in JSON, because the ids of existing runs depend on them.
_IN_JSON = {"second_phase": "then", "suites": "evaluations"}
# What a second phase may change: how it trains, never what the data and the model are.
_PHASE = (
    *("objective", "objective_args", "augment", "views", "mix_alpha", "frozen", "epochs", "batch_size", "batch_classes"),
    *("optimizer", "optimizer_args", "lr", "head_lr", "lr_steps", "momentum", "weight_decay", "warmup_epochs"),
    "gradient_clip",
)


def _arguments(values: dict[str, Any]) -> dict[str, Any]:
    """One number, one spelling: 96 and 96.0 are the same argument and must give the same id."""
    return {key: float(value) if type(value) is int else value for key, value in copy.deepcopy(values).items()}


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run.  ``train(spec)`` is a pure function of it.

    Attributes:
        objective: name in the registry, e.g. ``"bce-nu"`` (``lossbook list``).
        objective_args: further arguments of ``create_objective``, e.g. ``{"scale": 96.0}``.
        dataset: name of a data set, e.g. ``"mnist5k"``.
        classes: train and test on these classes only, relabelled 0..k-1 in this order; empty = all.
        groups: merge classes, e.g. ``((0, 5), (1, 6))``: every class of group k gets label k, the others are left out.
        validation_share: test on this share of every class's training images, its last ones, and train on the others; the test
            images are not looked at.  For choosing settings.  0 = train on all, test on the test images.
        train_per_class: keep only the first so many training images of every class; 0 = all.
        imbalance: long tail: class k of K keeps ``int(n_max * imbalance ** (-k / (K - 1)))`` training images; 1 = all.
        model: name of a backbone, e.g. ``"cnn"``.
        pretrained: start from the backbone's published weights.
        embedding_size: put a layer norm and a linear layer with so many outputs on the backbone; 0 = none.
        image_size: images are resized to this height and width in pixels; 0 = as stored.
        augment: names of batch augmentations applied in order: ``"shift"``, ``"flip"``, ``"cutout"``.
        views: every batch goes through the model once per view, and the losses are averaged: ``"plain"``, ``"mixup"``,
            ``"cutmix"``, ``"mixup|cutmix"`` (one of the two at random).
        mix_alpha: the share of an image in a mixed one is Beta(mix_alpha, mix_alpha) distributed.
        frozen: train the objective only, the backbone stays as it is.
        epochs: passes over the training images.
        batch_size: images per step.
        batch_classes: a batch holds equally many images of so many random classes; 0 = images in random order.
        optimizer: ``"sgd"`` (Nesterov momentum), ``"adam"`` or ``"adamw"``.
        optimizer_args: further arguments of the optimizer's class, e.g. ``{"eps": 1.0}``.
        lr: peak learning rate (linear warm-up, then cosine decay to zero).
        head_lr: peak learning rate of the objective's parameters; 0 = ``lr``.
        lr_steps: no cosine: the rate falls to a tenth at the beginning of each of these epochs.
        momentum: SGD momentum.
        weight_decay: penalty on weights of two and more dimensions (never on biases or norms).
        warmup_epochs: length of the linear warm-up.
        gradient_clip: clip every entry of the gradient to this absolute value; 0 = never.
        second_phase: training goes on with the same weights; these are the fields that change, e.g.
            ``{"epochs": 5, "lr": 1e-3, "frozen": True, "objective_args": {"alpha": 2.0}}`` (arguments are merged).
        mixed_precision: train in bfloat16 autocast on a CPU, too, if it has matrix units for bfloat16 (another CPU always
            trains in float32, a GPU always in bfloat16 autocast), and with the optimizer's fused step.
        suites: what is measured on the test images, names in :mod:`lossbook.runs.suites.registry`.
        evaluate_every: also run the suites every so many epochs, so that each metric becomes a curve; 0 = only at the end.
        seed: seeds initialisation, order and augmentation.
    """

    objective: str = "soft-d"
    objective_args: dict[str, Any] = field(default_factory=dict)
    dataset: str = "mnist5k"
    classes: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    validation_share: float = 0.0
    train_per_class: int = 0
    imbalance: float = 1.0
    model: str = "cnn"
    pretrained: bool = False
    embedding_size: int = 0
    image_size: int = 0
    augment: tuple[str, ...] = ()
    views: tuple[str, ...] = ("plain",)
    mix_alpha: float = 1.0
    frozen: bool = False
    epochs: int = 10
    batch_size: int = 100
    batch_classes: int = 0
    optimizer: str = "sgd"
    optimizer_args: dict[str, Any] = field(default_factory=dict)
    lr: float = 0.1
    head_lr: float = 0.0
    lr_steps: tuple[int, ...] = ()
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    gradient_clip: float = 0.0
    second_phase: dict[str, Any] = field(default_factory=dict)
    mixed_precision: bool = False
    suites: tuple[str, ...] = ("uniformity",)
    evaluate_every: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _LISTS:
            if isinstance(getattr(self, name), str):
                raise TypeError(f"RunSpec.{name} must be a list, got {getattr(self, name)!r}")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "groups", tuple(tuple(group) for group in self.groups))
        for name in _NUMBERS:
            object.__setattr__(self, name, float(getattr(self, name)))
        for name in ("objective_args", "optimizer_args"):
            object.__setattr__(self, name, _arguments(getattr(self, name)))
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"RunSpec.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("lr", "imbalance", "mix_alpha"):
            if not getattr(self, name) > 0:
                raise ValueError(f"RunSpec.{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"RunSpec.validation_share must be at least 0 and below 1, got {self.validation_share}")
        if self.evaluate_every < 0:
            raise ValueError(f"RunSpec.evaluate_every must be at least 0, got {self.evaluate_every}")
        if self.classes and self.groups:
            raise ValueError("RunSpec takes classes or groups, not both")
        if not self.views:
            raise ValueError("RunSpec.views must name at least one view")
        if self.batch_classes and self.batch_size % self.batch_classes:
            raise ValueError(f"batch_size {self.batch_size} must be a multiple of batch_classes {self.batch_classes}")
        object.__setattr__(self, "second_phase", self._changes())

    def _changes(self) -> dict[str, Any]:
        """``second_phase``, checked and normalised like the fields of any spec."""
        if not self.second_phase:
            return {}
        if wrong := sorted(set(self.second_phase) - set(_PHASE)):
            raise ValueError(f"RunSpec.second_phase cannot change {', '.join(wrong)}; expected some of {', '.join(_PHASE)}")
        changed = self.replace(**self.second_phase, second_phase={})
        return {name: getattr(changed, name) for name in sorted(self.second_phase)}

    def __hash__(self) -> int:
        return hash(self.run_id)

    def replace(self, **changes: Any) -> RunSpec:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def phases(self) -> tuple[RunSpec, ...]:
        """One spec per phase of training; in the second, arguments of the same objective are merged."""
        first = self.replace(second_phase={})
        if not self.second_phase:
            return (first,)
        same = self.second_phase.get("objective", self.objective) == self.objective
        arguments = (self.objective_args if same else {}) | self.second_phase.get("objective_args", {})
        return (first, first.replace(**self.second_phase | {"objective_args": arguments}))

    def canonical_json(self) -> str:
        """The fields that differ from their defaults, sorted, without spaces: equal specs give equal text on every
        machine, and a field added later changes no id.  (So a default, once used, must not change.)

        It is the one encoding of a spec: in records, in results, in the parameter ``specs`` of notebooks/run.
        """
        changed = {
            _IN_JSON.get(f.name, f.name): value
            for f in dataclasses.fields(self)
            if (value := getattr(self, f.name)) != (f.default_factory() if callable(f.default_factory) else f.default)
        }
        return json.dumps(changed, sort_keys=True, separators=(",", ":"))

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the SHA-256 of :meth:`canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:12]

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """The spec of :meth:`canonical_json`."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> RunSpec:
        """The spec with these fields changed from their defaults, under their own names or under those that they have in
        JSON."""
        names = [f.name for f in dataclasses.fields(cls)]
        fields = {_IN_JSON.get(name, name): name for name in names} | {name: name for name in names}
        if unknown := sorted(set(values) - set(fields)):
            raise ValueError(f"unknown run spec field(s) {', '.join(unknown)}; expected some of {', '.join(sorted(names))}")
        return cls(**{fields[name]: value for name, value in values.items()})


def parse_specs(text: str) -> list[RunSpec]:
    """Read run specs that a person or the build wrote: JSON or YAML, one mapping or a list of mappings."""
    loaded = yaml.safe_load(text)
    rows = loaded if isinstance(loaded, list) else [loaded]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"expected a run spec as a YAML mapping, or a list of them, got {text[:80]!r}")
    return [RunSpec.from_mapping(row) for row in rows]


# Fields that are mappings: each of their entries becomes a column of its own.
_PREFIXES = {"objective_args": "arg_", "optimizer_args": "optimizer_", "second_phase": "second_phase_"}


def spec_columns(spec: RunSpec) -> dict[str, Any]:
    """A spec as columns of a table of results: every field, and every argument (``arg_scale``, ``second_phase_lr``,
    ``second_phase_arg_alpha``).  Lists are tuples."""
    return _columns({f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)})


def _columns(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if name in _PREFIXES:
            columns |= _columns(value, prefix + _PREFIXES[name])
        else:
            columns[prefix + name] = value
    return columns


def is_spec_column(name: str) -> bool:
    """Does a column of a table of results say what a run was (and not what came out, or where it ran)?"""
    return name in _FIELDS or name.startswith(tuple(_PREFIXES.values()))


_FIELDS = {f.name for f in dataclasses.fields(RunSpec)} - set(_PREFIXES)
