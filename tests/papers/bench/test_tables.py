"""The runs of the bench: equal conditions, draws that were not tuned on, and what is not chosen yet does not run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lossbook.papers.bench.read import EVIDENCE
from lossbook.papers.bench.tables import (
    CHOSEN_FILE,
    COMBINATIONS,
    METHODS,
    TAIL_ONLY,
    bench_specs,
    chosen_settings,
    read_chosen,
    tail_specs,
)
from lossbook.runs.spec import RunSpec


@pytest.mark.parametrize("table", ["bench", "tail"])
@pytest.mark.parametrize("tier", ["quick", "frozen", "standard"])
def test_all_methods_share_all_but_objective_and_rate(table, tier):
    rest = {
        spec.replace(objective="soft-d", objective_args={}, lr=0.1).canonical_json()
        for spec in EVIDENCE.table(table).runs(tier)
        if spec.seed == 0
    }
    assert len(rest) == 1


def test_every_method_has_the_same_budget():
    assert {len(method.settings) for method in METHODS.values()} == {4}
    for method in METHODS.values():
        assert len({tuple(setting.items()) for setting in method.settings}) == 4


@pytest.mark.parametrize(("tier", "draws", "known"), [("quick", 10, 6), ("frozen", 5, 60)])
def test_draws_differ_and_no_reported_one_was_tuned_on(tier, draws, known):
    reported, tuned = ({(spec.seed, spec.classes) for spec in EVIDENCE.table(name).runs(tier)} for name in ("bench", "tuning"))
    assert len(reported) == draws
    assert len({classes for _, classes in reported}) == draws
    assert not {seed for seed, _ in reported} & {seed for seed, _ in tuned}
    assert not {classes for _, classes in reported} & {classes for _, classes in tuned}
    assert all(len(set(classes)) == known for _, classes in reported | tuned)


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_every_method_has_a_chosen_setting(tier):
    assert chosen_settings(tier).keys() == METHODS.keys(), f"tune, then run `lossbook choose bench --tier {tier}`"
    assert len(EVIDENCE.table("tail").specs[tier]) == len(METHODS) + len(COMBINATIONS) + len(TAIL_ONLY)


def test_what_is_not_chosen_yet_does_not_run():
    """Neither a method without a setting, nor a combination whose parent has none, nor a loss that takes the rate of CE."""
    base, chosen = RunSpec(), chosen_settings("quick")
    without = {name: setting for name, setting in chosen.items() if name not in ("CE", "CE3S")}
    every = bench_specs(base, chosen)
    dropped = {spec.run_id for spec in every} - {spec.run_id for spec in bench_specs(base, without)}
    objectives = [spec.objective for spec in every if spec.run_id in dropped]
    assert objectives == ["soft-d", "ce3s", "bce3s", "bce3s"]
    tail = {spec.objective for spec in tail_specs(base, without)}
    assert not tail & {*TAIL_ONLY.values(), "soft-d", "ce3s"}


def test_a_setting_that_the_grid_no_longer_has_counts_as_not_chosen(tmp_path, monkeypatch):
    (tmp_path / "data" / "published").mkdir(parents=True)
    (tmp_path / CHOSEN_FILE).parent.mkdir()
    rows = ("quick,CE,3,0.1,,", "quick,BCE,3,0.2,,", "quick,focal,2,0.1,gamma,1", "quick,old,0,0.1,,")
    (tmp_path / CHOSEN_FILE).write_text("\n".join(["tier,method,setting,lr,argument,value", *rows]))
    monkeypatch.chdir(tmp_path)
    assert read_chosen() == {"quick": {"CE": 3, "focal": 2}}


def test_tables_are_listed_before_anything_is_chosen(tmp_path):
    """Outside a copy of the project there is no file of chosen settings, as there is none before the first tuning."""
    code = "from lossbook.papers.registry import PAPERS; print(*(len(t.runs('quick')) for t in PAPERS['bench'].evidence.tables))"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(len(METHODS) * 4 * 3), "0", "0", "0"]
