"""The claims of `multicenter` as checks over the results.

Both sides of a comparison have the same seeds, data, backbone and training.  Values are first averaged within a seed, so
that the interval is over independent trainings; an interval that contains the bound leaves the claim undecided.  A claim
takes the mean of both scales of sigma where they behave alike, and is checked once for each where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pandas as pd

from lossbook.papers.claims import NOT_FROZEN, Claim, Printed, Unit, Verdict, by_seed, by_setting, rows_of
from lossbook.papers.multicenter import printed
from lossbook.papers.multicenter.tables import MIXED, NARROW, PRINTED, SMOOTHING, VARIANTS
from lossbook.papers.rules import decide, decide_all
from lossbook.runs.tables import TIERS

# A variant holds if it is at most so many points below the softmax.
HOLDS = -1.0


def _of_scale(results: pd.DataFrame, table: str, sigma_scale: float, **columns: object) -> pd.DataFrame:
    """A table's runs at one scale, and the linear ones, which have none."""
    return rows_of(results, table, arg_sigma_scale=[sigma_scale, math.nan], **columns)


def _sampled(rows: pd.DataFrame, number: int = 2) -> pd.DataFrame:
    return rows[rows["objective"].isin(VARIANTS) & (rows["arg_num_subcenters"] == number)]


def _gain(rows: pd.DataFrame, metric: str = "accuracy", factor: float = 100.0) -> pd.Series:
    """Multi-centre less linear, per seed."""
    return by_seed(_sampled(rows), metric, factor) - by_seed(_sampled(rows, 0), metric, factor)


def _more_accurate(results: pd.DataFrame, scale: float) -> Verdict:
    return decide(_gain(_of_scale(results, "1", scale)))


def _more(metric: str, factor: float, unit: Unit) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        return decide(_gain(rows_of(results, "1"), metric, factor), unit=unit)

    return check


def _every_network_gains(results: pd.DataFrame, scale: float) -> Verdict:
    """The perceptron and the convolutional network, on the same classes."""
    cnn, perceptron = (_of_scale(results, table, scale) for table in ("1-cnn", "1"))
    rows = pd.concat([perceptron[perceptron["groups"].isin(cnn["groups"])], cnn])
    sampled, linear = (by_setting(_sampled(rows, number), "model", "accuracy") for number in (2, 0))
    return decide_all(sampled - linear)


def _more_gain_with_more_features(results: pd.DataFrame, scale: float) -> Verdict:
    """The gain with most features less that with fewest, of one network."""
    rows = _of_scale(results, "features", scale)
    most, fewest = (rows["embedding_size"] == width for width in (rows["embedding_size"].max(), rows["embedding_size"].min()))
    return decide(_gain(rows[most]) - _gain(rows[fewest]))


def _gain_with_the_authors_label(results: pd.DataFrame) -> Verdict:
    """Narrow noise and the label of the code, against the linear classifier with as much label smoothing."""
    code = rows_of(results, "center-weight", arg_label_smoothing=SMOOTHING)
    linear = rows_of(results, "4", arg_label_smoothing=SMOOTHING, arg_num_subcenters=0)
    return decide(by_seed(code, "accuracy") - by_seed(linear, "accuracy"))


def _less_gain_on_small_data(results: pd.DataFrame, scale: float) -> Verdict:
    """The gain with all training images less the gain with the fewest, mean of both data sets."""
    changes = []
    for table in ("2", "3"):
        rows = _of_scale(results, table, scale)
        sizes = rows["train_per_class"]
        changes.append(_gain(rows[sizes == sizes.max()]) - _gain(rows[sizes == sizes.min()]))
    return decide(sum(changes) / len(changes))


def _gain_with_smoothing(results: pd.DataFrame, scale: float) -> Verdict:
    rows = _of_scale(results, "4", scale)
    return decide(_gain(rows[rows["arg_label_smoothing"] > 0]))


def _gain_with_mixing(results: pd.DataFrame, scale: float) -> Verdict:
    return decide(_gain(_of_scale(results, "5", scale, views=MIXED)))


