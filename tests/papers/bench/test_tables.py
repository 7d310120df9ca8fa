"""The runs of the bench: equal conditions, tuned on draws that are not reported, on images that are no test images."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lossbook.papers.bench.read import EVIDENCE
from lossbook.papers.bench.tables import BENCH_SEARCHES, COMBINATIONS, METHODS, SEARCHES, TAIL_ONLY, TUNED_ON
from lossbook.papers.tuning import chosen, tuned

ALL = METHODS | COMBINATIONS


@pytest.mark.parametrize("table", ["bench", "tail"])
@pytest.mark.parametrize("tier", ["quick", "frozen", "standard"])
def test_all_methods_share_all_but_objective_and_rate(table, tier):
    rest = {
        spec.replace(objective="soft-d", objective_args={}, lr=0.1).canonical_json()
        for spec in EVIDENCE.table(table).runs(tier)
        if spec.seed == 0
    }
    assert len(rest) == 1


@pytest.mark.parametrize("name", ALL)
def test_a_search_starts_at_the_methods_own_arguments(name):
    method = ALL[name]
    for tier in ("quick", "frozen"):
        search = BENCH_SEARCHES[tier][name]
        assert search.ladders.keys() == {"lr", *(f"arg_{argument}" for argument in method.ladders)}
        place = search.start
        assert {f"arg_{argument}": method.arguments[argument] for argument in method.ladders} == {
            key: value for key, value in search.setting(place).items() if key != "lr"
        }


@pytest.mark.parametrize(("tier", "draws", "known"), [("quick", 20, 6), ("frozen", 10, 60)])
def test_draws_differ_and_no_reported_one_was_tuned_on(tier, draws, known):
    reported = {(spec.seed, spec.classes) for spec in EVIDENCE.table("bench").runs(tier)}
    searched = [run for search in BENCH_SEARCHES[tier].values() for run in search.runs(search.start)]
    tuned_on = {(run.seed, run.classes) for run in searched}
    assert {seed for seed, _ in tuned_on} == {*TUNED_ON}
    assert all(run.validation_share for run in searched)
    assert len(reported) == draws
    assert len({classes for _, classes in reported}) == draws
    assert not {seed for seed, _ in reported} & {seed for seed, _ in tuned_on}
    assert not {classes for _, classes in reported} & {classes for _, classes in tuned_on}
    assert all(len(set(classes)) == known for _, classes in reported | tuned_on)


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_every_run_has_its_tuned_setting(tier):
    searches = SEARCHES[tier]
    assert len(searches) == 2 * len(ALL) + len(TAIL_ONLY)
    assert all(chosen("bench", search) is not None for search in searches), f"run `lossbook tune bench --tier {tier}`"
    specs = {tuned("bench", search).run_id for search in searches}
    assert {spec.run_id for name in ("bench", "tail") for spec in EVIDENCE.table(name).specs[tier]} == specs


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_the_slow_cross_entropy_differs_by_its_rate_only(tier):
    slow = EVIDENCE.table("slow").runs(tier)
    usual = [run for run in EVIDENCE.table("bench").runs(tier) if run.objective == "soft-d"]
    assert [run.lr for run in slow] == pytest.approx([run.lr / 10 for run in usual])
    assert [run.replace(lr=0.1) for run in slow] == [run.replace(lr=0.1) for run in usual]


def test_tables_are_listed_before_anything_is_chosen(tmp_path):
    """Outside a copy of the project there is no file of chosen settings, as there is none before the first tuning."""
    code = "from lossbook.papers.registry import PAPERS; print(*(len(t.runs('quick')) for t in PAPERS['bench'].evidence.tables))"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(20 * len(ALL)), "20", str(20 * (len(ALL) + len(TAIL_ONLY)))]
