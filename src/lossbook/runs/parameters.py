"""The runs that the parameters of notebooks/run ask for, in whatever form papermill hands them in.

``papermill -p NAME VALUE`` gives text where VALUE is no number, ``-y`` and ``-b`` give what YAML says, and a parameter that the
notebook does not know is passed on all the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from lossbook.optional import extra
from lossbook.runs.spec import RunSpec

with extra("run"):
    import yaml

# Set when `specs` is empty.
FIELDS = ("objective", "objective_args", "dataset", "model", "image_size", "epochs", "batch_size", "lr")
NAMES = ("specs", "seeds", *FIELDS, "store_dir", "threads")
_WORDS = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", tuple: "a list", dict: "a mapping"}


def runs_of(parameters: dict[str, Any]) -> list[RunSpec]:
    """The runs of some parameters: every spec with every seed.

    Args:
        parameters: parameter -> value, among others those of :data:`NAMES`.

    Raises:
        ValueError: for a parameter that nobody knows, and for a value that is not what its field takes.
    """
    if unknown := sorted(set(parameters) - set(NAMES)):
        raise ValueError(f"unknown parameter(s) {', '.join(unknown)}; expected some of {', '.join(NAMES)}")
    rows = _loaded(parameters["specs"])
    if rows in (None, "", [], {}):
        rows = {name: parameters[name] for name in FIELDS}
    rows = rows if isinstance(rows, list) else [rows]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(
            f"specs: expected a run spec as a YAML mapping, or a list of them, got {str(parameters['specs'])[:80]!r}"
        )
    specs = [RunSpec.from_mapping({name: _value(name, value) for name, value in row.items()}) for row in rows]
    seeds = _loaded(parameters["seeds"])
    seeds = [seeds] if isinstance(seeds, int) else seeds or []
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds):
        raise ValueError(f"seeds: expected a list of whole numbers, got {parameters['seeds']!r}")
    return [spec.replace(seed=seed) for spec in specs for seed in seeds] if seeds else specs


def _loaded(value: Any) -> Any:
    return yaml.safe_load(value) if isinstance(value, str) else value


_KINDS = {
    field.name: type(field.default_factory() if callable(field.default_factory) else field.default)
    for field in dataclasses.fields(RunSpec)
}


def _value(name: str, value: Any) -> Any:
    """A field's value in the type that it has; other names are left to :class:`RunSpec`, which knows them all."""
    kind = _KINDS.get(name)
    if kind is None:
        return value
    loaded = value if kind is str else _loaded(value)
    if kind in (int, float) and isinstance(loaded, str):  # YAML takes 1e-2 for a word
        with contextlib.suppress(ValueError):
            loaded = float(loaded)
    if loaded is None and kind in (dict, tuple):
        return kind()
    good = {float: (int, float), tuple: (list, tuple)}.get(kind, kind)
    if kind is int and isinstance(loaded, float) and loaded.is_integer():
        return int(loaded)
    if not isinstance(loaded, good) or (isinstance(loaded, bool) and kind is not bool):
        raise ValueError(f"{name}: expected {_WORDS[kind]}, got {value!r}")
    return kind(loaded)
