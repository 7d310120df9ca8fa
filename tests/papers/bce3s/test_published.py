"""The published numbers of `bce3s` (data/published/bce3s): complete, consistent, and as the paper's text quotes them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[3] / "data" / "published" / "bce3s"

GROUPS = ["accuracy_many", "accuracy_medium", "accuracy_few"]
ACCURACIES = [*GROUPS, "accuracy_all"]
TERMS = ["joint", "contrastive", "uniform"]
# Table 2: the joint term alone, then with a contrastive, with a uniform, and with both terms.
COMBINATIONS = [
    *(("ce", "", ""), ("bce", "", "")),
    *((joint, other, "") for joint, other in product(("ce", "bce"), repeat=2)),
    *((joint, "", other) for joint, other in product(("ce", "bce"), repeat=2)),
    *((joint, other, other) for joint, other in product(("ce", "bce"), repeat=2)),
]
# Classes with more than 100, 20 to 100, less than 20 training images.
CLASSES = {"cifar100-lt": (35, 35, 30), "imagenet-lt": (385, 479, 136), "inaturalist2018": (842, 4076, 3224)}
METHODS = {"3": 21, "4": 14, "5": 17, "7": 16}
# Totals that their own groups contradict by more than 0.4 points (table, method, printed, by the groups).
SUMS_APART = {
    ("4", "BCE3S", 57.85, 58.53),
    ("5", "BCL+DODA", 73.70, 73.07),
    ("7", "SSD", 56.60, 55.97),
}


def load(stem: str) -> pd.DataFrame:
    """A published table, every cell the string in the file."""
    return pd.read_csv(FOLDER / f"{stem}.csv", dtype=str, keep_default_na=False)


def wide(table: str, keys: list[str]) -> pd.DataFrame:
    """One row per case, one column per metric, as numbers."""
    frame = load(f"table-{table}").assign(value=lambda f: pd.to_numeric(f["value"]))
    return frame.pivot(index=keys, columns="metric", values="value")


def test_files() -> None:
    stems = {path.stem for path in FOLDER.glob("*.csv")}
    assert stems == {f"table-{n}" for n in range(1, 8)} | {"fig-2", "fig-4", "fig-5", "fig-10"}


@pytest.mark.parametrize(("table", "count"), METHODS.items())
def test_benchmarks_hold_every_cell(table: str, count: int) -> None:
    frame = load(f"table-{table}")
    assert frame["method"].nunique() == count
    if table == "3":
        cells = set(product(("cifar10-lt", "cifar100-lt"), ("100", "50", "10"), ("accuracy_all",)))
        found = frame.groupby("method")[["dataset", "imbalance", "metric"]].apply(
            lambda f: set(f.itertuples(index=False, name=None))
        )
    else:
        cells = set(ACCURACIES)
        found = frame.groupby("method")["metric"].apply(set)
    assert all(cell == cells for cell in found)
    assert len(frame) == count * len(cells)
    assert frame["method"].iloc[-1].startswith("BCE3S")


def test_table_2_holds_every_combination() -> None:
    frame = load("table-2")
    assert list(dict.fromkeys(frame[TERMS].itertuples(index=False, name=None))) == COMBINATIONS
    assert frame["metric"].tolist() == ACCURACIES * len(COMBINATIONS)


def test_table_6_holds_every_normalisation() -> None:
    frame = load("table-6")
    assert frame["normalise"].tolist() == [n for n in ("neither", "features", "classifier", "both") for _ in ACCURACIES]


def by_groups(frame: pd.DataFrame, dataset: str) -> pd.Series:
    """The accuracy over all classes that the three groups add up to."""
    counts = CLASSES[dataset]
    return sum(frame[group] * n for group, n in zip(GROUPS, counts, strict=True)) / sum(counts)


@pytest.mark.parametrize(("table", "keys"), [("2", TERMS), ("6", ["normalise"])])
def test_groups_add_up_to_the_total_on_cifar100(table: str, keys: list[str]) -> None:
    frame = wide(table, keys)
    assert (by_groups(frame, "cifar100-lt") - frame["accuracy_all"]).abs().max() < 0.01


def test_groups_add_up_on_the_large_data_sets_but_for_three_rows() -> None:
    found = set()
    for table in ("4", "5", "7"):
        frame = wide(table, ["dataset", "method"]).dropna()
        for (dataset, method), row in frame.iterrows():
            total = by_groups(row, dataset)
            if abs(total - row["accuracy_all"]) > 0.4:
                found.add((table, method, row["accuracy_all"], round(total, 2)))
    assert found == SUMS_APART


def accuracy(joint: str, contrastive: str = "", uniform: str = "", metric: str = "accuracy_all") -> float:
    return wide("2", TERMS).loc[(joint, contrastive, uniform), metric]


def test_sentences_on_table_2() -> None:
    assert (accuracy("ce"), accuracy("bce")) == (51.48, 52.88)
    assert accuracy("bce", metric="accuracy_many") < accuracy("ce", metric="accuracy_many")
    assert all(accuracy("bce", metric=m) > accuracy("ce", metric=m) for m in ("accuracy_medium", "accuracy_few"))
    assert [accuracy("ce", "ce"), accuracy("ce", "bce"), accuracy("bce", "bce")] == [53.87, 54.15, 54.95]
    assert all(accuracy("ce", "bce", metric=m) > accuracy("ce", "ce", metric=m) for m in ACCURACIES)
    assert [accuracy("ce", "", "bce"), accuracy("bce", "", "bce")] == [52.67, 53.90]
    assert all(accuracy(joint, "", "bce") > accuracy(joint, "", "ce") for joint in ("ce", "bce"))
    assert accuracy("bce", "bce", "bce") == wide("2", TERMS)["accuracy_all"].max() == 55.99


def test_the_same_run_in_two_tables() -> None:
    """Table 2's BCE row is Fig. 5 at r = 0.4; Table 6's classifier row is Fig. 5 at r = 1."""
    fig_5 = load("fig-5").query("parameter == 'r'").assign(value=lambda f: f["value"].astype(float))
    fig_5 = fig_5.pivot(index="setting", columns="metric", values="value")
    for setting, row in (("0.4", wide("2", TERMS).loc[("bce", "", "")]), ("1.0", wide("6", ["normalise"]).loc["classifier"])):
        assert (fig_5.loc[setting] == row[fig_5.columns]).all()
    assert wide("2", TERMS).loc[("bce", "", "bce"), "accuracy_all"] > fig_5.loc["0.4", "accuracy_all"]


def test_without_resampling_bce_does_not_beat_ce_on_the_tail() -> None:
    """What the paper does not say: at r = 1 the published joint BCE is at CE's level, and below it on Few."""
    plain, ce = wide("6", ["normalise"]).loc["classifier"], wide("2", TERMS).loc[("ce", "", "")]
    assert plain["accuracy_few"] < ce["accuracy_few"]
    assert plain["accuracy_many"] < ce["accuracy_many"]
    assert 0 < plain["accuracy_all"] - ce["accuracy_all"] < 0.1


