"""The claims of `bce3s` on the numbers that the paper prints: CIFAR100-LT with an imbalance factor of 100 where not said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lossbook.papers.bce3s.checks import Comparisons
from lossbook.papers.bce3s.read import EVIDENCE, with_terms
from lossbook.papers.bce3s.tables import BCE, BCE3S, CE, Terms
from lossbook.papers.claims import Printed
from lossbook.papers.results import printed as printed_rows
from lossbook.papers.results import published
from lossbook.papers.rules import printed, printed_all


def _of_terms(table: str, metric: str) -> pd.Series:
    """A metric of Table 2 or Fig. 2 by the terms of its row."""
    rows = published(EVIDENCE, table)
    return with_terms(rows[rows["metric"] == metric], prefix="").set_index("terms")["value"]


def _one(value: float, bound: float = 0.0) -> Printed:
    return printed(np.array([value]), bound)


def of_terms(table: str, metric: str, one: Terms, other: Terms) -> Printed:
    """One row less another."""
    rows = _of_terms(table, metric)
    return _one(rows[one] - rows[other])


def of_all_terms(comparisons: Comparisons) -> Printed:
    """Several of these differences, of Table 2."""
    gains = {}
    for name, (metric, one, other) in comparisons.items():
        rows = _of_terms("2", metric)
        gains[name] = [rows[one] - rows[other]]
    return printed_all(pd.DataFrame(gains))


def three_terms_are_best() -> Printed:
    """Table 2."""
    rows = _of_terms("2", "accuracy_all")
    gains = (rows[BCE3S] - rows.drop(BCE3S)).rename(index=str)
    return printed_all(gains.to_frame().T, note="against {}")


def joint_with_all_negatives() -> Printed:
    """BCE with r = 1 in Table 6, CE in Table 2."""
    return _one(_by("6", "normalise")["classifier"] - _of_terms("2", "accuracy_all")[CE])


def _by(table: str, key: str, metric: str = "accuracy_all", **columns: str) -> pd.Series:
    return printed_rows(EVIDENCE, table, key, **columns)[metric]


def benchmark_best() -> Printed:
    """Table 3: against every method that is printed for a tail, on CIFAR10-LT and CIFAR100-LT."""
    rows = published(EVIDENCE, "3")
    tails = rows.pivot(index="method", columns=["dataset", "imbalance"], values="value")
    gains = (tails.loc["BCE3S"] - tails.drop(index="BCE3S")).stack(["dataset", "imbalance"])
    gains.index = [f"{method}, {dataset} with IF {factor}" for method, dataset, factor in gains.index]
    return printed_all(gains.to_frame().T, note="against {}")


def second_stage_gain() -> Printed:
    """Table 3 against Table 2."""
    two = _by("3", "method", dataset="cifar100-lt", imbalance=100)["BCE3S"]
    return _one(two - _of_terms("2", "accuracy_all")[BCE3S])


def longer() -> Printed:
    """Table 5: 400 epochs against 180."""
    rows = _by("5", "method")
    return _one(rows["BCE3S (400 ep.)"] - rows["BCE3S (180 ep.)"])


def kept(metric: str) -> Printed:
    """Fig. 5: r = 0.4 against 1."""
    rows = _by("fig-5", "setting", metric, parameter="r")
    return _one(rows[0.4] - rows[1.0])


def classifier_only_is_best() -> Printed:
    """Table 6."""
    rows = _by("6", "normalise")
    return printed_all((rows["classifier"] - rows.drop("classifier")).to_frame().T, note="against normalising {}")


def cost_on_many() -> Printed:
    """What r = 0.4 in Table 2 costs against r = 1 in Table 6."""
    return _one(_by("6", "normalise", "accuracy_many")["classifier"] - _of_terms("2", "accuracy_many")[BCE])


def both_is_like_neither(bound: float) -> Printed:
    """Table 6."""
    rows = _by("6", "normalise")
    return printed(np.array([abs(rows["both"] - rows["neither"])]), bound, above=False)


def features_fail(bound: float) -> Printed:
    """Table 6."""
    rows = _by("6", "normalise")
    return _one(rows["neither"] - rows["features"], bound)


def joint_compactness() -> Printed:
    """Fig. 2."""
    return of_terms("fig-2", "compactness_train", BCE, CE)


def separability() -> Printed:
    """Fig. 10, ImageNet-LT: BCE3S against CE3S."""
    rows = _by("fig-10", "method", "feature_separability_train")
    return _one(rows["BCE3S"] - rows["CE3S"])


def compactness_spread() -> Printed:
    """Fig. 10, ImageNet-LT: CE3S against BCE3S."""
    rows = published(EVIDENCE, "fig-10").query("metric == 'compactness_train'").set_index("method")["std"]
    return _one(rows["CE3S"] - rows["BCE3S"])
