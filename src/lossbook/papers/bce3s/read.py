"""The results of `bce3s` as numbers: what claims, pages and figures share."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from lossbook.papers.bce3s.tables import SEARCHES, TABLES, Terms
from lossbook.papers.paper import Evidence
from lossbook.papers.results import printed

EVIDENCE = Evidence(
    name="bce3s",
    tables=TABLES,
    searches=SEARCHES,
    shares=("accuracy",),
    headings={
        "arg_joint": "joint",
        "arg_contrastive": "contrastive",
        "arg_uniform": "uniform",
        "arg_lambda_ss": "λ<sub>ss</sub>",
        "arg_lambda_cc": "λ<sub>cc</sub>",
        "arg_tau": "τ",
        "arg_r": "r",
        "arg_resampling": "drawn for",
        "arg_normalise": "normalised",
        "imbalance": "IF",
        "accuracy_all": "All",
        "accuracy_many": "Many",
        "accuracy_medium": "Med.",
        "accuracy_few": "Few",
        "compactness_train": "compactness, train",
        "compactness_test": "compactness, test",
        "feature_separability_train": "separability, train",
        "feature_separability_test": "separability, test",
        "classifier_separability": "classifier separability",
    },
)

GROUPS = ("accuracy_many", "accuracy_medium", "accuracy_few", "accuracy_all")
# Classes with more than 100, 20 to 100, less than 20 training images, in the data sets of the tables.
GROUP_SIZES = {"4": (385, 479, 136), "5": (842, 4076, 3224), "7": (385, 479, 136)}
# Objective of a run -> its method, by the name in the published tables 3 to 7 if it is in one of them.
METHODS = {
    "soft-d": "CE",
    "cb-focal": "CB-Focal",
    "ldam": "LDAM",
    "logit-adjustment": "Logit Adj.",
    "balanced-softmax": "Balanced softmax",
    "weight-balancing": "Weight balancing",
    "bce3s": "BCE3S",
}
ONE_STAGE = "BCE3S, one stage"  # not in the paper, whose BCE3S has two


class Stage(StrEnum):
    """How far a run trains: features and classifier; the classifier once more; and with a bound on its vectors' length."""

    ONE = "one stage"
    TWO = "two stages"
    MAX_NORM = "two, MaxNorm"


def with_terms(frame: pd.DataFrame, prefix: str = "arg_") -> pd.DataFrame:
    """Add the column ``terms`` (:class:`Terms`), from the columns ``joint``, ``contrastive`` and ``uniform``."""
    forms = frame[[f"{prefix}{name}" for name in ("joint", "contrastive", "uniform")]].astype(object)
    return frame.assign(terms=[Terms(*row) for row in forms.where(forms.notna(), None).itertuples(index=False)])


def with_stage(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``stage`` (:class:`Stage`)."""
    second, bounded = frame["second_phase_epochs"].notna(), frame["second_phase_arg_max_norm"].notna()
    stage = pd.Series(Stage.ONE, frame.index).mask(second, Stage.TWO).mask(bounded, Stage.MAX_NORM)
    return frame.assign(stage=stage)


def with_method(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``method``: the name in the published tables, whose BCE3S has its second stage."""
    method = frame["objective"].map(METHODS)
    bce3s, ce3s = frame["objective"].eq("bce3s"), frame["arg_joint"].eq("ce")
    one_stage = with_stage(frame)["stage"].eq(Stage.ONE)
    return frame.assign(method=method.mask(bce3s & ce3s, "CE3S").mask(bce3s & ~ce3s & one_stage, ONE_STAGE))


def totals_by_groups() -> pd.DataFrame:
    """The complete rows of Tables 4, 5 and 7: the printed total, the one that the groups add up to, and their difference."""
    frames = []
    for table, sizes in GROUP_SIZES.items():
        rows = printed(EVIDENCE, table, "method").dropna()
        total = (rows[list(GROUPS[:3])] * np.array(sizes)).sum(axis=1) / sum(sizes)
        columns = {"table": table, "method": rows.index, "printed": rows["accuracy_all"], "by the groups": total}
        frames.append(pd.DataFrame(columns).reset_index(drop=True))
    return pd.concat(frames, ignore_index=True).assign(difference=lambda f: f["printed"] - f["by the groups"])
