"""Tables and claims of `bce3s`: every printed row has its run, and every claim can be false."""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.paper import get_paper
from lossbook.papers.bce3s.experiment import ABLATION, CLAIMS, IMBALANCES, NORMALISATIONS
from lossbook.papers.results import published
from lossbook.runs.records import runs_frame
from lossbook.runs.train import RunResult

PAPER = get_paper("bce3s")


def forms(spec) -> tuple:
    return tuple(spec.objective_args[term] for term in ("joint", "contrastive", "uniform"))


def test_table_2_has_every_printed_row_in_its_order():
    printed = published("bce3s", "2")[["joint", "contrastive", "uniform"]].drop_duplicates()
    printed = [tuple(None if value != value else value for value in row) for row in printed.itertuples(index=False)]
    assert printed == list(ABLATION)
    for tier in ("quick", "standard", "paper"):
        first = [spec for spec in PAPER.table("2").runs(tier) if spec.seed == 0 and spec.dataset != "cifar10"]
        assert [forms(spec) for spec in first] == list(ABLATION)


def test_table_3_has_every_printed_tail():
    printed = published("bce3s", "3")
    assert set(printed["imbalance"]) == set(IMBALANCES)
    runs = PAPER.table("3").runs("paper")
    pairs = {(spec.dataset, spec.imbalance) for spec in runs}
    assert pairs == set(itertools.product(("cifar10", "cifar100"), IMBALANCES))
    assert {spec.imbalance for spec in PAPER.table("3").runs("quick")} == set(IMBALANCES)


def test_table_6_has_every_printed_normalisation():
    assert set(published("bce3s", "6")["normalise"]) == set(NORMALISATIONS)
    for spec in PAPER.table("6").runs("paper"):
        assert spec.objective_args["r"] == 1
        assert forms(spec) == ("bce", None, None)


def test_paper_tier_is_as_printed():
    for name in ("2", "3", "6", "fig-5-r", "fig-5-lambda-cc", "fig-5-contrastive", "stage2", "views"):
        for spec in PAPER.table(name).runs("paper"):
            assert (spec.epochs, spec.batch_size, spec.lr, spec.weight_decay) == (320, 64, 0.01, 5e-3)
    for name, model in (("4", "resnet50"), ("7", "resnext50_32x4d")):
        for spec in PAPER.table(name).runs("paper"):
            assert (spec.dataset, spec.model) == ("imagenet-lt", model)
            assert (spec.epochs, spec.batch_size, spec.lr, spec.weight_decay) == (200, 128, 0.05, 5e-4)
    long = PAPER.table("5").runs("paper")
    assert {(s.dataset, s.batch_size, s.lr, s.weight_decay) for s in long} == {("inaturalist2018", 256, 0.1, 1e-4)}
    assert [spec.epochs for spec in long] == [180, 400]


@pytest.mark.parametrize("table", ["3", "4", "5", "7", "stage2"])
def test_second_stages_freeze_the_features_and_balance_the_classes(table):
    two = [spec for tier in ("quick", "paper") for spec in PAPER.table(table).runs(tier) if spec.then]
    assert two
    for spec in two:
        second = spec.phases()[1]
        assert second.frozen
        assert second.objective_args["beta"] == 0.9999
        assert second.objective_args.get("contrastive") is None
        assert second.objective_args.get("uniform") is None


def test_both_forms_train_alike():
    """One rate, one decay, one length for all rows of a table: a difference is the loss's."""
    for name in ("2", "6", "fig-5-r", "fig-5-lambda-cc", "fig-5-contrastive"):
        specs = PAPER.table(name).runs("quick")
        assert len({spec.replace(objective_args={}, seed=0).run_id for spec in specs}) == 1


# Claims on made-up results ----------------------------------------------------------------------------------------


@functools.cache
def made_up(value) -> pd.DataFrame:
    """Results of the quick tier with metrics ``value(spec, name)``."""
    metrics = ("accuracy_all", "accuracy_many", "accuracy_few", "compactness_train", "compactness_test")
    metrics += ("feature_separability_train", "classifier_separability", "classifier_separability_std")
    metrics += ("pair_separability_std",)
    frames = []
    for table in PAPER.tables:
        records = []
        for spec in table.runs("quick"):
            values = {name: value(spec, name) + 1e-4 * spec.seed for name in metrics}
            result = RunResult(spec, values, {}, {}, 0.0, "cpu")
            records.append({"run_id": spec.run_id, "code": "", "spec": spec.to_dict(), "metrics": result.metrics})
            records[-1] |= {"seconds": 0.0, "device": "cpu", "provenance": {}}
        frames.append(runs_frame(records, table.name))
    return pd.concat(frames, ignore_index=True)


def as_the_paper_says(spec, name: str) -> float:
    """A world in which every claim holds."""
    arguments = spec.objective_args
    if spec.objective != "bce3s":
        return 0.4
    joint, contrastive, uniform = forms(spec)
    bce = (joint == "bce") + 0.5 * (contrastive == "bce") + 0.5 * (uniform == "bce")
    if name == "classifier_separability":
        return 55.5
    if name in ("classifier_separability_std", "pair_separability_std"):
        return 1.0 - 0.5 * (uniform is not None) - 0.3 * (uniform == "bce") + 0.2 * (contrastive is not None)
    if name.startswith(("compactness", "feature_separability")):
        return 50 + 10 * bce
    if name == "accuracy_many":
        return 0.9 - 0.1 * (joint == "bce")
    value = 0.5 + 0.05 * bce + (0.05 if spec.then else 0) + 0.0005 * spec.epochs
    value -= 0.02 * abs(np.log2(arguments.get("r", 0.4) / 0.4)) + 0.01 * abs(np.log(arguments.get("lambda_cc", 1.25)))
    value -= {"classifier": 0.0, "neither": 0.05, "both": 0.05, "features": 0.4}[arguments.get("normalise", "classifier")]
    return value - (0.2 if arguments.get("lambda_ss", 0) * (1 / arguments.get("tau", 1)) > 50 else 0)


def nothing_matters(spec, name: str) -> float:
    return 0.5


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_holds_where_the_paper_is_right_and_not_where_nothing_matters(claim):
    assert claim.check(made_up(as_the_paper_says)).word == "reproduced"
    assert claim.check(made_up(nothing_matters)).word in ("not reproduced", "undecided")


def test_claims_name_pages_and_ids_once():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    pages = ("05-ablation", "06-benchmarks", "07-parameters", "08-geometry")
    assert {claim.page for claim in CLAIMS} == set(pages)
