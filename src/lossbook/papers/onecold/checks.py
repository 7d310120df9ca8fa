"""How the claims of `onecold` are checked on results.

Errors, accuracies and areas are in percentage points.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pandas as pd

from lossbook.papers.claims import Unit, Verdict, rows_of
from lossbook.papers.onecold.read import at_gamma, baseline_gains, of_loss, ood_changes, ood_gains, open_set_gains
from lossbook.papers.onecold.tables import GAMMAS, PAIRS, PRINTED
from lossbook.papers.rules import decide, decide_all, decide_best, decide_rank, decide_within

Check = Callable[[pd.DataFrame], Verdict]

# RCE is competitive if its error is less than so many points above that of CE, and level if it differs by less.
COMPETITIVE = 1.0
# "Almost all" of nine baselines and "most" of ten scores: so many.
ALMOST_ALL, MOST = 8, 6
ALMOST_ALL_NOTE, MOST_NOTE = "less error, the eighth of nine: {}", "of AUROC, the sixth of ten scores: {}"
ALL_SETS_NOTE = "of AUROC, mean of ten scores, against {}"
RIVALS = {"RCE": "occe", "label smoothing": "label-smoothing"}
RIVALS_NOTE, EVERYWHERE_NOTE = "less error than {}", "less error, {}"
_TEN, _THREE = (), (0, 1, 2)


def lower_error(results: pd.DataFrame) -> Verdict:
    return decide(baseline_gains(results).mean(axis=1, skipna=False), note="less error, mean of nine baselines")


def almost_all(results: pd.DataFrame) -> Verdict:
    return decide_rank(baseline_gains(results), ALMOST_ALL, note=ALMOST_ALL_NOTE)


def lower_train_accuracy(results: pd.DataFrame) -> Verdict:
    losses = {
        name: of_loss(results, "1", without, "train_accuracy") - of_loss(results, "1", with_, "train_accuracy")
        for name, (without, with_) in PAIRS.items()
        if name in PRINTED
    }
    mean = pd.DataFrame(losses).mean(axis=1, skipna=False)
    return decide(mean, note="less training accuracy, mean of nine baselines")


def lower_than_rivals(results: pd.DataFrame) -> Verdict:
    """CE + OCCE against the losses that its section on related work names."""
    errors = {name: -of_loss(results, "1", loss, "error") for name, loss in RIVALS.items()}
    return decide_best(-of_loss(results, "1", "ce+occe", "error"), errors, note=RIVALS_NOTE)


def rce_behind(results: pd.DataFrame) -> Verdict:
    difference = of_loss(results, "1", "occe", "error") - of_loss(results, "1", "soft-d", "error")
    return decide(difference, bound=COMPETITIVE, note="more error than CE")


def _rce_deficit(results: pd.DataFrame, classes: tuple[int, ...], longer: bool) -> pd.Series:
    """Error of RCE less that of CE after the usual number of epochs, or after four times as many."""
    epochs = rows_of(results, "rce")["epochs"]
    case = {"classes": classes, "epochs": epochs.max() if longer else epochs.min()}
    return of_loss(results, "rce", "occe", "error", **case) - of_loss(results, "rce", "soft-d", "error", **case)


def rce_own_rate(results: pd.DataFrame) -> Verdict:
    return decide(_rce_deficit(results, _TEN, longer=False), note="more error than CE")


def rce_slow(results: pd.DataFrame) -> Verdict:
    gained = _rce_deficit(results, _TEN, longer=False) - _rce_deficit(results, _TEN, longer=True)
    return decide(gained, note="less behind CE")


def rce_ten_classes(results: pd.DataFrame) -> Verdict:
    return decide_within(_rce_deficit(results, _TEN, longer=True), COMPETITIVE, note="between RCE and CE")


def rce_three_classes(results: pd.DataFrame) -> Verdict:
    deficit = _rce_deficit(results, _THREE, longer=False)
    return decide(deficit, bound=COMPETITIVE, above=False, note="more error than CE")


def collapse(metric: str) -> Check:
    """Relative fall from gamma = 0 to gamma = 10."""

    def check(results: pd.DataFrame) -> Verdict:
        without, with_ = (at_gamma(results, gamma, metric) for gamma in (0.0, 10.0))
        return decide(100 * (1 - with_ / without), unit=Unit.PERCENT, note="lower than at γ = 0")

    return check


def collapse_goes_on(results: pd.DataFrame) -> Verdict:
    names = {f"NC{k}": f"nc{k}" for k in range(1, 5)}
    falls = {name: 1 - at_gamma(results, 10.0, nc) / at_gamma(results, 1.0, nc) for name, nc in names.items()}
    return decide_all(100 * pd.DataFrame(falls), unit=Unit.PERCENT, note="lower, {}, which falls least")


def fisher(metric: str, gamma: float) -> Check:
    """As it must be meant: the paper prints "minimizes", and describes the opposite in its next sentence."""

    def check(results: pd.DataFrame) -> Verdict:
        without, with_ = (at_gamma(results, weight, metric) for weight in (0.0, gamma))
        return decide(100 * (with_ / without - 1), unit=Unit.PERCENT, note="higher than at γ = 0")

    return check


def _dimensions(results: pd.DataFrame, gamma: float) -> pd.Series:
    """Principal directions needed, the mean of 80, 90 and 99 %: one value per seed."""
    needed = [at_gamma(results, gamma, f"dimensions_{percent}", 1.0) for percent in (80, 90, 99)]
    return pd.concat(needed, axis=1).mean(axis=1, skipna=False)


def more_dimensions(results: pd.DataFrame) -> Verdict:
    more = _dimensions(results, 10.0) - _dimensions(results, 0.0)
    return decide(more, unit=Unit.DIMENSIONS, note="more, mean of 80, 90 and 99 %")


def _steps(values: dict[float, pd.Series]) -> pd.DataFrame:
    """What every step to the next weight adds: one row per seed, one column per step."""
    return pd.DataFrame({f"{low:g} to {high:g}": values[high] - values[low] for low, high in pairwise(GAMMAS)})


def always_more_dimensions(results: pd.DataFrame) -> Verdict:
    steps = _steps({gamma: _dimensions(results, gamma) for gamma in GAMMAS})
    return decide_all(steps, unit=Unit.DIMENSIONS, note="more from γ = {}, the smallest step")


def _gaps(results: pd.DataFrame) -> dict[float, pd.Series]:
    return {gamma: at_gamma(results, gamma, "generalisation_gap", table="gamma-tuned") for gamma in GAMMAS}


def smaller_gap(results: pd.DataFrame) -> Verdict:
    gaps = _gaps(results)
    return decide(gaps[0.0] - gaps[10.0], note="smaller gap at γ = 10")


def always_smaller_gap(results: pd.DataFrame) -> Verdict:
    return decide_all(-_steps(_gaps(results)), note="smaller gap from γ = {}, the smallest step")


def train_accuracy_limited(results: pd.DataFrame) -> Verdict:
    without, with_ = (at_gamma(results, gamma, "train_accuracy", table="gamma-tuned") for gamma in (0.0, 10.0))
    return decide(without - with_, note="less training accuracy at γ = 10")


def gamma_one_is_best(results: pd.DataFrame) -> Verdict:
    accuracies = {gamma: -at_gamma(results, gamma, "error", table="gamma-tuned") for gamma in GAMMAS}
    return decide_best(accuracies.pop(1.0), accuracies, note="less error than at γ = {:g}")


def less_error(table: str, loss: str, control: str, **columns: float) -> Check:
    """The columns are those of the loss alone: the control has no weight of OCCE."""

    def check(results: pd.DataFrame) -> Verdict:
        gain = of_loss(results, table, control, "error") - of_loss(results, table, loss, "error", **columns)
        return decide(gain, note="less error")

    return check


def less_error_everywhere(results: pd.DataFrame) -> Verdict:
    """Table 5: the uniform target on every data set by itself."""
    sets = rows_of(results, "5")["dataset"].unique()
    gains = {
        name: of_loss(results, "5", "soft-d", "error", dataset=name) - of_loss(results, "5", "ce+occe", "error", dataset=name)
        for name in sets
    }
    return decide_all(pd.DataFrame(gains), note=EVERYWHERE_NOTE)


def open_set_gain(metric: str, loss: str, prediction: str) -> Check:
    """Against CE; of an error, how much lower it is."""
    sign, note = (-1, "less error, ") if metric == "error" else (1, "")

    def check(results: pd.DataFrame) -> Verdict:
        gains = sign * open_set_gains(results, metric, loss, prediction)
        return decide(gains, note=f"{note}over draws of the known classes")

    return check


def ood_better(results: pd.DataFrame) -> Verdict:
    gains = ood_gains(results, 0.1).mean(axis=1, skipna=False)
    return decide(gains, note="of AUROC, mean of ten scores and all unknown sets")


def ood_all_sets(results: pd.DataFrame) -> Verdict:
    gains = ood_changes(results, 0.1).mean(skipna=False).unstack(0)
    return decide_all(gains, note=ALL_SETS_NOTE)


def ood_most_scores(results: pd.DataFrame) -> Verdict:
    return decide_rank(ood_gains(results, 0.1), MOST, note=MOST_NOTE)


def _ranks(results: pd.DataFrame, layer: int) -> tuple[pd.Series, pd.Series]:
    """Ranks of the Jacobians of a layer without the one-cold term, and with a large one."""
    without, with_ = (at_gamma(results, gamma, f"rank_{layer}", 1.0, "layers") for gamma in (0.0, 10.0))
    return without, with_


def rank_early(results: pd.DataFrame) -> Verdict:
    without, with_ = _ranks(results, 1)
    return decide(with_ - without, unit=Unit.COUNT, note="higher in rank, γ = 10 against 0")


def rank_late(results: pd.DataFrame) -> Verdict:
    without, with_ = _ranks(results, 2)
    return decide(without - with_, unit=Unit.COUNT, note="lower in rank, γ = 10 against 0")


def equal_activations(results: pd.DataFrame) -> Verdict:
    without, with_ = (at_gamma(results, gamma, "complement_spread", table="layers") for gamma in (0.0, 1.0))
    return decide(100 * (1 - with_ / without), unit=Unit.PERCENT, note="less spread at γ = 1")
