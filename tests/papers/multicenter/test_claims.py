"""The claims of `multicenter`: what each compares, on made-up results."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from lossbook.papers.multicenter.claims import CLAIMS
from lossbook.papers.multicenter.tables import APART, NARROW, PRINTED, SMOOTHING, TOGETHER

CHECKS = {claim.id: claim.check for claim in CLAIMS}
NAN = math.nan


def results(*rows: dict) -> pd.DataFrame:
    """Three seeds of each row; its numbers differ a little between them."""
    usual = {
        "objective": "multicenter",
        "model": "mlp",
        "groups": APART,
        "embedding_size": 0,
        "arg_num_subcenters": 2.0,
        "arg_sigma_scale": NARROW,
        "arg_label_smoothing": NAN,
        "arg_kl_weight": NAN,
        "accuracy": 0.5,
    }
    return pd.DataFrame([usual | row | {"seed": seed} for row in rows for seed in range(3)])


def linear(**row) -> dict:
    return {"arg_num_subcenters": 0.0, "arg_sigma_scale": NAN} | row


def test_the_code_has_its_own_label_and_a_smoothed_rival():
    frame = results(
        {"table": "center-weight", "arg_label_smoothing": SMOOTHING, "accuracy": 0.80},
        {"table": "center-weight", "accuracy": 0.10},
        linear(table="4", arg_label_smoothing=SMOOTHING, accuracy=0.77),
        linear(table="4", accuracy=0.20),
    )
    assert CHECKS["multicenter-code"](frame).effect == pytest.approx(3)


@pytest.mark.parametrize(("name", "scale"), [("multicenter-networks", PRINTED), ("multicenter-networks-s01", NARROW)])
def test_every_network_gains_only_if_the_worst_does(name, scale):
    def table(cnn):
        return results(
            linear(table="1", accuracy=0.70),
            {"table": "1", "arg_sigma_scale": scale, "accuracy": 0.72},
            linear(table="1", groups=TOGETHER, accuracy=0.70),
            {"table": "1", "arg_sigma_scale": scale, "groups": TOGETHER, "accuracy": 0.10},
            linear(table="1-cnn", model="cnn", accuracy=0.70),
            {"table": "1-cnn", "model": "cnn", "arg_sigma_scale": scale, "accuracy": cnn},
        )

    assert CHECKS[name](table(0.71)).word == "reproduced"
    worst = CHECKS[name](table(0.69))
    assert (worst.word, worst.effect, worst.note) == ("not reproduced", pytest.approx(-1), "cnn")


def test_more_features_are_the_most_against_the_fewest():
    gains = {32: 0.01, 128: 0.5, 512: 0.03}
    frame = results(
        *(linear(table="features", embedding_size=width, accuracy=0.4) for width in gains),
        *({"table": "features", "embedding_size": width, "accuracy": 0.4 + gain} for width, gain in gains.items()),
    )
    assert CHECKS["multicenter-features-s01"](frame).effect == pytest.approx(2)


@pytest.mark.parametrize(
    ("name", "metric", "factor"),
    [("kl-diversity", "diversity", 1), ("kl-rank", "effective_rank", 1), ("kl-purity", "purity", 100)],
)
def test_what_the_divergence_brings(name, metric, factor):
    frame = results(
        {"table": "7", metric: 0.75},
        {"table": "7", metric: 0.5, "arg_kl_weight": 0.0},
        {"table": "7", metric: 0.1, "arg_sigma_scale": PRINTED},
        {"table": "7", metric: 0.2, "arg_sigma_scale": PRINTED, "arg_kl_weight": 0.0},
    )
    assert CHECKS[f"multicenter-{name}-s01"](frame).effect == pytest.approx(factor * 0.25)
    assert CHECKS[f"multicenter-{name}"](frame).word == "not reproduced"
