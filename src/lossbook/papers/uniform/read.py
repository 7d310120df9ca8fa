"""The results of `uniform` as numbers: what claims, pages and figures share."""

from __future__ import annotations

import pandas as pd

from lossbook.papers.claims import by_seed
from lossbook.papers.paper import Evidence
from lossbook.papers.uniform.tables import SEARCHES, SOFTMAX_LOSSES, TABLES

EVIDENCE = Evidence(
    name="uniform",
    tables=TABLES,
    searches=SEARCHES,
    shares=("A_SW", "A_CW", "A_Uni", "rejection", "verification", "open_accuracy", "auroc"),
    headings={
        "arg_scale": "γ",
        "arg_bias_mode": "mode",
        "arg_bias_start": "start of b",
        "A_SW": "A<sub>SW</sub>",
        "A_CW": "A<sub>CW</sub>",
        "A_Uni": "A<sub>Uni</sub>",
        "A_Uni_free": "A<sub>Uni</sub>",
        "A_Uni_learned": "A<sub>Uni</sub> at b",
        "threshold": "t*",
        "threshold_free": "best",
        "threshold_learned": "learned",
        "overlap_positive_min_mean": "min +",
        "overlap_negative_max_mean": "max −",
        "overlap_width": "width",
        "overlap_positive_min_std": "min +",
        "overlap_negative_max_std": "max −",
        "rejection_train": "t train",
        "rejection_95": "t 95 %",
        "rejection_learned": "t learned",
        "rejection_best": "t best",
        "auroc": "AUROC",
        "open_accuracy": "open set",
        "verification": "t known",
        "verification_best": "t best",
    },
)


def bce_gains(rows: pd.DataFrame, metric: str) -> pd.Series:
    """BCE less softmax, in percentage points, each the mean over its losses: one value per draw of the known classes."""
    softmax = rows["objective"].isin(SOFTMAX_LOSSES)
    bce, soft = (by_seed(part, metric) for part in (rows[~softmax], rows[softmax]))
    return bce - soft
