"""The results of `onecold` as numbers: what its figures, tables and claims share.

Errors and areas under curves are in per cent, their differences in percentage points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lossbook.papers.claims import by_seed, failed, means_by, rows_of
from lossbook.papers.onecold.tables import PAIRS, PRINTED, SEARCHES, TABLES
from lossbook.papers.paper import Evidence

EVIDENCE = Evidence(
    name="onecold",
    tables=TABLES,
    searches=SEARCHES,
    shares=("error", "generalisation_gap", "oscr", "auroc", "ood"),
    headings={
        "arg_occe_weight": "γ",
        "generalisation_gap": "gap",
        "nc1": "NC<sub>1</sub>",
        "nc2": "NC<sub>2</sub>",
        "nc3": "NC<sub>3</sub>",
        "nc4": "NC<sub>4</sub>",
        "fisher": "FDR train",
        "fisher_test": "FDR test",
        "dimensions_80": "80 %",
        "dimensions_90": "90 %",
        "dimensions_99": "99 %",
        "oscr": "OSCR",
        "auroc": "AUROC",
        "auroc_msp": "AUROC",
        "ood_digits": "digits",
        "ood_faces": "faces",
        "ood_photographs": "photographs",
        "rank_1": "layer 1",
        "rank_2": "layer 2",
        "rank_logits": "logits",
        "complement_spread": "spread",
    },
)
# The scores of Tables 7 and 8.
OOD_SCORES = ("msp", "odin", "rmds", "energy", "vim", "knn", "dice", "she", "relation", "scale")


def of_loss(results: pd.DataFrame, table: str, loss: str, metric: str, factor: float = 100.0, **columns: Any) -> pd.Series:
    """A metric of one loss in a table, times a factor: one value per seed, the mean over backbones and data sets.

    The mean comes first, so that an interval over the seeds is one over independent trainings.
    """
    return by_seed(rows_of(results, table, objective=loss, **columns), metric, factor)


def at_gamma(results: pd.DataFrame, gamma: float, metric: str, factor: float = 100.0, table: str = "gamma") -> pd.Series:
    """A metric of CE + γ OCCE, times a factor: one value per seed."""
    return of_loss(results, table, "ce+occe", metric, factor, arg_occe_weight=gamma)


def baseline_errors(results: pd.DataFrame) -> pd.DataFrame:
    """Test errors of Table 1: one row per baseline and seed, columns ``without``, ``with``, ``difference``."""
    names = {loss: name for name, pair in PAIRS.items() for loss in pair}
    rows = rows_of(results, "1", objective=list(names))
    side = np.where(rows["objective"].isin([pair[1] for pair in PAIRS.values()]), "with", "without")
    rows = rows.assign(baseline=rows["objective"].map(names), side=side, error=100 * rows["error"])
    wide = rows.pivot(index=["baseline", "seed"], columns="side", values="error")[["without", "with"]]
    return wide.assign(difference=wide["with"] - wide["without"]).reindex(list(PAIRS), level="baseline")


def baseline_gains(results: pd.DataFrame) -> pd.DataFrame:
    """How much lower the test error of the paper's nine baselines is with OCCE: one row per seed, one column per baseline."""

    def gain(without: str, with_: str) -> pd.Series:
        return of_loss(results, "1", without, "error") - of_loss(results, "1", with_, "error")

    return pd.DataFrame({name: gain(*PAIRS[name]) for name in PRINTED})


def printed_errors(printed: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as printed, with the columns of :func:`baseline_errors`: one row per baseline and case (data set and network)."""
    rows = printed[printed["baseline"] != "RCE"]
    rows = rows.assign(case=rows["dataset"] + ", " + rows["model"], side=rows["occe_weight"].map({0.0: "without", 1.0: "with"}))
    wide = rows.pivot(index=["baseline", "case"], columns="side", values="value")[["without", "with"]]
    wide = wide.assign(difference=wide["with"] - wide["without"])
    return wide.reindex(rows["case"].unique(), level="case").reindex(list(PAIRS), level="baseline")


def open_set_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Results of Table 3, one row per prediction: a run with two heads has three.

    Further columns: ``prediction`` (``"ce"``, ``"occe"``, ``"combined"``; empty for one head), ``known`` (how many classes),
    ``method`` (the loss, with its prediction).
    """
    rows = rows.assign(known=rows["classes"].map(len))
    dual = rows["objective"] == "ce+occe-dual"
    parts = [rows[~dual].assign(prediction="")]
    for head in ("ce", "occe", "combined"):
        values = {metric: rows.loc[dual, f"{metric}_{head}"] for metric in ("error", "oscr", "auroc_msp")}
        parts.append(rows[dual].assign(prediction=head, **values))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(method=found["objective"] + np.where(found["prediction"] == "", "", " (" + found["prediction"] + ")"))


def open_set_gains(results: pd.DataFrame, metric: str, loss: str, prediction: str = "") -> pd.Series:
    """A metric of Table 3 less that of CE: one value per seed, each another draw of the known classes."""
    rows = open_set_rows(rows_of(results, "3"))
    means = means_by(rows, ["objective", "prediction", "seed"], metric)
    return means[loss, prediction] - means["soft-d", ""]


def ood_sets(results: pd.DataFrame) -> list[str]:
    """The unknown sets that all runs were measured against, those that failed aside."""
    names = [name for name in results.columns if name.startswith("ood_") and name.count("_") == 1]
    return [name.removeprefix("ood_") for name in names if results.loc[~failed(results), name].notna().all()]


def ood_changes(results: pd.DataFrame, gamma: float) -> pd.DataFrame:
    """What OCCE adds to the AUROC of Table 4's runs: index = score, columns (unknown set, seed); NaN where a run failed."""
    rows = rows_of(results, "4").fillna({"arg_occe_weight": 0.0}).set_index(["arg_occe_weight", "seed"])
    columns = {}
    for name in ood_sets(rows):
        areas = 100 * rows[[f"ood_{name}_{score}" for score in OOD_SCORES]].set_axis(list(OOD_SCORES), axis=1)
        areas = areas.mask(failed(rows), axis=0)
        columns[name] = (areas.loc[gamma] - areas.loc[0.0]).T
    return pd.concat(columns, axis=1)


def ood_gains(results: pd.DataFrame, gamma: float) -> pd.DataFrame:
    """What OCCE adds to the AUROC, mean over the unknown sets: one row per seed, one column per score."""
    return ood_changes(results, gamma).T.groupby(level=1).mean()
