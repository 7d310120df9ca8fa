"""What the results of `bce3s` mean: terms, stages and methods."""

import pandas as pd

from lossbook.papers.bce3s.read import EVIDENCE, METHODS, ONE_STAGE, Stage, totals_by_groups, with_method, with_stage, with_terms
from lossbook.papers.bce3s.tables import ABLATION, BCE, BCE3S, Terms
from lossbook.papers.results import load_results, published

RUNS = load_results("results", "quick", EVIDENCE)


def test_terms_of_the_runs_are_those_of_their_specs():
    table_2 = with_terms(RUNS[RUNS["table"] == "2"])
    assert table_2["terms"].unique().tolist() == list(ABLATION)
    assert with_terms(RUNS[RUNS["table"] == "6"])["terms"].unique().tolist() == [BCE]
    row = table_2[table_2["terms"] == Terms("ce", "bce")].iloc[0]
    assert (row["arg_joint"], row["arg_contrastive"]) == ("ce", "bce")
    assert pd.isna(row["arg_uniform"])


def test_a_stage_is_one_two_or_two_with_max_norm():
    rows = with_stage(RUNS[RUNS["table"] == "stage2"])
    counts = rows.groupby(["arg_joint", "stage"]).size()
    assert set(counts.index.get_level_values("stage")) == set(Stage)
    assert counts.nunique() == 1
    assert with_stage(RUNS[RUNS["objective"] == "weight-balancing"])["stage"].unique().tolist() == [Stage.MAX_NORM]


def test_methods_have_the_names_of_the_published_tables():
    methods = set(with_method(RUNS[RUNS["table"] == "3"])["method"])
    assert methods == {*METHODS.values(), ONE_STAGE}
    known = {name for table in ("3", "4", "7") for name in published(EVIDENCE, table)["method"]}
    assert methods - known == {"CE", "Balanced softmax", "Weight balancing", ONE_STAGE}
    assert set(with_method(RUNS[RUNS["table"] == "4"])["method"]) == {"CB-Focal", "LDAM", "CE3S", "BCE3S"}


def test_totals_by_the_groups_are_the_mean_over_all_classes():
    found = totals_by_groups().set_index(["table", "method"])
    row = published(EVIDENCE, "7").query("method == 'BCE3S'").set_index("metric")["value"]
    total = (385 * row["accuracy_many"] + 479 * row["accuracy_medium"] + 136 * row["accuracy_few"]) / 1000
    assert abs(found.loc[("7", "BCE3S"), "by the groups"] - total) < 1e-9
    assert found.loc[("7", "BCE3S"), "printed"] == row["accuracy_all"]


def test_accuracies_are_shares_and_geometry_is_not():
    assert EVIDENCE.is_share("accuracy_few")
    assert not EVIDENCE.is_share("compactness_train")
    assert BCE3S.columns == {"arg_joint": "bce", "arg_contrastive": "bce", "arg_uniform": "bce"}