def test_sentences_on_the_benchmarks() -> None:
    three = wide("3", ["dataset", "imbalance", "method"])["accuracy_all"]
    gains = {}
    for (dataset, imbalance), part in three.groupby(level=["dataset", "imbalance"]):
        part = part.droplevel(["dataset", "imbalance"])
        assert part.idxmax() == "BCE3S"
        gains[dataset, imbalance] = round(part["BCE3S"] - part.drop("BCE3S").max(), 2)
    assert [gains["cifar100-lt", i] for i in ("10", "50", "100")] == [1.85, 0.66, 1.09]
    four, five, seven = (wide(table, ["method"]) for table in ("4", "5", "7"))
    assert four["accuracy_medium"].idxmax() == four["accuracy_all"].idxmax() == "BCE3S"
    better_on_few = four.index[four["accuracy_few"] > four.loc["BCE3S", "accuracy_few"]]
    assert set(better_on_few) == {"GCL", "GCL+H2T"}  # the text calls BCE3S the best on Few
    assert {five[m].idxmax() for m in ("accuracy_many", "accuracy_medium", "accuracy_all")} == {"BCE3S (400 ep.)"}
    assert five["accuracy_few"].idxmax() == "ProCo (400 ep.)"
    assert seven.idxmax().drop("accuracy_few").drop("accuracy_medium").unique().tolist() == ["BCE3S"]
    assert seven.loc["BCE3S", "accuracy_all"] == 58.54


