"""The methods that are compared, written out, and the settings that each is tuned over.

The same budget for every method: eight settings.  A method with an argument that matters gets four learning rates by two of
its values, the others get eight rates.  Features are standardised to a mean length of about 10
(:class:`lossbook.advisor.features.Standard`), so that one ladder suits all data; the report names the methods whose best rate
stands at an end of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lossbook.objectives.create import create_objective
from lossbook.objectives.objective import Objective

Setting = dict[str, float]
CONTROL = "CE"  # what every method is compared with

_EIGHT = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_FOUR = (0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True)
class Method:
    """A loss with its head.

    Attributes:
        objective: its name in the registry of objectives.
        arguments: of the objective, the same in every setting.
        argument: the one that is tuned, or "".
        values: that it is tried at.
        rates: learning rates that are tried, in order.
    """

    objective: str
    arguments: dict[str, Any] = field(default_factory=dict)
    argument: str = ""
    values: tuple[float, ...] = ()
    rates: tuple[float, ...] = _EIGHT

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Eight settings: every rate with every value."""
        if not self.argument:
            return tuple({"lr": lr} for lr in self.rates)
        return tuple({"lr": lr, self.argument: value} for value in self.values for lr in self.rates)

    def at_an_end(self, setting: Setting) -> bool:
        """Whether a setting's rate is the smallest or the largest that was tried."""
        return setting["lr"] in (self.rates[0], self.rates[-1])

    def build(self, setting: Setting, in_features: int, class_counts: Tensor, seed: int) -> Objective:
        """The objective at a setting, with the start that the seed gives."""
        tuned = {name: value for name, value in setting.items() if name != "lr"}
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            return create_objective(
                self.objective, in_features, len(class_counts), class_counts, **self.arguments | tuned, fused=False
            )

    def kind(self, setting: Setting) -> str:
        """Equal for settings that differ in the rate only."""
        return f"{self.objective} {sorted(self.arguments.items())} {self.argument} {setting.get(self.argument, '')}"


def _tuned(objective: str, argument: str, *values: float, **arguments: Any) -> Method:
    return Method(objective, arguments, argument, values, _FOUR)


_WARPED = {"k1": 0.8, "k2": 1.3, "temperature": 1.0, "margin": 1.0}

METHODS: dict[str, Method] = {
    CONTROL: Method("soft-d"),
    "label smoothing": _tuned("label-smoothing", "smoothing", 0.05, 0.1),
    "focal": _tuned("focal", "gamma", 1.0, 2.0),
    "balanced softmax": Method("balanced-softmax"),
    "logit adjustment": _tuned("logit-adjustment", "strength", 0.5, 1.0),
    "LDAM": _tuned("ldam", "scale", 10.0, 30.0),
    "ArcFace": _tuned("multicenter-arc", "scale", 16.0, 32.0, num_subcenters=0, margin=0.1),
    "soft-nu": _tuned("soft-nu", "scale", 8.0, 16.0),
    "BCE": Method("bce-d"),
    "BCE, one threshold": Method("bce-u"),
    "bce-nu": _tuned("bce-nu", "scale", 8.0, 16.0),
    "UCE": _tuned("uce", "margin", 0.1, 0.4, scale=16.0),
    "CE3S": _tuned("ce3s", "lambda_cc", 0.2, 1.0, contrastive=None, r=1.0),
    "BCE3S": _tuned("bce3s", "lambda_cc", 0.2, 1.0, contrastive=None, r=1.0),
    "Euclidean": Method("euclidean-softmax"),
    "warped": _tuned("warped-softmax", "alpha", 4.0, 8.0, **_WARPED),
    "OCCE": Method("occe"),
    "CE+OCCE": _tuned("ce+occe", "occe_weight", 0.1, 1.0),
    "BCE+OCCE": _tuned("bce+occe", "occe_weight", 0.1, 1.0),
    "CE+NL": Method("ce+nl"),
}
