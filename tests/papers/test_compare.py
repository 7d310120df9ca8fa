"""The runs of a build beside those of the reference: equal, within the spread of the seeds, or outside."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy

from lossbook.papers.paper import Evidence
from lossbook.papers.registry import PAPERS
from lossbook.papers.results import Results, compare, load_pair

EVIDENCE = Evidence("made-up", (), shares=("share",))
NORMAL = np.random.default_rng(0).normal(size=20)
IDS = [f"{loss}{seed}" for loss in "ab" for seed in range(20)]


def reference() -> pd.DataFrame:
    """Two losses, twenty seeds."""
    columns = {"loss": ["a"] * 20 + ["b"] * 20, "run_id": IDS}
    return pd.DataFrame(columns | {"share": np.r_[0.5 + 0.01 * NORMAL, 0.7 + 0.02 * NORMAL], "size": 4.0})


def built(**changes: dict[str, float]) -> Results:
    """What a build makes of some runs: run id -> metrics that differ from the reference's run."""
    frame = reference()
    build = frame.copy()
    for run_id, metrics in changes.items():
        build.loc[build["run_id"] == run_id, list(metrics)] = list(metrics.values())
    done = build["run_id"].isin(list(changes))
    build.loc[~done, ["share", "size"]] = math.nan
    return Results(EVIDENCE, frame, build.assign(run_id=build["run_id"].where(done)))


def found(results: Results) -> tuple[int, int, int, int]:
    comparison = compare(results, ["loss"], ["share", "size"])
    assert comparison.differ == 0 or not comparison.outside.empty
    return comparison.runs, comparison.equal, comparison.within, comparison.differ


def test_nothing_is_compared_without_runs():
    assert found(Results(EVIDENCE, reference(), None)) == (0, 0, 0, 0)
    assert found(built()) == (0, 0, 0, 0)


def test_runs_that_are_equal_to_the_digits_kept():
    first = reference()["share"][0]
    assert found(built(a0={}, b3={})) == (2, 2, 0, 0)
    assert found(built(a0={"share": first * (1 + 1e-8)})) == (1, 1, 0, 0)
    assert found(built(a0={"share": first * (1 + 1e-4)})) == (1, 0, 1, 0)


def test_the_bound_is_the_prediction_interval_of_the_seeds():
    """Two runs of two numbers: Bonferroni over four."""
    values = reference()["share"][:20]
    mean, std = values.mean(), values.std()
    half = scipy.stats.t.ppf(1 - 0.05 / 2 / 4, 19) * std * math.sqrt(1 + 1 / 20)
    assert found(built(a0={"share": mean + 0.999 * half}, b0={})) == (2, 1, 1, 0)
    results = built(a0={"share": mean + 1.001 * half}, b0={})
    assert found(results) == (2, 1, 0, 1)
    (row,) = compare(results, ["loss"], ["share", "size"]).outside.to_dict("records")
    assert (row["loss"], row["metric"]) == ("a", "share")
    assert [row[k] for k in ("mean", "std", "this build")] == pytest.approx([100 * mean, 100 * std, 100 * (mean + 1.001 * half)])


def test_more_numbers_widen_the_bound():
    values = reference()["share"][:20]
    far = {"share": values.mean() + 2.8 * values.std()}
    frame = built(a0=far, **{run_id: {} for run_id in IDS[1:]})
    assert compare(built(a0=far), ["loss"], ["share"]).differ == 1
    assert compare(frame, ["loss"], ["share"]).differ == 0


@pytest.mark.parametrize(("size", "outside"), [(4.003, 0), (4.01, 1), (3.997, 0), (3.9, 1)])
def test_a_metric_that_no_seed_changes_may_differ_by_a_tenth_of_a_per_cent(size, outside):
    assert found(built(a0={"size": size})) == (1, 0, 1 - outside, outside)


def test_a_number_that_is_lost_lies_outside_unless_seeds_lose_it_too():
    results = built(a0={"size": math.nan})
    assert found(results) == (1, 0, 0, 1)
    results.reference.loc[5, "size"] = math.nan
    assert found(results) == (1, 0, 1, 0)
    results.reference.loc[0, "size"] = math.nan
    assert found(results) == (1, 1, 0, 0)


def test_one_seed_has_no_spread():
    one = built(a0={"share": 0.9})
    first = Results(EVIDENCE, one.reference.iloc[[0]], one.build.iloc[[0]])
    assert found(first) == (1, 0, 1, 0)


def test_a_run_with_several_rows_counts_once():
    results = built(a0={"share": 0.9}, a1={})
    twice = results.apply(lambda frame: pd.concat([frame, frame]))
    assert found(twice) == (2, 1, 0, 1)


def test_false_alarms_are_as_rare_as_the_level_says():
    """New runs from the distribution of the seeds: any number outside in at most one comparison of twenty."""
    rng, alarms = np.random.default_rng(1), 0
    for _ in range(400):
        frame = reference().assign(share=rng.normal(0.5, 0.05, 40))
        build = frame.assign(share=rng.normal(0.5, 0.05, 40))
        build["run_id"] = build["run_id"].where(frame.index % 20 < 5)
        alarms += compare(Results(EVIDENCE, frame, build), ["loss"], ["share"]).differ > 0
    assert alarms / 400 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("name", PAPERS)
def test_a_build_has_the_rows_of_the_reference(tmp_path, name, monkeypatch):
    """A sample of the committed results as a build: its numbers stand in the rows of its runs, nothing in the others."""
    from lossbook.paths import in_project

    evidence = PAPERS[name].evidence
    text = pd.read_csv(in_project("results") / "quick" / f"{name}.csv", dtype=str)
    wanted = {run.run_id for run in evidence.runs("quick", "some")}
    (tmp_path / "quick").mkdir()
    text[text["run_id"].isin(wanted)].to_csv(tmp_path / "quick" / f"{name}.csv", index=False)
    pair = load_pair(tmp_path, "quick", evidence)
    assert list(pair.build) == list(pair.reference)
    done = pair.reference["run_id"].isin(wanted)
    pd.testing.assert_frame_equal(pair.build[done], pair.reference[done], check_dtype=False)
    spec = ["table", *evidence.spec_columns]
    pd.testing.assert_frame_equal(pair.build[spec], pair.reference[spec])
    assert pair.build.loc[~done].drop(columns=spec).isna().all(axis=None)
