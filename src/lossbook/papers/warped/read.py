"""The results of `warped` as numbers: what pages, figures and claims share."""

from __future__ import annotations

from enum import StrEnum

import pandas as pd

from lossbook.papers.claims import rows_of, values_of
from lossbook.papers.paper import Evidence
from lossbook.papers.warped.searches import EUCLIDEAN, EVERYWHERE, SEARCHES
from lossbook.papers.warped.tables import TABLES

RETRIEVAL = ("recall@1", "recall@2", "recall@4", "recall@8", "P@1", "R-precision", "MAP@R", "NMI", "AMI")
AT_R = ("MAP@R", "R-precision", "P@1")

EVIDENCE = Evidence(
    name="warped",
    tables=TABLES,
    shares=(
        *RETRIEVAL,
        *(f"{part}_{metric}" for part in ("known", "unknown") for metric in RETRIEVAL),
        "corrupted",
        "pair_accuracy",
        "TAR@0.1",
        "TAR@0.01",
    ),
    headings={
        "arg_alpha": "α",
        "arg_k1": "k<sub>1</sub>",
        "arg_k2": "k<sub>2</sub>",
        "arg_margin": "m",
        "arg_temperature": "T",
        "recall@1": "R@1",
        "recall@2": "R@2",
        "recall@4": "R@4",
        "R-precision": "RP",
        "unknown_recall@1": "R@1",
        "unknown_MAP@R": "MAP@R",
        "unknown_NMI": "NMI",
        "train_avg_dtp": "AvgDTP",
        "pair_accuracy": "accuracy",
    },
    searches=SEARCHES,
)


def with_retrieval(results: pd.DataFrame) -> pd.DataFrame:
    """Results with a column ``two_phases`` and, for every retrieval metric, a column without a prefix: that of the unknown
    classes by the distance that the loss works with, Euclidean for distances to proxies, cosine for all others."""
    euclidean = results["objective"].isin(EUCLIDEAN)
    # The frozen tier has no clusters (NMI, AMI), the standard tier no retrieval at all.
    measured = [metric for metric in RETRIEVAL if f"unknown_{metric}" in results]
    own = {m: results[f"unknown_{m}"].where(euclidean, results[f"unknown_{m}_cosine"]) for m in measured}
    return results.assign(two_phases=results["second_phase_epochs"].notna(), **own)


def corrupted(results: pd.DataFrame) -> list[str]:
    """The columns of the corruptions that were run, without that of the clean images."""
    names = [column for column in results if column.startswith("corrupted_") and column != "corrupted_none"]
    return [name for name in names if results[name].notna().any()]


def corrupted_recall(results: pd.DataFrame) -> pd.DataFrame:
    """Mean recall@1 (%): one row per corruption, the clean images first, one column per objective and ``two_phases``."""
    columns = ["corrupted_none", *corrupted(results)]
    means = 100 * results.groupby(["objective", "two_phases"])[columns].mean().T
    names = means.index.str.removeprefix("corrupted_").rename("corruption")
    return means.set_axis(names).rename(index={"none": "uncorrupted"})


class Kind(StrEnum):
    """The kinds of functions in Table III, as its published rows are numbered: ``outward-1``."""

    EQ_4 = "softmax"
    SHARED = "shared"  # another function, f1 = f2
    OUTWARD = "outward"  # half warp
    INWARD = "inward"  # half warp
    WARP = "warp"
    PRETRAINED = "pretrained"  # no function: the embeddings before any training


# The columns by which the functions of Table III differ.
FUNCTION = ["objective", "arg_f1", "arg_alpha", "arg_k1", "arg_k2"]


def _kind(objective: str, alpha: float) -> Kind:
    if objective == "warped-softmax":
        return {EVERYWHERE: Kind.OUTWARD, 0.0: Kind.INWARD}.get(alpha, Kind.WARP)
    return {"euclidean-softmax": Kind.EQ_4, "generalized-softmax": Kind.SHARED}[objective]


def with_kind(results: pd.DataFrame) -> pd.DataFrame:
    """Results of Table III, or their curves, with the ``kind`` of each function."""
    kinds = [_kind(*run) for run in zip(results["objective"], results["arg_alpha"], strict=True)]
    return results.assign(kind=kinds)


def functions(results: pd.DataFrame) -> pd.DataFrame:
    """The runs of Table III with the ``kind`` of their function."""
    return with_kind(rows_of(with_retrieval(results), "III"))


# Settings of the suite ``reality_check`` -> their names in the paper.
SETTINGS = {"complete": "complete", "concatenated": "ensemble", "separated": "aggregate", "validation": "validation"}


def reality_check(results: pd.DataFrame) -> pd.DataFrame:
    """Table VI, one row per run and way to evaluate: ``setting`` and the three scores, NaN where a run failed."""
    rows = rows_of(results, "VI")
    keys = rows[["run_id", "objective", "dataset", "classes", "seed"]]
    parts = [
        keys.assign(setting=name, **{m: values_of(rows, f"{part}_{m}", 1.0) for m in AT_R}) for part, name in SETTINGS.items()
    ]
    return pd.concat(parts, ignore_index=True)
