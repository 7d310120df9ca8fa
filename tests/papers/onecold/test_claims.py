"""The claims of `onecold`: their verdicts follow the results."""

from __future__ import annotations

import pytest

from lossbook.papers.onecold import claims
from lossbook.papers.onecold.read import EVIDENCE, OOD_SCORES
from lossbook.papers.onecold.tables import GAMMAS, PAIRS
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
        ("onecold-open-error", "error", "soft-d", "3"),
        ("onecold-dual-occe-error", "error", "soft-d", "3"),
        ("onecold-dual-occe", "oscr_occe", "ce+occe-dual", "3"),
        ("onecold-dual-occe-auroc", "auroc_msp_occe", "ce+occe-dual", "3"),
        ("onecold-dual-ce", "oscr_ce", "ce+occe-dual", "3"),
        ("onecold-dual-ce-auroc", "auroc_msp_ce", "ce+occe-dual", "3"),
        ("onecold-combined", "oscr_combined", "ce+occe-dual", "3"),
        ("onecold-combined-auroc", "auroc_msp_combined", "ce+occe-dual", "3"),
        ("onecold-uniform", "error", "soft-d", "5"),
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
        for seed in range(20):
            rows = table & (frame["seed"] == seed)
            base = frame.loc[rows & (frame["objective"] == without), "error"].iloc[0]
            change = 0.5 if without == "bce-d" else -0.01 * (1 + seed / 10)
            frame.loc[rows & (frame["objective"] == with_), "error"] = base + change
    average, most = (CLAIMS[f"onecold-{name}"].check(frame) for name in ("lower-error", "almost-all"))
    assert average.word == most.word == "reproduced"
    assert average.effect == pytest.approx(1 + 0.95)
    assert most.effect == pytest.approx(1 + 0.95)
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


@pytest.mark.parametrize(
    ("better", "word", "rival"), [("label-smoothing", "not reproduced", "label smoothing"), ("", "reproduced", "RCE")]
)
def test_rivals_are_rce_and_label_smoothing(better, word, rival):
    """One rival with less error is enough to say no; otherwise the nearer one is named."""
    frame = reference()
    table = frame["table"] == "1"
    frame.loc[table, "error"] = 0.05 + 1e-4 * frame.loc[table, "seed"]
    for loss, more in (("occe", 0.01), ("label-smoothing", 0.02), (better, -0.03)):
        frame.loc[table & (frame["objective"] == loss), "error"] += more + 1e-5 * frame["seed"]
    found = CLAIMS["onecold-rivals"].check(frame)
    assert found.word == word
    assert found.note == f"less error than {rival}"
    assert found.effect == pytest.approx(-1 if better else 1, abs=0.05)


def test_every_data_set_by_itself_is_more_than_their_mean():
    frame = reference()
    rows = (frame["table"] == "5") & frame["objective"].isin(["soft-d", "ce+occe"])
    frame.loc[rows, "error"] = 0.05 + 1e-5 * frame.loc[rows, "seed"]
    for name, gain in (("mnist5k", -0.01), ("digits", 0.03)):
        gaining = rows & (frame["objective"] == "ce+occe") & (frame["dataset"] == name)
        frame.loc[gaining, "error"] -= gain + 1e-5 * frame["seed"]
    mean, every = (CLAIMS[f"onecold-uniform{end}"].check(frame) for end in ("", "-all"))
    assert (mean.word, every.word) == ("reproduced", "not reproduced")
    assert mean.effect == pytest.approx(1, abs=0.05)
    assert every.effect == pytest.approx(-1, abs=0.05)
    assert every.note.endswith("mnist5k")


def test_gamma_claims_compare_zero_with_ten():
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, "nc1"] = 1 / (1 + frame.loc[rows, "arg_occe_weight"]) + 1e-4 * frame.loc[rows, "seed"]
    frame.loc[rows, "dimensions_90"] = 5.0
    assert CLAIMS["onecold-nc1"].check(frame).effect == pytest.approx(100 * (1 - 1 / 11), abs=0.2)
    means = frame[rows].groupby("arg_occe_weight")[["dimensions_80", "dimensions_99"]].mean()
    more = (means.loc[10.0] - means.loc[0.0]).sum() / 3
    assert CLAIMS["onecold-dimensions"].check(frame).effect == pytest.approx(more)


@pytest.mark.parametrize(
    ("claim", "metric", "rise"),
    [
        ("onecold-fisher", "fisher", 50),
        ("onecold-fisher-default", "fisher", 5),
        ("onecold-fisher-test", "fisher_test", 50),
        ("onecold-fisher-test-default", "fisher_test", 5),
    ],
)
def test_the_fisher_claims_ask_for_a_rise(claim, metric, rise):
    frame = reference()
    rows = frame["table"] == "gamma"
    frame.loc[rows, ["fisher", "fisher_test"]] = 1.0
    assert not CLAIMS[claim].check(frame).reproduced
    frame.loc[rows, metric] = 2.0 + 0.1 * frame.loc[rows, "arg_occe_weight"] + 1e-4 * frame.loc[rows, "seed"]
    found = CLAIMS[claim].check(frame)
    assert found.reproduced
    assert found.effect == pytest.approx(rise, abs=0.1)