def test_table_1_agrees_with_table_3() -> None:
    one, three = load("table-1"), load("table-3").query("dataset == 'cifar100-lt' and imbalance == '100'")
    known = three.set_index("method")["value"]
    named = one[one["method"] != ""]
    assert (named["value"].to_numpy() == known[named["method"]].to_numpy()).all()
    assert (known.value_counts()[named["value"]] == 1).all()
    double = one[one["method"] == ""]
    assert double["value"].tolist() == ["48.60"] and (known == "48.60").sum() == 2
    assert one.loc[one["joint"] != "", ["method", *TERMS, "formula"]].values.tolist() == [["BCE3S", "yes", "yes", "yes", "bce"]]


def test_quoted_geometry() -> None:
    two = load("fig-2").set_index([*TERMS, "metric"])
    assert tuple(two.loc[("bce", "", "", "compactness_train"), ["value", "std"]]) == ("86.02", "5.55")
    assert tuple(two.loc[("bce", "bce", "bce", "compactness_train"), ["value", "std"]]) == ("95.47", "1.81")
    assert tuple(two.loc[("bce", "", "bce", "classifier_separability"), ["value", "std"]]) == ("", "0.106")
    ten = load("fig-10").set_index(["method", "metric"])
    assert tuple(ten.loc[("BCE3S", "compactness_train"), ["value", "std"]]) == ("96.889", "0.790")
    assert tuple(ten.loc[("CE3S", "compactness_train"), ["value", "std"]]) == ("85.868", "2.172")


def test_fig_4_is_consistent() -> None:
    four = load("fig-4").pivot(index="dataset", columns="metric", values="value").apply(pd.to_numeric)
    assert (four["largest"] / four["smallest"] == four["imbalance"]).all()
    assert [sum(CLASSES[name]) for name in CLASSES] == four.loc[list(CLASSES), "classes"].tolist()
    assert (four["largest"] * four["classes"] >= four["images"].fillna(0)).all()


SPOT = [  # typed from the paper a second time
    ("table-3", {"dataset": "cifar10-lt", "imbalance": "50", "method": "GLMC"}, "91.04"),
    ("table-3", {"dataset": "cifar100-lt", "imbalance": "10", "method": "ProCo"}, "65.50"),
    ("table-3", {"dataset": "cifar10-lt", "imbalance": "10", "method": "RBL"}, ""),
    ("table-3", {"dataset": "cifar100-lt", "imbalance": "50", "method": "RIDE+H2T"}, "55.54"),
    ("table-4", {"method": "DiffuLT", "metric": "accuracy_few"}, "39.20"),
    ("table-4", {"method": "RISDA", "metric": "accuracy_many"}, ""),
    ("table-5", {"method": "DR+H2T", "metric": "accuracy_medium"}, "72.32"),
    ("table-5", {"method": "BCE3S (180 ep.)", "metric": "accuracy_all"}, "73.99"),
    ("table-6", {"normalise": "both", "metric": "accuracy_few"}, "16.27"),
    ("table-7", {"method": "GLMC+MS", "metric": "accuracy_medium"}, "55.67"),
    ("table-7", {"method": "NC-DRW", "metric": "accuracy_few"}, "29.00"),
    ("fig-10", {"method": "CE3S", "metric": "feature_separability_train"}, "50.099"),
    ("fig-4", {"dataset": "imagenet-lt", "metric": "images"}, "115846"),
]


@pytest.mark.parametrize(("stem", "keys", "value"), SPOT)
def test_spot_values(stem: str, keys: dict[str, str], value: str) -> None:
    frame = load(stem)
    for key, wanted in keys.items():
        frame = frame[frame[key] == wanted]
    assert frame["value"].tolist() == [value]
