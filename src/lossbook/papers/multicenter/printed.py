"""The claims of `multicenter` on the numbers that the paper prints: top-1 accuracies, a case is a network on a data set.

The paper does not say which scale of sigma they have, so they stand beside the claims for either.
"""

from __future__ import annotations

import pandas as pd

from lossbook.papers.claims import Printed
from lossbook.papers.multicenter.read import CONVOLUTIONAL, EVIDENCE
from lossbook.papers.results import published
from lossbook.papers.rules import printed, printed_all


def _methods(table: str) -> pd.DataFrame:
    """One row per network, one column per method."""
    rows = published(EVIDENCE, table)
    return rows[rows["metric"] == "top1"].pivot(index="model", columns="method", values="value")


def _gains(table: str, method: str = "mc", control: str = "linear") -> pd.Series:
    found = _methods(table)
    return found[method] - found[control]


def gain(table: str, method: str = "mc", control: str = "linear") -> Printed:
    """One method of a table less another."""
    return printed(_gains(table, method, control))


def every_network_gains() -> Printed:
    """The least gain of the networks of Table 1."""
    return printed_all(_gains("1").to_frame().T, note="of {}")


def convolutional_gain_more() -> Printed:
    """The mean gain of the convolutional networks of Table 1 less that of its transformers: the paper explains it by their
    numbers of features."""
    gains = _gains("1")
    convolutional = gains.index.isin(CONVOLUTIONAL)
    effect = float(gains[convolutional].mean() - gains[~convolutional].mean())
    return Printed(effect, len(gains), effect > 0, note="of CNNs over transformers")


def less_gain_on_small_data() -> Printed:
    """The gain in Table 1, on ImageNet, less that in Tables 2 and 3, of the same networks."""
    large, *small = (_gains(table) for table in ("1", "2", "3"))
    return printed(pd.concat([large - gains for gains in small]))


def variants_hold(bound: float) -> Printed:
    """Table 6."""
    found = _methods("6")
    return printed_all(found[["mc+l-softmax", "mc+l-am"]].sub(found["mc+softmax"], axis=0), bound)
