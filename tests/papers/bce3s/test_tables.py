"""The tables of `bce3s`: every printed row has its run."""

import itertools

import pytest

from lossbook.papers.bce3s.read import EVIDENCE, with_terms
from lossbook.papers.bce3s.tables import (
    ABLATION,
    BCE,
    BCE3S,
    CE,
    CE3S,
    IMBALANCES,
    LENGTHS,
    NORMALISATIONS,
    Terms,
    family_terms,
    search,
)
from lossbook.papers.results import published


def terms(spec) -> Terms:
    return Terms(*(spec.objective_args[term] for term in ("joint", "contrastive", "uniform")))


def test_table_2_has_every_printed_row_in_its_order():
    assert with_terms(published(EVIDENCE, "2"), prefix="")["terms"].unique().tolist() == list(ABLATION)
    for tier in ("quick", "paper"):
        first = [spec for spec in EVIDENCE.table("2").runs(tier) if spec.seed == 0 and spec.dataset != "cifar10"]
        assert [terms(spec) for spec in first] == list(ABLATION)


def test_table_3_has_every_printed_tail():
    printed = published(EVIDENCE, "3")
    assert set(printed["imbalance"]) == set(IMBALANCES)
    runs = EVIDENCE.table("3").runs("paper")
    pairs = {(spec.dataset, spec.imbalance) for spec in runs}
    assert pairs == set(itertools.product(("cifar10", "cifar100"), IMBALANCES))
    assert {spec.imbalance for spec in EVIDENCE.table("3").runs("quick")} == set(IMBALANCES)


def test_table_6_has_every_printed_normalisation():
    assert set(published(EVIDENCE, "6")["normalise"]) == set(NORMALISATIONS)
    for spec in EVIDENCE.table("6").runs("paper"):
        assert spec.objective_args["r"] == 1
        assert terms(spec) == BCE


def test_paper_tier_has_the_printed_epochs_and_rates():
    for name in ("2", "3", "6", "fig-5-r", "fig-5-lambda-cc", "fig-5-contrastive", "stage2", "views"):
        for spec in EVIDENCE.table(name).runs("paper"):
            assert (spec.epochs, spec.batch_size, spec.lr, spec.weight_decay) == (320, 64, 0.01, 5e-3)
    for name, model in (("4", "resnet50"), ("7", "resnext50_32x4d")):
        for spec in EVIDENCE.table(name).runs("paper"):
            assert (spec.dataset, spec.model) == ("imagenet-lt", model)
            assert (spec.epochs, spec.batch_size, spec.lr, spec.weight_decay) == (200, 128, 0.05, 5e-4)
    long = EVIDENCE.table("5").runs("paper")
    assert {(s.dataset, s.batch_size, s.lr, s.weight_decay) for s in long} == {("inaturalist2018", 256, 0.1, 1e-4)}
    assert [spec.epochs for spec in long] == [180, 400]


@pytest.mark.parametrize("table", ["3", "4", "5", "7", "stage2"])
def test_second_stages_freeze_the_features_and_balance_the_classes(table):
    two = [spec for tier in ("quick", "paper") for spec in EVIDENCE.table(table).runs(tier) if spec.second_phase]
    assert two
    for spec in two:
        second = spec.phases()[1]
        assert second.frozen
        assert second.objective_args["beta"] == 0.9999
        assert second.objective_args.get("contrastive") is None
        assert second.objective_args.get("uniform") is None


def bare(spec):
    """A run without its tuned rates, its objective's arguments, its suites and its seed."""
    stage = {name: value for name, value in spec.second_phase.items() if name not in ("lr", "objective_args")}
    return spec.replace(objective="soft-d", objective_args={}, lr=1.0, second_phase=stage, suites=(), seed=0).run_id


def test_runs_of_a_table_differ_in_objective_and_tuned_rates_only():
    for tier, tables in {
        "quick": ("2", "4", "6", "7", "fig-5-r", "fig-5-lambda-cc", "fig-5-contrastive", "stage2"),
        "frozen": ("2", "stage2"),
    }.items():
        for name in tables:
            one_stage = [spec for spec in EVIDENCE.table(name).runs(tier) if not spec.second_phase]
            two_stages = [spec for spec in EVIDENCE.table(name).runs(tier) if spec.second_phase]
            for specs in (one_stage, two_stages):
                assert len({bare(spec) for spec in specs}) <= 1, (tier, name)


@pytest.mark.parametrize("tier", ["quick", "frozen"])
def test_every_run_is_searched_for_by_one_rule(tier):
    searches = {one.family: one for one in EVIDENCE.searches[tier]}
    for spec in EVIDENCE.runs(tier):
        found = searches[search(spec).family]
        assert found.metric == "accuracy_all"
        assert set(found.ladders) == {"lr", *(["second_phase_lr"] if spec.second_phase else [])}
        found.start  # noqa: B018  (an error if it is on no ladder)
        assert found.spec.weight_decay == 5e-3


def test_tables_that_claims_read_have_twenty_seeds():
    read = {"2", "3", "5", "6", "fig-5-r", "fig-5-lambda-cc", "fig-5-contrastive", "stage2"}
    for tier in ("quick", "frozen"):
        seeds = {table.name: table.seeds.get(tier, 3) for table in EVIDENCE.tables if table.runs(tier)}
        assert {name for name, count in seeds.items() if count == 20} == read & set(seeds)


def test_the_longer_training_of_table_5_is_as_many_times_as_long_as_in_the_paper():
    short, long = LENGTHS
    assert long == round(short * 400 / 180)
    assert [spec.epochs for spec in EVIDENCE.table("5").specs["quick"]] == [short, long]


def test_terms_are_named_as_in_the_paper():
    assert [str(one) for one in (CE, BCE, CE3S, BCE3S)] == ["CE", "BCE", "CE3S", "BCE3S"]
    assert [str(one) for one in family_terms("ce", "bce")] == ["CE", "CE + ss (BCE)", "CE + cc (BCE)", "CE + ss, cc (BCE)"]
    assert len({str(one) for one in ABLATION}) == len(ABLATION) == 14
