"""Fair settings: what every method's settings are searched over, the search, and what was chosen.

One rule for every method of a paper.  A :class:`Search` starts at the settings of its spec and moves to better ones on fixed
ladders (of learning rates, and of an argument where the paper tunes one), until the best setting has a worse neighbour on
either side.  A setting's score is the mean over three seeds on held-out *training* images; no test image is looked at, and
none of these seeds is one of the evidence.  What was tried and chosen stands in ``data/<paper>/tuned.csv``, which
``lossbook tune`` writes; the tables take it over from there.  No torch here.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lossbook.paths import in_project
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import drawn

Setting = dict[str, float]
Cell = tuple[int, ...]

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SEEDS = (1000, 1001, 1002)
VALIDATION_SHARE = 0.2
MOST_CELLS = 24  # a search that wanders further has no best setting
COLUMNS = ("tier", "spec", "setting", "metric", "mean", "std", "failed", "chosen", "others")
_ARGUMENT, _SECOND = "arg_", "second_phase_"


@dataclass(frozen=True)
class Search:
    """A spec whose settings are searched for.

    Attributes:
        spec: the run; its settings are where the search starts.
        ladders: name of a setting, as the results' columns have it (``lr``, ``arg_temperature``, ``second_phase_lr``) -> the
            values that are tried, in order.
        metric: what is best where it is largest.
        suites: what is measured: the suites that give the metrics.
        draws: other seeds for the runs, each with its own draw of the known classes (:func:`lossbook.runs.tables.drawn`).
        others: further metric -> +1 where more is better, -1 where less is.  The search goes on for each of them, and the file
            keeps their means, but what is chosen for the tables is best by ``metric``.
    """

    spec: RunSpec
    ladders: dict[str, tuple[float, ...]] = field(default_factory=lambda: {"lr": RATES})
    metric: str = "A_SW"
    suites: tuple[str, ...] = ("uniformity",)
    draws: tuple[int, ...] = ()
    others: dict[str, int] = field(default_factory=dict)

    @property
    def signs(self) -> dict[str, int]:
        """Every metric -> +1 where more is better, -1 where less is."""
        return {self.metric: 1} | self.others

    @property
    def family(self) -> str:
        """The canonical JSON of the spec without the settings, the seed and the suites: what a choice belongs to."""
        bare = self.spec.replace(seed=0, suites=())
        for name in self.ladders:
            bare = _without(bare, name)
        return bare.canonical_json()

    @property
    def start(self) -> Cell:
        """Where the spec's own settings stand on the ladders.

        Raises:
            ValueError: for one that is not on its ladder.
        """
        found = []
        for name, ladder in self.ladders.items():
            value = _value(self.spec, name)
            if value not in ladder:
                raise ValueError(f"the search for {name} cannot start at {value}; expected one of {ladder}")
            found.append(ladder.index(value))
        return tuple(found)

    def setting(self, cell: Cell) -> Setting:
        """The settings at a place of the ladders."""
        return {name: ladder[place] for (name, ladder), place in zip(self.ladders.items(), cell, strict=True)}

    def runs(self, cell: Cell) -> list[RunSpec]:
        """The runs that score a place: three seeds on held-out training images."""
        spec = with_setting(self.spec, self.setting(cell)).replace(suites=self.suites, validation_share=VALIDATION_SHARE)
        return [drawn(spec, seed) for seed in self.draws] or [spec.replace(seed=seed) for seed in SEEDS]


def _without(spec: RunSpec, name: str) -> RunSpec:
    if name.startswith(_SECOND):
        return spec.replace(second_phase={k: v for k, v in spec.second_phase.items() if k != name.removeprefix(_SECOND)})
    if name.startswith(_ARGUMENT):
        arguments = {k: v for k, v in spec.objective_args.items() if k != name.removeprefix(_ARGUMENT)}
        return spec.replace(objective_args=arguments)
    return spec.replace(**{name: RunSpec.__dataclass_fields__[name].default})


def _value(spec: RunSpec, name: str) -> float:
    if name.startswith(_SECOND):
        return spec.second_phase[name.removeprefix(_SECOND)]
    return spec.objective_args[name.removeprefix(_ARGUMENT)] if name.startswith(_ARGUMENT) else getattr(spec, name)


def with_setting(spec: RunSpec, setting: Mapping[str, float]) -> RunSpec:
    """The spec with some settings changed."""
    for name, value in setting.items():
        if name.startswith(_SECOND):
            spec = spec.replace(second_phase=spec.second_phase | {name.removeprefix(_SECOND): value})
        elif name.startswith(_ARGUMENT):
            spec = spec.replace(objective_args=spec.objective_args | {name.removeprefix(_ARGUMENT): value})
        else:
            spec = spec.replace(**{name: value})
    return spec


def climb(sizes: Sequence[int], start: Cell, score: Callable[[Cell], float]) -> dict[Cell, float]:
    """Try a cell of a grid and its neighbours, go on from the best one, until all neighbours of the best were tried.

    Args:
        sizes: number of places along each axis.
        start: the first cell.
        score: the larger the better; NaN for a cell that fails, which is worse than any number.

    Returns:
        Every cell that was tried -> its score, in the order of trying; at most :data:`MOST_CELLS` and one round of neighbours.

    Example:
        >>> climb([9], (4,), lambda cell: -abs(cell[0] - 6))
        {(4,): -2, (3,): -3, (5,): -1, (6,): 0, (7,): -1}
    """
    tried: dict[Cell, float] = {}
    fresh = [start]
    while fresh and len(tried) < MOST_CELLS:
        tried |= {cell: score(cell) for cell in fresh}
        fresh = [cell for cell in _neighbours(best_cell(tried), sizes) if cell not in tried]
    return tried


def _neighbours(cell: Cell, sizes: Sequence[int]) -> Iterator[Cell]:
    for axis, size in enumerate(sizes):
        for step in (-1, 1):
            if 0 <= cell[axis] + step < size:
                yield (*cell[:axis], cell[axis] + step, *cell[axis + 1 :])


def best_cell(scores: Mapping[Cell, float]) -> Cell:
    """The cell with the largest score, the first of equal ones; any number is better than NaN."""
    return max(scores, key=lambda cell: -math.inf if math.isnan(scores[cell]) else scores[cell])


def tuned_file(paper: str) -> Path:
    """Where a paper's choices stand, below the project's root."""
    return Path("data") / paper / "tuned.csv"


def read_tuned(paper: str) -> list[dict[str, str]]:
    """The rows of a paper's file of settings; none where it does not exist yet, and outside a copy of the project."""
    try:
        text = in_project(tuned_file(paper)).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(text.splitlines()))


@functools.cache
def _choices(paper: str) -> dict[str, Setting]:
    return {row["spec"]: json.loads(row["setting"]) for row in read_tuned(paper) if row["chosen"] == "1"}


def chosen(paper: str, search: Search) -> Setting | None:
    """The settings that were chosen for a search; None where none were, because it was not tuned or always failed."""
    return _choices(paper).get(search.family)


def tuned(paper: str, search: Search) -> RunSpec:
    """The spec at its chosen settings; at those that it starts with where none were chosen yet."""
    return with_setting(search.spec, chosen(paper, search) or {})
