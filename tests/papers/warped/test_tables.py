"""The runs of `warped`: the tables as the paper has them, and fair controls."""

import dataclasses
from itertools import combinations

import pytest

from lossbook.objectives.create import create_objective
from lossbook.papers.warped.read import EVIDENCE
from lossbook.papers.warped.searches import DRAWS, SEARCHES, STARTS, search
from lossbook.papers.warped.tables import TABLES
from lossbook.runs.suites.reality_check import fold_specs


def specs(table: str, tier: str = "quick"):
    return EVIDENCE.table(table).specs[tier]


def differing(first, second) -> set[str]:
    return {f.name for f in dataclasses.fields(first) if getattr(first, f.name) != getattr(second, f.name)}


def test_losses_are_compared_on_the_same_runs():
    tuned = {"lr", "objective_args"}
    for spec in specs("I"):
        changed = differing(spec, specs("I")[0]) - {"objective", "suites"} - tuned
        assert changed == ({"epochs", "second_phase"} if spec.second_phase else set())


def test_two_phases_and_their_control_differ_in_the_warp_and_what_was_tuned():
    control, method = (
        next(s for s in STARTS["quick"]["I"] if s.second_phase and s.objective == name)
        for name in ("euclidean-softmax", "warped-softmax")
    )
    assert differing(control, method) == {"objective", "objective_args", "second_phase"}
    for ours, theirs in zip(method.phases(), control.phases(), strict=True):
        assert differing(ours, theirs) - {"objective", "objective_args"} == set()
        assert ours.objective_args["temperature"] == theirs.objective_args["temperature"]
    assert sum(phase.epochs for phase in method.phases()) == specs("I")[0].epochs
    assert search(control, "I").ladders == search(method, "I").ladders


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_every_run_that_a_claim_reads_is_searched_for(tier):
    """With as many ladders as the others of its table, on classes that it does not train on, and without test images."""
    known = {one.family: one for one in SEARCHES[tier]}
    assert len(known) == len(SEARCHES[tier])
    assert all(one.start and one.spec.validation_share == 0 for one in known.values())
    for table, starts in STARTS[tier].items():
        for spec in starts:
            found = search(spec, table)
            assert found.family in known
            assert len(found.ladders) == (1 if table == "temperature" else 3 if spec.second_phase else 2)
            if table == "VI" and tier == "quick":
                assert found.metric == "validation_MAP@R"
            elif table != "VI":
                assert not set(found.spec.classes) & set(spec.classes)
    assert {table.name for table in TABLES if tier in table.specs} - set(STARTS[tier]) <= {"fig-10"}


def test_the_corner_of_the_slopes_takes_the_settings_of_eq_4():
    corner, plain = (
        next(s for s in specs(table) if s.objective == name and s.objective_args.get("k1", 1) == s.objective_args.get("k2", 1))
        for table, name in (("fig-7", "warped-softmax"), ("I", "euclidean-softmax"))
    )
    assert (corner.lr, corner.objective_args["temperature"]) == (plain.lr, plain.objective_args["temperature"])


def test_the_reality_check_of_the_frozen_tier_draws_halves_of_the_classes():
    halves = [spec.classes for spec in specs("VI", "frozen")]
    assert len(set(halves)) == DRAWS
    assert all(len(half) == 50 and halves.count(half) == 3 for half in halves)
    wide, *_ = specs("VI", "frozen")
    assert search(wide, "VI").family == search(specs("I", "frozen")[0], "I").family


def test_every_spec_makes_an_objective_at_every_tier():
    for table in TABLES:
        for tier in table.specs:
            for spec in {s.objective + str(s.objective_args): s for s in table.specs[tier]}.values():
                for phase in spec.phases():
                    create_objective(phase.objective, 4, 3, **phase.objective_args)


def test_shared_runs_train_once():
    runs = [spec.run_id for table in TABLES for spec in table.runs("quick")]
    assert len(set(runs)) < len(runs)
    warp = next(s for s in specs("I") if s.objective == "warped-softmax")
    for table in ("III", "fig-6", "fig-7", "fig-8", "dtp"):
        assert warp in specs(table), table


def test_paper_tier_has_the_released_values():
    cub, cars, sop = (specs("I", "paper")[k] for k in (1, 4, 7))
    assert [s.objective for s in specs("I", "paper")] == ["euclidean-softmax", "warped-softmax", "proxy-nca++"] * 3
    assert [len(s.classes) for s in (cub, cars, sop)] == [100, 98, 11318]
    assert [s.epochs + s.second_phase["epochs"] for s in (cub, cars, sop)] == [50, 100, 80]
    assert [(s.batch_size, s.batch_classes) for s in (cub, cars, sop)] == [(64, 8), (64, 4), (192, 64)]
    first, second = (phase.objective_args for phase in cub.phases())
    assert first == {"alpha": 28.4, "k1": 0.93, "k2": 1.15, "temperature": 4.525, "margin": 1.3}
    assert second == {"alpha": 24.68, "k1": 0.95, "k2": 1.2, "temperature": 1.0, "margin": 1.3}
    assert (cub.phases()[1].lr, cub.phases()[1].head_lr) == (0.001, 5e-4)
    for spec in (*specs("I", "paper"), *specs("fig-6", "paper"), *specs("III", "paper")):  # at constant rates
        assert all(phase.warmup_epochs == 0 and phase.lr_steps == (phase.epochs,) for phase in spec.phases())
    assert specs("fig-6", "paper")[-1].objective_args["alpha"] == 95
    assert specs("fig-8", "paper")[-1].objective_args["margin"] == 5.5


def test_the_quick_reality_check_leaves_out_every_pair_of_digits():
    unknown = [tuple(sorted(set(range(10)) - set(spec.classes))) for spec in specs("VI")]
    assert set(unknown) == {*combinations(range(10), 2)}
    assert all(unknown.count(pair) == 3 for pair in unknown)


@pytest.mark.parametrize("tier", ["quick", "frozen", "standard", "paper"])
def test_every_run_of_the_reality_check_can_be_folded(tier):
    for spec in specs("VI", tier):
        for fold in fold_specs(spec):
            assert fold.batch_classes <= len(fold.classes)
            if tier != "quick":
                assert fold.embedding_size == 128


def test_fig_10_overfits_fashion_mnist_where_it_is_found():
    table = EVIDENCE.table("fig-10")
    assert {tier: {spec.dataset for spec in runs} for tier, runs in table.specs.items()} == {
        "quick": {"mnist5k"},
        "standard": {"fashion-mnist"},
    }
    for plain, warped in table.specs.values():
        assert plain == warped.replace(objective=plain.objective, objective_args=plain.objective_args)
        assert plain.embedding_size == 2
