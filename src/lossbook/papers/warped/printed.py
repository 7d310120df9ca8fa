"""The claims of `warped` on the numbers that the paper prints.  A case is a data set, a corruption, or a setting of these."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lossbook.papers.claims import Printed, Unit
from lossbook.papers.results import published
from lossbook.papers.rules import printed, printed_all
from lossbook.papers.warped.read import EVIDENCE

WARP, SOFTMAX, NCA, ARCFACE = "Warped-Softmax", "Softmax (Eq. 4)", "ProxyNCA++", "ArcFace"
# Those of our baselines that Table I has with a ResNet-50, by the group of rows whose images were chosen in the same way.
_BASELINES = {"Normalized Softmax": "no-validation", "Proxy-Anchor": "no-validation", NCA: "validation"}
# The same eight in Tables VI to VIII, one or another on each data set.
_COMPLETE = ("Contrastive", "Multi-Similarity", "SoftTriple", "Normalized Softmax", "CosFace", "ArcFace", "Proxy-Anchor", NCA)
_SHARED, _OUTWARD, _INWARD = ("shared-1", "shared-2", "shared-3"), ("outward-1", "outward-2"), ("inward-1", "inward-2")


def _table_1(method: str, group: str = "") -> pd.Series:
    """R@1 of a method with a ResNet-50 of 512 dimensions, small images and nothing added, by data set."""
    rows = published(EVIDENCE, "I")
    rows = rows[rows["method"].eq(method) & rows["metric"].eq("R@1") & rows["backbone"].eq("R512")]
    rows = rows[rows["large_images"].eq("no") & rows["extra_components"].eq("no")]
    return rows[rows["group"].str.startswith(group)].set_index("dataset")["value"]


def beats_euclidean() -> Printed:
    """Table I."""
    return printed(_table_1(WARP, "no-validation") - _table_1(SOFTMAX))


def every_metric() -> Printed:
    """Table I, images of the small size: each of its metrics, on the data sets that have it."""
    rows = published(EVIDENCE, "I").query("group == 'no-validation' and large_images == 'no'")
    scores = rows[rows["method"].isin([WARP, SOFTMAX])].pivot(index=["dataset", "metric"], columns="method", values="value")
    return printed_all((scores[WARP] - scores[SOFTMAX]).unstack("metric"))


def beats_proxy_nca() -> Printed:
    """Table I, the rows tuned on a validation set."""
    return printed(_table_1(WARP, "validation") - _table_1(NCA))


def above_all_baselines() -> Printed:
    """Table I: the three of the eight that it has with the same network."""
    gains = {name: _table_1(WARP, group) - _table_1(name) for name, group in _BASELINES.items()}
    return printed_all(pd.DataFrame(gains), note="against {}")


def _function(row: str, others: tuple[str, ...]) -> Printed:
    """Table III: R@1 of one row less each of others."""
    recall = published(EVIDENCE, "III").query("metric == 'R@1'").set_index("row")["value"]
    return printed_all((recall[row] - recall[list(others)]).to_frame().T, note="against {}")


def identity_best() -> Printed:
    return _function("softmax", _SHARED)


def outward_fails() -> Printed:
    return _function("softmax", _OUTWARD)


def inward_fails() -> Printed:
    return _function("softmax", _INWARD)


def _away(rows: tuple[str, ...], above: bool) -> Printed:
    """Table III: AvgDTP of some rows against that of Eq. 4, in per cent.  Of the half warps only: what a function of both
    distances is, was inferred from its AvgDTP."""
    distance = published(EVIDENCE, "III").query("metric == 'AvgDTP'").set_index("row")["value"]
    longer = 100 * (distance[list(rows)] / distance["softmax"] - 1)
    return printed_all(longer.to_frame().T, above=above, unit=Unit.PERCENT, note="for {}")


def outward_far() -> Printed:
    return _away(_OUTWARD, above=True)


def inward_near() -> Printed:
    return _away(_INWARD, above=False)


def middle_dtp_best() -> Printed:
    """The warp with α near 8 against the rows with the smallest and the largest AvgDTP."""
    distance = published(EVIDENCE, "III").query("metric == 'AvgDTP'").set_index("row")["value"]
    return _function("warp-8", (distance.idxmin(), distance.idxmax()))


def robust(method: str, control: str, lost: bool = False) -> Printed:
    """Table IV; with ``lost``, against the clean images."""
    recall = published(EVIDENCE, "IV").pivot(index="corruption", columns="method", values="value")
    clean = recall.loc["uncorrupted"] if lost else 0.0
    recall = recall.drop(index="uncorrupted") - clean
    return printed(recall[method] - recall[control])


def _reality() -> pd.DataFrame:
    """MAP@R of Tables VI-VIII: one row per data set and method, one column per setting."""
    rows = pd.concat([published(EVIDENCE, table) for table in ("VI", "VII", "VIII")])
    rows = rows[rows["metric"] == "MAP@R"]
    rows = rows.assign(setting=rows["setting"].str.partition("-")[0])
    return rows.pivot(index=["dataset", "method"], columns="setting", values="value")


def above_all_baselines_map() -> Printed:
    """Tables VI-VIII, one complete model."""
    scores = _reality()["complete"].unstack("method")
    return printed_all(scores[list(_COMPLETE)].rsub(scores[WARP], axis=0), note="against {}")


def reality_nca() -> Printed:
    """Tables VI-VIII, setting by setting."""
    scores = _reality()
    return printed_all(scores.xs(WARP, level="method") - scores.xs(NCA, level="method"))


def reality_setting(better: str, other: str) -> Printed:
    """Tables VI-VIII, all methods."""
    scores = _reality()
    return printed(scores[better] - scores[other])


def verification(method: str, control: str) -> Printed:
    """Table V."""
    accuracy = published(EVIDENCE, "V").pivot(index="dataset", columns="method", values="value")
    return printed(np.asarray(accuracy[method] - accuracy[control]))
