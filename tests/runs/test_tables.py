"""Which runs fill a table, and which of them a build trains again."""

import pytest

from lossbook.papers.registry import PAPERS
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import Draws, Table, distinct_runs, draw_classes


def table(count: int, seeds: int = 3, kind=Table, **more) -> Table:
    specs = tuple(RunSpec(lr=0.01 * (k + 1)) for k in range(count))
    return kind("x", "x", {"quick": specs}, seeds={"quick": seeds}, **more)


def places(runs: list[RunSpec]) -> list[int]:
    return [round(100 * run.lr) - 1 for run in runs]


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (1, [0]),
        (5, [0, 1, 2, 3, 4]),
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 1, 2, 4, 5, 6]),
        (11, [0, 2, 4, 6, 8, 10]),
        (36, [0, 7, 14, 21, 28, 35]),
    ],
)
def test_some_runs_are_at_most_six_evenly_spaced_ones_of_the_first_seed(count, wanted):
    runs = table(count).sample("quick")
    assert places(runs) == wanted
    assert {run.seed for run in runs} == {0}


def test_the_first_seed_and_all():
    one = table(9)
    assert places(one.sample("quick", "first")) == list(range(9))
    assert one.sample("quick", "all") == one.runs("quick")
    assert one.sample("frozen") == []
    with pytest.raises(ValueError, match="unknown sample 'half'; expected one of some, first, all"):
        one.sample("quick", "half")


def test_more_seeds_change_no_sample():
    for sample in ("some", "first"):
        assert table(9, seeds=3).sample("quick", sample) == table(9, seeds=20).sample("quick", sample)


def test_of_draws_it_is_the_first():
    specs = tuple(RunSpec(lr=0.01 * (k + 1), classes=tuple(range(6))) for k in range(8))
    runs = Draws("x", "x", {"quick": specs}).sample("quick")
    assert {run.seed for run in runs} == {0}
    assert {run.classes for run in runs} == {draw_classes(10, 6, 0)}
    assert len(runs) == 6


def test_draws_are_of_the_classes_of_a_set_that_the_registry_lacks():
    specs = (RunSpec(dataset="elsewhere", classes=(0, 1)),)
    (run,) = Draws("x", "x", {"quick": specs}, seeds={"quick": 1}, all_classes={"elsewhere": 500}).runs("quick")
    assert run.classes == draw_classes(500, 2, 0)


def test_every_table_of_the_papers_has_a_sample_of_its_own_runs():
    for paper in PAPERS.values():
        for one in paper.evidence.tables:
            ids = {run.run_id for run in one.sample("quick")}
            assert len(ids) == len(one.sample("quick")) == min(6, len(one.sample("quick", "first")))
            assert ids <= {run.run_id for run in one.runs("quick")}
        some, first = (distinct_runs(paper.evidence.tables, "quick", sample) for sample in ("some", "first"))
        assert {run.run_id for run in some} <= {run.run_id for run in first}
