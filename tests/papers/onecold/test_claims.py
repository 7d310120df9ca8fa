"""The claims of `onecold`: their verdicts follow the results."""

from __future__ import annotations

import numpy as np
import pytest

from lossbook.papers.onecold import claims
from lossbook.papers.onecold.read import EVIDENCE
from lossbook.papers.onecold.tables import PAIRS
from lossbook.papers.results import load_results

CLAIMS = {claim.id: claim for claim in claims.CLAIMS}


def reference():
    return load_results("results", "quick", EVIDENCE)


def shifted(metric, objective, amount, table):
    """The reference with a metric of one loss moved."""
    frame = reference()
    rows = (frame["table"] == table) & (frame["objective"] == objective)
    frame.loc[rows, metric] += amount
    return frame


@pytest.mark.parametrize(
    ("claim", "metric", "objective", "table"),
    [
        ("onecold-rce", "error", "occe", "1"),
        ("onecold-transfer", "error", "soft-d", "2"),
        ("onecold-oscr", "oscr", "ce+occe", "3"),
        ("onecold-auroc", "auroc_msp", "ce+occe", "3"),
        ("onecold-dual-occe", "oscr_occe", "ce+occe-dual", "3"),
        ("onecold-dual-ce", "oscr_ce", "ce+occe-dual", "3"),
    ],
)
def test_verdicts_follow_the_data(claim, metric, objective, table):
    check = CLAIMS[claim].check
    before = check(reference()).effect
    up, down = (check(shifted(metric, objective, amount, table)) for amount in (0.5, -0.5))
    assert up.word == "reproduced"
    assert down.word == "not reproduced"
    assert up.effect - before == pytest.approx(before - down.effect) == pytest.approx(50)


def test_lower_error_averages_and_ranks_the_nine_baselines_of_the_paper():
    frame = reference()
    table = frame["table"] == "1"
    for without, with_ in PAIRS.values():
        for seed in range(5):
            rows = table & (frame["seed"] == seed)
            base = frame.loc[rows & (frame["objective"] == without), "error"].iloc[0]
            change = 0.5 if without == "bce-d" else -0.01 * (1 + seed / 10)
            frame.loc[rows & (frame["objective"] == with_), "error"] = base + change
    average, most = (CLAIMS[f"onecold-{name}"].check(frame) for name in ("lower-error", "almost-all"))
    assert average.word == most.word == "reproduced"
    assert average.effect == pytest.approx(1.2)
    assert most.effect == pytest.approx(1.2)
    assert most.note.startswith("less error, the eighth of nine: ")


def test_almost_all_bears_one_baseline_that_loses_and_not_two():
    frame = reference()
    table = frame["table"] == "1"
    frame.loc[table, "error"] = 0.5 + 1e-3 * frame.loc[table, "seed"]
    gaining = [with_ for _, with_ in PAIRS.values()]
    frame.loc[table & frame["objective"].isin(gaining), "error"] -= 0.1 - 1e-4 * frame.loc[table, "seed"]
    claim = CLAIMS["onecold-almost-all"]
    for losing, word in ((1, "reproduced"), (2, "not reproduced")):
        frame.loc[table & (frame["objective"] == gaining[losing]), "error"] += 0.3
        assert claim.check(frame).word == word


def test_gamma_claims_compare_zero_with_ten():
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, "nc1"] = 1 / (1 + frame.loc[rows, "arg_occe_weight"]) + 1e-3 * frame.loc[rows, "seed"]
    frame.loc[rows, "dimensions_90"] = 5.0
    assert CLAIMS["onecold-nc1"].check(frame).effect == pytest.approx(100 * (1 - 1 / 11), abs=0.2)
    means = frame[rows].groupby("arg_occe_weight")[["dimensions_80", "dimensions_99"]].mean()
    more = (means.loc[10.0] - means.loc[0.0]).sum() / 3
    assert CLAIMS["onecold-dimensions"].check(frame).effect == pytest.approx(more)


def test_the_fisher_claim_asks_for_a_rise():
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, "fisher"] = 2.0 + 0.1 * frame.loc[rows, "arg_occe_weight"] + 1e-3 * frame.loc[rows, "seed"]
    found = CLAIMS["onecold-fisher"].check(frame)
    assert found.reproduced
    assert found.effect == pytest.approx(50, abs=0.1)


def test_step_size_claim_takes_ten_epochs_and_ten_classes():
    frame = reference()
    rows = (frame["table"] == "rce") & (frame["objective"] == "occe")
    before = CLAIMS["onecold-rce-steps"].check(frame).effect
    others = rows & ((frame["classes"].map(len) > 0) | (frame["epochs"] != 10) | ~np.isclose(frame["lr"], 0.27))
    frame.loc[others, "error"] += 1
    assert CLAIMS["onecold-rce-steps"].check(frame).effect == before
    frame.loc[rows & ~others, "error"] += 1
    assert CLAIMS["onecold-rce-steps"].check(frame).effect == pytest.approx(before + 100)


def test_every_claim_says_another_thing():
    assert len(CLAIMS) == len(claims.CLAIMS) == len({claim.statement for claim in claims.CLAIMS})