def _variants_hold(results: pd.DataFrame, scale: float) -> Verdict:
    """Each of the two variants, with sub-centres, against the multi-centre softmax."""
    rows = _sampled(_of_scale(results, "6", scale))
    softmax, *variants = (by_seed(rows[rows["objective"] == name], "accuracy") for name in VARIANTS)
    gains = {name: variant - softmax for name, variant in zip(VARIANTS[1:], variants, strict=True)}
    return decide_all(pd.DataFrame(gains), bound=HOLDS)


def _small_number_is_enough(results: pd.DataFrame, scale: float) -> Verdict:
    rows = _of_scale(results, "fig-4", scale)
    most, two = (by_seed(_sampled(rows, number), "accuracy") for number in (16, 2))
    return decide(most - two, bound=0.5, above=False)


def _gain_grows_with_training(results: pd.DataFrame, scale: float) -> Verdict:
    rows = _of_scale(results, "epochs", scale)
    longest, shortest = (rows["epochs"] == epochs for epochs in (rows["epochs"].max(), rows["epochs"].min()))
    return decide(_gain(rows[longest]) - _gain(rows[shortest]))


def _kl_effect(rows: pd.DataFrame, metric: str, factor: float) -> pd.Series:
    """With the KL term less without, per seed."""
    without = rows["arg_kl_weight"] == 0
    return by_seed(rows[~without], metric, factor) - by_seed(rows[without], metric, factor)


def _kl_helps(results: pd.DataFrame, scale: float) -> Verdict:
    return decide(_kl_effect(_of_scale(results, "7", scale), "accuracy", 100.0))


def _kl_brings(metric: str, factor: float, unit: Unit, results: pd.DataFrame, scale: float) -> Verdict:
    return decide(_kl_effect(_of_scale(results, "7", scale), metric, factor), unit=unit)


def _kl_widens(results: pd.DataFrame) -> Verdict:
    rows = rows_of(results, "7")
    rows = rows.assign(relative_sigma=rows["sigma"] / rows["arg_sigma_scale"])
    return decide(_kl_effect(rows, "relative_sigma", 1.0), unit=Unit.SIGMA, note="more than without the loss")


def _for_each_scale(
    name: str,
    source: str,
    statement: str,
    page: str,
    check: Callable[[pd.DataFrame, float], Verdict],
    tiers: tuple[str, ...] = NOT_FROZEN,
    published: Callable[[], Printed] | None = None,
) -> tuple[Claim, Claim]:
    """A claim about the method as printed and one with the narrow noise of the authors' code, ``<name>-s01``."""
    as_printed, narrow = f"As printed (s = 1): {statement}", f"s = 0.1: {statement}"
    return (
        Claim(f"multicenter-{name}", source, as_printed, page, lambda results: check(results, PRINTED), tiers, published),
        Claim(f"multicenter-{name}-s01", source, narrow, page, lambda results: check(results, NARROW), tiers, published),
    )


