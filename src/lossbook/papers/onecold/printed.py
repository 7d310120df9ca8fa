"""The claims of `onecold` on the numbers that the paper prints.  A case is a data set with a network, or with an unknown set."""

from __future__ import annotations

import pandas as pd

from lossbook.papers.claims import Printed, Unit
from lossbook.papers.onecold.read import EVIDENCE, OOD_SCORES, printed_errors
from lossbook.papers.onecold.tables import PRINTED
from lossbook.papers.results import published
from lossbook.papers.rules import printed, printed_all, printed_rank


def _baseline_gains() -> pd.DataFrame:
    """Table 1: error without less error with the one-cold term, one row per case, one column per baseline."""
    errors = printed_errors(published(EVIDENCE, "1"))["difference"].dropna()
    return -errors.unstack("baseline")[list(PRINTED)]


def lower_error() -> Printed:
    return printed(_baseline_gains().to_numpy().ravel())


def almost_all(rank: int, note: str) -> Printed:
    return printed_rank(_baseline_gains(), rank, note=note)


def _losses(table: str, keys: list[str], metric: str = "error", column: str = "loss") -> pd.DataFrame:
    """One row per case, one column per loss."""
    rows = published(EVIDENCE, table)
    return rows[rows["metric"] == metric].pivot(index=keys, columns=column, values="value")


def rce_behind(bound: float) -> Printed:
    """Table 1."""
    rows = published(EVIDENCE, "1")
    rows = rows[rows["baseline"].eq("RCE") | rows["loss"].eq("soft-d")]
    errors = rows.pivot(index=["dataset", "model"], columns="loss", values="value")
    return printed(errors["occe"] - errors["soft-d"], bound)


def rce_few_classes(bound: float) -> Printed:
    """Table 5, its data sets of ten classes."""
    errors = _losses("5", ["dataset"]).loc[["mnist", "cifar10"]]
    return printed((errors["occe"] - errors["soft-d"]).abs(), bound, above=False)


def lower_than_rivals(note: str) -> Printed:
    """Table 1."""
    rows = published(EVIDENCE, "1")
    errors = rows.pivot(index=["dataset", "model"], columns="loss", values="value")
    gains = {"RCE": errors["occe"] - errors["ce+occe"], "label smoothing": errors["label-smoothing"] - errors["ce+occe"]}
    return printed_all(pd.DataFrame(gains), note=note)


def dimensions() -> Printed:
    """Fig. 5a."""
    rows = published(EVIDENCE, "fig-5").pivot(index="share", columns="occe_weight", values="value")
    return printed(rows[10] - rows[0], unit=Unit.DIMENSIONS)


def soft_targets(loss: str, control: str = "ce+occe") -> Printed:
    """Table 5."""
    errors = _losses("5", ["dataset"])
    return printed(errors[control] - errors[loss])


def less_error_everywhere(note: str) -> Printed:
    """Table 5."""
    errors = _losses("5", ["dataset"])
    gains = errors["soft-d"] - errors["ce+occe"]
    return printed_all(pd.DataFrame([gains.to_numpy()], columns=list(gains.index)), note=note)


def open_set(metric: str, loss: str, prediction: str) -> Printed:
    """Table 3, against CE; of an error, how much lower it is."""
    rows = published(EVIDENCE, "3").fillna({"prediction": ""})
    rows = rows[rows["metric"] == metric].pivot(index="dataset", columns=["loss", "prediction"], values="value")
    return printed((-1 if metric == "error" else 1) * (rows[loss, prediction] - rows["soft-d", ""]))


def ood_better() -> Printed:
    """Table 4."""
    areas = _losses("4", ["dataset", "ood_dataset"], "auroc")
    return printed(areas["ce+occe"] - areas["soft-d"])


def ood_all_sets(note: str) -> Printed:
    """Table 4."""
    areas = _losses("4", ["dataset", "ood_dataset"], "auroc")
    gains = areas["ce+occe"] - areas["soft-d"]
    return printed_all(
        pd.DataFrame([gains.to_numpy()], columns=[f"{other} ({known})" for known, other in gains.index]), note=note
    )


def ood_most_scores(rank: int, note: str) -> Printed:
    """Tables 7 and 8."""
    rows = pd.concat([published(EVIDENCE, table) for table in ("7", "8")])
    rows = rows[rows["metric"].eq("auroc") & rows["method"].ne("average") & rows["ood_dataset"].ne("average")]
    areas = rows.pivot(index=["dataset", "ood_dataset"], columns=["occe_weight", "method"], values="value")
    return printed_rank((areas[0.1] - areas[0.0])[list(OOD_SCORES)], rank, note=note)


def ood_accuracy() -> Printed:
    """The accuracies that the text of Sec. 3.4 gives."""
    accuracies = _losses("sec-3.4", ["dataset"], "accuracy")
    return printed(accuracies["ce+occe"] - accuracies["soft-d"])


def transfer() -> Printed:
    """Table 2."""
    errors = _losses("2", ["dataset", "model"])
    return printed(errors["soft-d"] - errors["ce+occe"])
