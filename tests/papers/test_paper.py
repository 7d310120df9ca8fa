"""Tables, jobs and claims."""

import numpy as np
import pandas as pd
import pytest

from lossbook.objectives.registry import OBJECTIVES
from lossbook.papers.registry import PAPERS, get_paper, jobs
from lossbook.papers.results import load_results
from lossbook.papers.rules import decide
from lossbook.papers.statistics import mean_interval
from lossbook.runs.spec import spec_columns
from lossbook.runs.tables import TIERS


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("runs_per_job", [1, 62])
def test_jobs_hold_every_run_of_a_paper_once(tier, runs_per_job):
    found = jobs(tier, runs_per_job)
    for paper in PAPERS.values():
        ids = [spec.run_id for job in found if job.paper == paper.name for spec in job.specs]
        assert len(set(ids)) == len(ids)
        assert set(ids) == {spec.run_id for table in paper.evidence.tables for spec in table.runs(tier)}
    assert max((len(job.specs) for job in found), default=0) <= runs_per_job


def test_every_objective_named_by_a_run_exists():
    names = {
        spec.objective for paper in PAPERS.values() for t in paper.evidence.tables for tier in TIERS for spec in t.runs(tier)
    }
    assert names <= set(OBJECTIVES)


def test_quick_tables_run_at_least_three_seeds_or_draws():
    for paper in PAPERS.values():
        for table in (table for table in paper.evidence.tables if table.runs("quick")):
            rows = pd.DataFrame([spec_columns(s) for s in table.runs("quick")]).astype(str)
            repeats = rows.groupby([c for c in rows if c not in ("seed", "classes")], dropna=False).size()
            assert repeats.min() >= 3, table.name


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of .*uniform"):
        get_paper("unifrom")
    with pytest.raises(ValueError, match="expected one of II, III"):
        get_paper("uniform").evidence.table("IV-X")
    with pytest.raises(ValueError, match="unknown tier 'fast'"):
        jobs("fast", 1)


@pytest.mark.parametrize("paper", PAPERS)
def test_reference_holds_every_run_of_the_quick_tier(paper):
    frame = load_results("results", "quick", get_paper(paper).evidence)
    for table in get_paper(paper).evidence.tables:
        have = set(frame.loc[frame["table"] == table.name, "run_id"])
        assert have == {spec.run_id for spec in table.runs("quick")}, f"run `make evidence`: {table.name}"


@pytest.mark.parametrize("paper", PAPERS)
def test_every_claim_gives_a_verdict_on_the_reference(paper):
    frame = load_results("results", "quick", get_paper(paper).evidence)
    for claim in get_paper(paper).claims:
        verdict = claim.check(frame)
        assert claim.id.startswith(f"{paper}-")
        assert verdict.word in ("reproduced", "not reproduced", "undecided", "by proof")
        assert verdict.low <= verdict.effect <= verdict.high
        assert verdict.seeds >= 3


@pytest.mark.parametrize(
    ("values", "word"), [([5.0, 5.1, 4.9], "reproduced"), ([-5.0, -5.1, -4.9], "not reproduced"), ([-5.0, 6.0, 1.0], "undecided")]
)
def test_a_verdict_needs_the_whole_interval_on_one_side(values, word):
    assert decide(np.array(values)).word == word


def test_mean_interval_is_students():
    interval = mean_interval(np.array([1.0, 2.0, 3.0]))
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.30265 / np.sqrt(3), rel=1e-5)
    assert mean_interval(np.array([1.0])).low == -np.inf
    assert mean_interval(np.array([])).count == 0


def test_results_have_the_same_columns_at_every_tier():
    for paper in PAPERS.values():
        frames = []
        for tier in TIERS:
            try:
                frames.append(load_results("results", tier, paper.evidence))
            except FileNotFoundError:
                continue
        constant = [c for c in frames[0] if c in frames[0].columns[: len(paper.evidence.spec_columns) + 2]]
        assert constant == ["table", "run_id", *paper.evidence.spec_columns]
        assert all(list(frame)[: len(constant)] == constant for frame in frames)


def test_every_share_and_heading_is_of_a_column():
    """A misspelt name would show a share as a number below 1, or a bare column."""
    for paper in PAPERS.values():
        evidence = paper.evidence
        assert not set(evidence.shares) & set(evidence.spec_columns)
        arguments = {name for name in evidence.headings if name.startswith(("arg_", "second_phase_"))}
        assert arguments <= set(evidence.spec_columns), evidence.name
