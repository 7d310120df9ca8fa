"""Which runs fill a table: :class:`Table`.  No torch here, so listing runs is instant."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lossbook.data.registry import DATASETS
from lossbook.runs.spec import RunSpec

TIERS = ("quick", "frozen", "standard", "paper")


# The seeds of a table that a claim reads: so many that an interval decides what matters.
EVIDENCE = {"quick": 20, "frozen": 20, "standard": 5, "paper": 1}
# How much of a table a build trains.
SAMPLES = ("some", "first", "all")
# So many runs of every table are enough to see whether a machine and the present code give the numbers of the evidence.
_SOME = 6


def check_tier(tier: str) -> None:
    """Raise a ``ValueError`` for a name that is no tier."""
    if tier not in TIERS:
        raise ValueError(f"unknown tier {tier!r}; expected one of {', '.join(TIERS)}")


def check_sample(sample: str) -> None:
    """Raise a ``ValueError`` for a name that is no sample."""
    if sample not in SAMPLES:
        raise ValueError(f"unknown sample {sample!r}; expected one of {', '.join(SAMPLES)}")


@dataclass(frozen=True)
class Table:
    """A table (or figure) of a paper and the runs behind its counterpart.

    Attributes:
        name: as the paper numbers it, e.g. ``"II"``, or a word for one that the paper does not have.
        title: what it shows, in one line.
        specs: tier -> the runs, without their seeds.
        seeds: tier -> number of seeds (0, 1, ...); 3 for a tier that is not named.
        small_tables: names of the runs' small tables that results keep beside the numbers (first seed only).
    """

    name: str
    title: str
    specs: dict[str, tuple[RunSpec, ...]]
    seeds: dict[str, int] = field(default_factory=lambda: {"quick": 3, "standard": 3, "paper": 1})
    small_tables: tuple[str, ...] = ()

    def runs(self, tier: str) -> list[RunSpec]:
        """All runs of a tier, seeds innermost; empty when the table has none there."""
        return [spec.replace(seed=seed) for spec in self.specs.get(tier, ()) for seed in range(self.seeds.get(tier, 3))]

    def sample(self, tier: str, sample: str = "some") -> list[RunSpec]:
        """The runs of a tier that a build trains.

        Args:
            sample: ``"first"``: those of the first seed (or draw); ``"some"``: six of them, evenly spaced, the first and the
                last among them, or all where they are fewer; ``"all"``: those of every seed.

        Raises:
            ValueError: for another sample.
        """
        check_sample(sample)
        runs = self.runs(tier)
        if sample == "all":
            return runs
        first = [run for run in runs if run.seed == runs[0].seed]
        if sample == "first" or len(first) <= _SOME:
            return first
        return [first[round(k * (len(first) - 1) / (_SOME - 1))] for k in range(_SOME)]

    @property
    def is_evidence(self) -> bool:
        """Has the table the seeds that a claim needs?"""
        return self.seeds.get("quick") == EVIDENCE["quick"]

    def count(self, tier: str) -> int:
        """The number of runs of a tier, without making them."""
        return len(self.specs.get(tier, ())) * self.seeds.get(tier, 3)


@dataclass(frozen=True)
class Draws(Table):
    """A table whose seed k trains on the k-th random draw of the known classes, the same for every run.

    A spec's ``classes`` say only how many are drawn, of all the classes of its data set.

    Attributes:
        all_classes: data set that the registry lacks -> its number of classes.
    """

    all_classes: dict[str, int] = field(default_factory=dict)

    def runs(self, tier: str) -> list[RunSpec]:
        seeds = range(self.seeds.get(tier, 3))
        return [drawn(spec, seed, self.all_classes) for spec in self.specs.get(tier, ()) for seed in seeds]


def drawn(spec: RunSpec, seed: int, all_classes: Mapping[str, int] = MappingProxyType({})) -> RunSpec:
    """The run of a seed that trains on the seed's random draw of the known classes: as many as the spec has.

    Args:
        all_classes: data set that the registry lacks -> its number of classes.
    """
    count = all_classes.get(spec.dataset) or DATASETS[spec.dataset].num_classes
    return spec.replace(seed=seed, classes=draw_classes(count, len(spec.classes), seed))


def draw_classes(classes: int, known: int, seed: int) -> tuple[int, ...]:
    """A random choice of the known classes, in order.

    Example:
        >>> draw_classes(classes=10, known=4, seed=0)
        (0, 2, 6, 9)
    """
    return tuple(sorted(random.Random(seed).sample(range(classes), known)))


def twice_as_long(table: Table) -> Table:
    """The table with twice the epochs of everything, five seeds and no small tables: what a longer training would change."""
    specs = {tier: tuple(_twice_as_long(spec) for spec in of_tier) for tier, of_tier in table.specs.items()}
    return replace(table, specs=specs, seeds=dict.fromkeys(TIERS, 5), small_tables=())


def _twice_as_long(spec: RunSpec) -> RunSpec:
    second = spec.second_phase
    longer = {name: _twice(second[name]) for name in ("epochs", "warmup_epochs", "lr_steps") if name in second}
    return spec.replace(
        epochs=2 * spec.epochs,
        warmup_epochs=2 * spec.warmup_epochs,
        lr_steps=_twice(spec.lr_steps),
        second_phase=second | longer,
    )


def _twice(value: float | tuple[int, ...]) -> float | tuple[int, ...]:
    return tuple(2 * one for one in value) if isinstance(value, tuple) else 2 * value


def longer_tier(tier: str) -> str:
    """The folder of the results of twice the epochs."""
    return f"{tier}-longer"


def distinct_runs(tables: Iterable[Table], tier: str, sample: str = "all") -> list[RunSpec]:
    """The runs of some tables, or a sample of each; one that stands in two tables comes once."""
    return list({spec.run_id: spec for table in tables for spec in table.sample(tier, sample)}.values())


def suites_of(tables: Iterable[Table]) -> tuple[str, ...]:
    """The names of all suites that the runs of some tables have, at any tier."""
    specs = (spec for table in tables for tier in TIERS for spec in table.specs.get(tier, ()))
    return tuple(dict.fromkeys(suite for spec in specs for suite in spec.suites))


def small_tables(tables: Iterable[Table]) -> tuple[str, ...]:
    """The names of all small tables that the results of some tables keep."""
    return tuple(dict.fromkeys(name for table in tables for name in table.small_tables))
