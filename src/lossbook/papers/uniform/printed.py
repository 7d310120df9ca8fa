"""The claims of `uniform` on the numbers that the paper prints.

A case is a backbone on a data set; Tables III, X and XI have one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lossbook.papers.claims import Printed, Unit
from lossbook.papers.results import published
from lossbook.papers.rules import printed, printed_all
from lossbook.papers.uniform.read import EVIDENCE
from lossbook.papers.uniform.tables import COSINE, LINEAR, loss_names

_WITH_SOFTMAX = {"II": "S.II", "V": "S.III", "VI": "S.IV", "VII": "S.V", "VIII": "S.VI", "IX": "S.VII"}


def _losses(table: str, metric: str) -> pd.DataFrame:
    """One row per case, one column per loss."""
    rows = published(EVIDENCE, table)
    rows = rows[(rows["metric"] == metric) & (rows.get("phase", "fine-tuning") == "fine-tuning")]
    return rows.pivot(index=["dataset", "model"], columns="loss", values="value")


def _column(table: str, metric: str, key: str, **columns: str) -> pd.Series:
    """The numbers of a table of one case, by ``key``."""
    rows = published(EVIDENCE, table)
    rows = rows[rows["metric"] == metric]
    for name, value in columns.items():
        rows = rows[rows[name] == value]
    return rows.set_index(key)["value"]


def bce_minus_softmax(metric: str, heads: Sequence[str]) -> Printed:
    """Table II."""
    table = _losses("II", metric)
    bce, softmax = (table[loss_names([name], heads)].mean(axis=1) for name in ("bce", "soft"))
    return printed(bce - softmax)


def small_data_gain() -> Printed:
    """Tables V-IX: five data sets, three networks."""
    table = pd.concat(_losses(name, "A_Uni") for name in ("V", "VI", "VII", "VIII", "IX"))
    gains = {}
    for head, names in (("linear", LINEAR), ("cosine", COSINE)):
        bce, softmax = (table[loss_names([name], names)].mean(axis=1) for name in ("bce", "soft"))
        gains[f"{head} head"] = bce - softmax
    return printed_all(pd.DataFrame(gains), note="with a {}")


def gains_are_ordered() -> Printed:
    """Table II."""
    auni, acw, asw = (_gain(metric) for metric in ("A_Uni", "A_CW", "A_SW"))
    return printed_all(pd.DataFrame({"A_Uni less A_CW": auni - acw, "A_CW less A_SW": acw - asw}))


def _gain(metric: str) -> pd.Series:
    """BCE less softmax over all twelve losses of Table II: one value per backbone."""
    table = _losses("II", metric)
    bce, softmax = (table[loss_names([name])].mean(axis=1) for name in ("bce", "soft"))
    return bce - softmax


def narrower_overlap() -> Printed:
    """Fig. 2: ResNet50."""
    rows = published(EVIDENCE, "fig-2").pivot(index="loss", columns="metric", values="value")
    width = rows["max_negative"] - rows["min_positive"]
    falls = {f"bce-{head}": [100 * (1 - width[f"bce-{head}"] / width[f"soft-{head}"])] for head in ("u", "nu")}
    return printed_all(pd.DataFrame(falls), unit=Unit.PERCENT, note="narrower ({})")


def lower_deviations() -> Printed:
    """Fig. 2: the deviations over the classes, ResNet50."""
    rows = published(EVIDENCE, "fig-2").pivot(index="loss", columns="metric", values="std")
    falls = {
        f"{end.replace('_', ' ')}, bce-{head}": [100 * (1 - rows.loc[f"bce-{head}", end] / rows.loc[f"soft-{head}", end])]
        for head in ("u", "nu")
        for end in ("min_positive", "max_negative")
    }
    return printed_all(pd.DataFrame(falls), unit=Unit.PERCENT, note="less ({})")


def bce_nu_over_soft_nu(metric: str, bound: float = 0.0) -> Printed:
    """Tables III and S.I, from 32 to 192."""
    bce, softmax = (_column(table, metric, "gamma").loc[32:192] for table in ("III", "S.I"))
    return printed_all((bce - softmax).to_frame().T, bound, note="at the scale {:g}")


def softmax_is_steadier() -> Printed:
    """Tables III and S.I: the range of A_SW over all 25 scales."""
    bce, softmax = (np.ptp(_column(table, "A_SW", "gamma")) for table in ("III", "S.I"))
    return printed(np.array([bce - softmax]))


def best_is_bce_nu() -> Printed:
    """Table II."""
    table = _losses("II", "A_Uni")
    return printed_all(-table.drop(columns="bce-nu").sub(table["bce-nu"], axis=0), note="against {}")


def small_scale_fails(bound: float) -> Printed:
    """Table III: the smallest scale is 1, the default 96."""
    scales = _column("III", "A_SW", "gamma")
    return printed(np.array([scales[96] - scales[1]]), bound)


def wide_scale_range(bound: float) -> Printed:
    """Table III, from 32 to 192."""
    return printed(np.array([np.ptp(_column("III", "A_Uni", "gamma").loc[32:192])]), bound, above=False)


def softmax_prefers_small_scale() -> Printed:
    """Table S.I."""
    scales = _column("S.I", "A_Uni", "gamma")
    return printed(np.array([scales[[4, 8]].mean() - scales[[64, 128]].mean()]))


def softmaxed_gain(metric: str) -> Printed:
    """Tables S.II-S.VII against II and V-IX."""
    gains = [_losses(after, metric) - _losses(before, metric) for before, after in _WITH_SOFTMAX.items()]
    return printed(pd.concat(gains).mean(axis=1))


def mode_ranges(first: str, second: str, without: Sequence[int] = ()) -> Printed:
    """Table X: the range of A_SW of one loss over the modes, less that of another."""
    one, other = (np.ptp(_column("X", "A_SW", "bias_mode", loss=loss).drop([*without])) for loss in (first, second))
    return printed(np.array([one - other]))


def bias_change(bound: float) -> Printed:
    """Table XI: every mode of every loss is a case."""
    rows = published(EVIDENCE, "XI")
    return printed((rows["value"].abs() + rows["std"]) / 1000, bound, above=False, unit=Unit.LOGIT)
