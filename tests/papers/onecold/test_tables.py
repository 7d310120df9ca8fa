"""The runs of `onecold`: the paper tier is as printed, the others follow it."""

from __future__ import annotations

import pytest

from lossbook.data.other_sets import OTHER_SETS
from lossbook.papers.onecold.read import EVIDENCE, OOD_SCORES
from lossbook.papers.onecold.tables import GAMMAS, OPEN_SET_LOSSES, PAIRS, SEARCHES
from lossbook.papers.results import published


def test_paper_tier_is_as_printed():
    one = EVIDENCE.table("1").runs("paper")
    schedules = {(spec.dataset, spec.epochs, spec.lr_steps, spec.lr, spec.batch_size, spec.weight_decay) for spec in one}
    assert schedules == {
        ("cifar100", 150, (50, 100), 0.1, 128, 1e-4),
        ("tinyimagenet", 90, (30, 60, 80), 0.1, 128, 1e-4),
    }
    printed = published(EVIDENCE, "1")
    assert {spec.objective for spec in one} == set(printed["loss"])
    assert len({spec.model for spec in one}) == printed["model"].nunique() == 3
    assert {spec.objective_args.get("alpha") for spec in EVIDENCE.table("5").runs("paper")} == {None, 0.1, 0.5}
    assert {len(spec.classes) for spec in EVIDENCE.table("3").runs("paper")} == {4, 20, 40}
    assert len(EVIDENCE.table("gamma").runs("paper")) == 10 * len(EVIDENCE.table("gamma").specs["quick"]) // 2


def test_transfer_makes_the_printed_number_of_steps():
    images = {"stl10": 5_000, "cifar100": 50_000, "tinyimagenet": 100_000, "imagenet1k": 1_281_167}
    for spec in EVIDENCE.table("2").runs("paper"):
        total = spec.epochs * images[spec.dataset] // spec.batch_size
        assert total == pytest.approx(20_000 if spec.dataset == "imagenet1k" else 10_000, rel=0.01)
        shares = [step / spec.epochs for step in spec.lr_steps]
        assert shares == pytest.approx([0.3, 0.6, 0.9], abs=0.06)


def test_transfer_of_the_other_tiers_follows_the_printed_schedule():
    """10,000 updates at the standard tier, 500 at the quick tier, steps of the rate at the same shares."""
    images = {"patches": 120, "cifar100": 50_000, "cifar10": 50_000}
    for tier, updates in (("quick", 500), ("standard", 10_000)):
        for spec in EVIDENCE.table("2").runs(tier):
            assert spec.pretrained and spec.frozen == (tier == "quick")
            assert (spec.lr, spec.weight_decay, spec.momentum) == (0.01, 0.0, 0.9)
            assert spec.epochs * (images[spec.dataset] // spec.batch_size) == pytest.approx(updates, rel=0.02)
            assert [step / spec.epochs for step in spec.lr_steps] == pytest.approx([0.3, 0.6, 0.9], abs=0.02)


def test_named_entities_and_swin_are_listed_at_the_paper_tier():
    six = EVIDENCE.table("6").runs("paper")
    assert {spec.model for spec in six} == set(published(EVIDENCE, "6")["model"])
    assert {(spec.optimizer, spec.batch_size, spec.epochs) for spec in six} == {("adamw", 32, 3)}
    assert len(six) == 4 * 3 * 2 * 5  # networks, learning rates, losses, seeds
    assert {spec.objective_args["occe_weight"] for spec in EVIDENCE.table("swin").runs("paper")} == set(GAMMAS)
    assert all(spec.pretrained for spec in EVIDENCE.table("swin").runs("paper"))


def test_the_course_of_training_is_measured():
    """As in Fig. 4; the paper's own sets are the unknown ones at the paper tier."""
    assert all(spec.evaluate_every for tier in ("quick", "standard", "paper") for spec in EVIDENCE.table("course").runs(tier))
    assert {spec.suites for spec in EVIDENCE.table("4").runs("paper")} == {("ood_printed",)}
    assert {spec.dataset for spec in EVIDENCE.table("4").runs("paper")} == set(OTHER_SETS["ood_printed"])


def test_pairs_are_those_of_table_1_and_bce():
    printed = published(EVIDENCE, "1").query("baseline != 'RCE'")
    wide = printed.pivot_table(index="baseline", columns="occe_weight", values="loss", aggfunc="first", sort=False)
    assert {name: tuple(row) for name, row in zip(wide.index, wide.to_numpy(), strict=True)} == {
        name: pair for name, pair in PAIRS.items() if name != "BCE"
    }
    assert set(OOD_SCORES) == set(published(EVIDENCE, "7")["method"]) - {"average"}


@pytest.mark.parametrize(("tier", "sizes"), [("quick", {4, 6}), ("frozen", {4, 20}), ("paper", {4, 20, 40})])
def test_every_loss_sees_the_same_draws_of_known_classes(tier, sizes):
    """A seed is a draw, so that a difference between two losses on a seed is one on the same classes."""
    table = EVIDENCE.table("3")
    draws = {}
    for spec in table.runs(tier):
        draws.setdefault((spec.dataset, len(spec.classes), spec.seed), {})[spec.objective] = spec.classes
    assert {known for _, known, _ in draws} == sizes
    assert {seed for _, _, seed in draws} == set(range(table.seeds[tier]))
    assert all(set(found) == set(OPEN_SET_LOSSES) and len(set(found.values())) == 1 for found in draws.values())
    assert len({found["soft-d"] for found in draws.values()}) > 0.9 * len(draws)


def test_the_course_of_training_is_that_of_the_sweep():
    """Only what is measured on the way differs."""
    for tier in ("quick", "standard", "paper"):
        runs = (EVIDENCE.table(name).runs(tier) for name in ("gamma", "course"))
        sweep, course = ({spec.replace(evaluate_every=0, suites=()) for spec in specs} for specs in runs)
        assert course <= sweep


def test_a_sweep_for_the_features_has_one_rate():
    for table in ("gamma", "course"):
        for tier in ("quick", "frozen"):
            runs = EVIDENCE.table(table).runs(tier)
            assert all(len({spec.lr for spec in runs if spec.model == model}) == 1 for model in {spec.model for spec in runs})


def test_every_loss_is_searched_for_on_every_network_and_data_set():
    """Of the runs that claims read; transfer has the printed rate."""
    for tier in ("quick", "frozen"):
        families = {search.family for search in SEARCHES[tier]}
        cases = {(s.spec.dataset, s.spec.model, s.spec.objective, str(s.spec.objective_args)) for s in SEARCHES[tier]}
        for name in ("1", "4", "5", "rce", "gamma", "gamma-tuned", "3", "layers"):
            for spec in EVIDENCE.table(name).specs.get(tier, ()):
                assert (spec.dataset, spec.model, spec.objective, str(spec.objective_args)) in cases
        assert len(families) == len(SEARCHES[tier])
