"""Verdicts beside those after twice the epochs."""

from dataclasses import replace

import pytest

from lossbook.papers.board import Entry
from lossbook.papers.claims import Claim, Verdict
from lossbook.papers.convergence import Change, Longer, after_twice_the_epochs
from lossbook.papers.registry import PAPERS
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import EVIDENCE, Draws, twice_as_long


@pytest.mark.parametrize(
    ("effect", "low", "high", "change"),
    [(1.5, 0.5, 2.5, "stays"), (3.5, 2.5, 4.5, "moves"), (-2.0, -3.0, -1.0, "turns"), (0.2, -3.0, 0.4, "stays")],
)
def test_what_twice_the_epochs_do(effect, low, high, change):
    one = Verdict(True, 1.0, 0.3, 1.7, 20)
    entry = Entry("toy", Claim("toy-claim", "", "", "", lambda results: one), "quick", one, (), 0)
    assert Longer(entry, replace(one, effect=effect, low=low, high=high)).change == Change(change)


def test_everything_of_a_run_is_twice_as_long():
    spec = RunSpec(epochs=10, lr_steps=(3, 6), warmup_epochs=0.5, second_phase={"epochs": 4, "lr": 0.1})
    table = twice_as_long(Draws("t", "", {"quick": (spec,)}, seeds=EVIDENCE, small_tables=("classes",), all_classes={"x": 3}))
    (longer,) = table.specs["quick"]
    assert (longer.epochs, longer.lr_steps, longer.warmup_epochs) == (20, (6, 12), 1.0)
    assert longer.second_phase == {"epochs": 8, "lr": 0.1}
    assert isinstance(table, Draws) and (table.all_classes, table.seeds["quick"], table.small_tables) == ({"x": 3}, 5, ())


def test_only_what_claims_read_is_trained_longer():
    evidence = PAPERS["uniform"].evidence
    tables = {table.name for table in evidence.twice_as_long().tables}
    assert "II" in tables and "bias-start" not in tables
    read = {table.name for table in evidence.tables if table.is_evidence}
    assert tables == read


def test_no_proof_is_trained_again():
    assert all(not one.verdict.proof for paper in PAPERS.values() for one in after_twice_the_epochs(paper))