CLAIMS = (
    *_for_each_scale(
        "accuracy",
        "Table 1",
        "the multi-centre classifier is more accurate than the linear one.",
        "06-accuracy",
        _more_accurate,
        tiers=TIERS,
        published=partial(printed.gain, "1"),
    ),
    Claim(
        "multicenter-code",
        "Tables 1 and 4",
        "Authors' code (s = 0.1, its label with smoothing): it is more accurate than the linear classifier with label smoothing.",
        "06-accuracy",
        _gain_with_the_authors_label,
        tiers=TIERS,
        printed=partial(printed.gain, "4", "mc+ls", "ls"),
    ),
    *_for_each_scale(
        "networks",
        "Sec. 5.1, Table 1",
        "every network gains (here, a perceptron and a convolutional network).",
        "06-accuracy",
        _every_network_gains,
        published=printed.every_network_gains,
    ),
    *_for_each_scale(
        "features",
        "Sec. 5.1",
        "the gain is larger with more feature dimensions (512 against 32, of one perceptron).",
        "06-accuracy",
        _more_gain_with_more_features,
        published=printed.convolutional_gain_more,
    ),
    Claim(
        "multicenter-diversity",
        "Sec. 1",
        "It brings more diverse features within a class: a larger mean cosine distance.",
        "07-inside-a-class",
        _more("diversity", 1.0, Unit.COSINE),
        tiers=TIERS,
    ),
    Claim(
        "multicenter-rank",
        "Sec. 1",
        "It brings more diverse features within a class: a larger effective rank.",
        "07-inside-a-class",
        _more("effective_rank", 1.0, Unit.DIMENSIONS),
        tiers=TIERS,
    ),
    Claim(
        "multicenter-purity",
        "Secs. 1 and 6",
        "It reduces over-clustering: sub-classes stay apart, so their clusters are purer.",
        "07-inside-a-class",
        _more("purity", 100.0, Unit.POINTS),
        tiers=TIERS,
    ),
    *_for_each_scale(
        "small-data",
        "Sec. 5.2, Tables 2 and 3",
        "the gain over the linear classifier is smaller with few training images than with all.",
        "08-small-data",
        _less_gain_on_small_data,
        published=printed.less_gain_on_small_data,
    ),
    *_for_each_scale(
        "label-smoothing",
        "Table 4",
        "with label smoothing, too, the multi-centre classifier is more accurate than the linear one.",
        "09-combinations",
        _gain_with_smoothing,
        tiers=TIERS,
        published=partial(printed.gain, "4", "mc+ls", "ls"),
    ),
    *_for_each_scale(
        "mixup",
        "Table 5",
        "with MixUp and CutMix, too, the multi-centre classifier is more accurate than the linear one.",
        "09-combinations",
        _gain_with_mixing,
        published=partial(printed.gain, "5", "mc+mixup", "mixup"),
    ),
    *_for_each_scale(
        "variants",
        "Table 6",
        "it trains together with L-Softmax and ArcFace: each is less than 1 point below the softmax.",
        "09-combinations",
        _variants_hold,
        published=partial(printed.variants_hold, HOLDS),
    ),
    *_for_each_scale(
        "small-k",
        "Fig. 4, Sec. 5.4",
        "a small number of sub-centres is enough: 16 gain less than 0.5 points over 2.",
        "10-ablations",
        _small_number_is_enough,
    ),
    *_for_each_scale(
        "epochs",
        "Sec. 5.4",
        "few sub-centres need a long training: the gain over the linear classifier grows from 10 to 80 epochs.",
        "10-ablations",
        _gain_grows_with_training,
    ),
    *_for_each_scale(
        "kl",
        "Table 7",
        "without the standard deviation loss it is less accurate.",
        "11-without-kl",
        _kl_helps,
        tiers=TIERS,
        published=partial(printed.gain, "7", "mc", "mc-without-kl"),
    ),
    *_for_each_scale(
        "kl-diversity",
        "Sec. 5.4",
        "the standard deviation loss brings more diverse features within a class: a larger mean cosine distance.",
        "11-without-kl",
        partial(_kl_brings, "diversity", 1.0, Unit.COSINE),
        tiers=TIERS,
    ),
    *_for_each_scale(
        "kl-rank",
        "Sec. 5.4",
        "the standard deviation loss brings more diverse features within a class: a larger effective rank.",
        "11-without-kl",
        partial(_kl_brings, "effective_rank", 1.0, Unit.DIMENSIONS),
        tiers=TIERS,
    ),
    *_for_each_scale(
        "kl-purity",
        "Sec. 5.4",
        "the standard deviation loss reduces over-clustering: the clusters of a class are purer.",
        "11-without-kl",
        partial(_kl_brings, "purity", 100.0, Unit.POINTS),
        tiers=TIERS,
    ),
    Claim(
        "multicenter-sigma",
        "Sec. 5.4",
        "The standard deviation loss makes it learn a larger σ.",
        "11-without-kl",
        _kl_widens,
        tiers=TIERS,
    ),
)
