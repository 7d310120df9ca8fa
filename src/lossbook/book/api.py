"""The tables of all objectives and of their arguments on the book's page of them, from the registry and the docstrings."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from lossbook.objectives.bce3s import TripartiteObjective, ce3s
from lossbook.objectives.bench import EuclideanBinaryObjective, warped_bce
from lossbook.objectives.create import create_objective
from lossbook.objectives.entry import Entry
from lossbook.objectives.multicenter import MultiCenterObjective, multicenter, multicenter_arc, multicenter_lsoftmax
from lossbook.objectives.objective import Objective
from lossbook.objectives.onecold import OneColdObjective
from lossbook.objectives.registry import OBJECTIVES

_OF_EVERY_OBJECTIVE = ("self", "in_features", "num_classes", "head", "loss", "fused_loss")
_BIAS_START = {"zero": {}, "diverse": {"bias_mode": 0, "bias_start": None}, "unified": {"bias_start": None}}
# Builders that pass their other keywords on: to what, and with which defaults of their own.
_PASSES_ON: dict[Callable[..., Any], tuple[Callable[..., Any], dict[str, Any]]] = {
    multicenter: (MultiCenterObjective, {}),
    multicenter_lsoftmax: (MultiCenterObjective, {}),
    multicenter_arc: (MultiCenterObjective, {}),
    ce3s: (TripartiteObjective, {"joint": "ce", "contrastive": "ce", "uniform": "ce"}),
    warped_bce: (EuclideanBinaryObjective, {}),
}
# An entry of a docstring's Args: one or more names, and the text up to the next entry.
_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def arguments_of(build: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that a builder of objectives takes, and their defaults (``inspect.Parameter.empty`` where it has none)."""
    parameters = inspect.signature(build, follow_wrapped=False).parameters
    keywords = {p.name: p.default for p in parameters.values() if p.kind is not p.VAR_KEYWORD}
    if len(keywords) < len(parameters):
        if isinstance(build, functools.partial):  # the twelve of `uniform`, whose bias says what start it takes
            keywords |= _BIAS_START[build.args[1]]
        elif build in _PASSES_ON:
            target, defaults = _PASSES_ON[build]
            keywords |= {name: default for name, default in (arguments_of(target) | defaults).items() if name not in keywords}
        else:  # with a one-cold term, around the builder without
            keywords |= arguments_of(inspect.unwrap(build))
    return {name: default for name, default in keywords.items() if name not in _OF_EVERY_OBJECTIVE}


def meanings_of(build: Callable[..., Any]) -> dict[str, str]:
    """What the arguments of a builder mean, in the words of its docstring or of that to which it passes an argument on.

    Raises:
        KeyError: for an argument that no docstring explains.
    """
    found: dict[str, str] = {}
    for source in _explaining(build):
        section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(source) or "", re.MULTILINE)
        for names, text in _ENTRY.findall(section[1]) if section else ():
            found = dict.fromkeys(names.split(", "), " ".join(text.split())) | found
    return {name: found[name] for name in arguments_of(build)}


def _explaining(build: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Whose docstrings explain the arguments, the nearest first."""
    inner = inspect.unwrap(build)
    passes_on = [_PASSES_ON[build][0]] if build in _PASSES_ON else []
    return [inner.func if isinstance(inner, functools.partial) else inner, *passes_on, OneColdObjective, create_objective]


def arguments_table() -> str:
    """The arguments of all objectives in Markdown: one row per meaning, with the objectives that take the argument so."""
    takers: dict[tuple[str, str], list[str]] = {}
    for name, entry in OBJECTIVES.items():
        for argument, meaning in meanings_of(entry.build).items():
            takers.setdefault((argument, meaning), []).append(f"`{name}`")
    rows = [f"| `{argument}` | {_markdown(meaning)} | {', '.join(names)} |" for (argument, meaning), names in takers.items()]
    return "\n".join(["| argument | meaning | objectives |", "|---|---|---|", *rows]) + "\n"


def _markdown(text: str) -> str:
    """A docstring's formulas, names and code in MyST Markdown."""
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    text = re.sub(r":(?:func|class):`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def objectives_table() -> str:
    """All objectives in Markdown, one per row; what an objective needs and learns is that of its default arguments."""
    rows = [_row(name, entry) for name, entry in OBJECTIVES.items()]
    return "\n".join(["| name | source | arguments | notes |", "|---|---|---|---|", *rows]) + "\n"


def _row(name: str, entry: Entry) -> str:
    notes = _notes(create_objective(name, 2, 3, [1, 1, 1]))
    return f"| `{name}` | {entry.source} | {_arguments(arguments_of(entry.build))} | {notes} |"


def _arguments(arguments: dict[str, Any]) -> str:
    needed = [f"`{name}`" for name, default in arguments.items() if default is inspect.Parameter.empty]
    others = [f"`{name}={_short(default)}`" for name, default in arguments.items() if default is not inspect.Parameter.empty]
    return ", ".join(needed + others) or "no arguments"


def _short(default: Any) -> str:
    """Degrees in radians have many digits."""
    return f"{default:.4g}" if isinstance(default, float) and len(repr(default)) > 8 else repr(default)


def _notes(objective: Objective) -> str:
    notes = [f"hook `{hook}`" for hook in objective.hooks]
    notes += ["learns a threshold"] * objective.learns_threshold
    notes += ["soft targets"] * objective.soft_targets
    notes += ["a form for many classes"] * objective.has_fused_form
    return ", ".join(notes)