def test_consistent_means_at_every_step():
    """One step back of four is enough to say no."""
    frame = reference()
    own, sweep = (frame["table"] == table for table in ("gamma-tuned", "gamma"))
    places = frame["arg_occe_weight"].map({gamma: place for place, gamma in enumerate(GAMMAS)})
    frame.loc[own, "generalisation_gap"] = 0.1 - 0.01 * places + 1e-4 * frame["seed"]
    for percent in (80, 90, 99):
        frame.loc[sweep, f"dimensions_{percent}"] = 2 + places + 1e-3 * frame["seed"]
    gap, dimensions = (CLAIMS[f"onecold-{name}-consistent"] for name in ("gap", "dimensions"))
    assert gap.check(frame).effect == pytest.approx(1)
    assert dimensions.check(frame).effect == pytest.approx(1)
    assert gap.check(frame).reproduced and dimensions.check(frame).reproduced
    frame.loc[own & (frame["arg_occe_weight"] == 3), "generalisation_gap"] += 0.015
    frame.loc[sweep & (frame["arg_occe_weight"] == 10), "dimensions_80"] -= 4
    assert gap.check(frame).word == dimensions.check(frame).word == "not reproduced"
    assert gap.check(frame).note.startswith("smaller gap from γ = 1 to 3")
    assert dimensions.check(frame).note.startswith("more from γ = 3 to 10")


def test_training_accuracy_is_lower_with_the_term():
    frame = reference()
    frame["train_accuracy"] = 0.9 + 1e-4 * frame["seed"]
    with_ = frame["objective"].isin([pair[1] for pair in PAIRS.values()])
    frame.loc[(frame["table"] == "1") & with_, "train_accuracy"] -= 0.02 + 1e-4 * frame["seed"]
    frame.loc[(frame["table"] == "gamma-tuned") & (frame["arg_occe_weight"] == 10), "train_accuracy"] -= 0.03
    assert CLAIMS["onecold-train-accuracy"].check(frame).effect == pytest.approx(2 + 0.01 * 9.5)
    assert CLAIMS["onecold-train-limit"].check(frame).effect == pytest.approx(3)


def test_against_all_unknown_sets_is_the_least_gain_of_the_means():
    frame = reference()
    rows = (frame["table"] == "4") & (frame["arg_occe_weight"] == 0.1)
    plain = frame[(frame["table"] == "4") & (frame["objective"] == "soft-d")].set_index("seed")
    for name, gain in (("digits", 0.03), ("faces", 0.01), ("photographs", 0.02)):
        for score in OOD_SCORES:
            frame.loc[rows, f"ood_{name}_{score}"] = frame["seed"].map(plain[f"ood_{name}_{score}"]) + gain + 1e-4 * frame["seed"]
    found = CLAIMS["onecold-ood-all"].check(frame)
    assert found.reproduced
    assert found.effect == pytest.approx(1 + 0.01 * 9.5)
    assert found.note.endswith("against faces")


@pytest.mark.parametrize(
    ("claim", "classes", "longer", "effect", "word"),
    [
        ("onecold-rce-steps", 10, False, 3.0, "reproduced"),
        ("onecold-rce-slow", 10, True, 2.5, "reproduced"),  # 3 - 0.5
        ("onecold-rce-few-classes", 10, True, 0.5, "reproduced"),
        ("onecold-rce-three-classes", 3, False, -0.2, "reproduced"),
    ],
)
def test_claims_about_rce_read_their_own_case(claim, classes, longer, effect, word):
    frame = reference()
    table = frame["table"] == "rce"
    three, long = frame["classes"].map(len) == 3, frame["epochs"] == 80
    of_case = {(n, more): table & (three == (n == 3)) & (long == more) for n in (10, 3) for more in (False, True)}
    frame.loc[table, "error"] = 0.05 + 1e-5 * frame["seed"]
    for case, deficit in {(10, False): 0.03, (10, True): 0.005, (3, False): -0.002, (3, True): 0.04}.items():
        reverse = of_case[case] & (frame["objective"] == "occe")
        assert reverse.sum() == 20
        frame.loc[reverse, "error"] += deficit + 1e-5 * frame["seed"]
    found = CLAIMS[claim].check(frame)
    assert found.word == word
    assert found.effect == pytest.approx(effect, abs=0.03)
    frame.loc[of_case[classes, longer] & (frame["objective"] == "occe"), "error"] += 0.05
    assert CLAIMS[claim].check(frame).effect != pytest.approx(effect, abs=1)


def test_every_claim_says_another_thing():
    assert len(CLAIMS) == len(claims.CLAIMS) == len({claim.statement for claim in claims.CLAIMS})


@pytest.mark.parametrize(
    ("claim", "effect", "cases"),
    [
        (
            "onecold-rivals",
            (23.26 + 29.26 + 23.59 + 36.98 + 39.10 + 38.06 - 23.92 - 28.83 - 24.19 - 35.61 - 38.79 - 36.49) / 6,
            12,
        ),
        ("onecold-uniform-all", 0.40 - 0.38, 4),
        ("onecold-dual-occe-error", (8.04 - 7.11 + 14.41 - 13.61 + 28.41 - 27.88) / 3, 3),
        ("onecold-ood-accuracy", (77.48 - 76.83 + 85.05 - 84.28) / 2, 2),
    ],
)
def test_printed_effects_longhand(claim, effect, cases):
    found = CLAIMS[claim].printed()
    assert found.effect == pytest.approx(effect, abs=1e-9)
    assert found.cases == cases and found.holds
