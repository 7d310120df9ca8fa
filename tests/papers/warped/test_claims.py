"""Claims of `warped` on made-up results: checks that read the right rows."""

import numpy as np
import pytest

from lossbook.papers.claims import Unit, Verdict
from lossbook.papers.warped.claims import CLAIMS
from lossbook.papers.warped.searches import ALPHAS, DTP_ALPHAS, DTP_K1


def verdict(name: str, frame) -> Verdict:
    return next(claim for claim in CLAIMS if claim.id == name).check(frame)


@pytest.mark.parametrize("name", ["warped-beats-euclidean", "warped-two-phases", "warped-mlp", "warped-robust-softmax"])
def test_a_clear_gain_is_found(made, name):
    found = verdict(name, made)
    assert found.word == "reproduced"
    assert found.effect == pytest.approx(10)


@pytest.mark.parametrize(
    ("claim", "effect"),
    [
        ("warped-beats-euclidean-map", 5),
        ("warped-two-phases-map", 5),
        ("warped-mlp-map", 5),
        ("warped-no-temperature-map", 5),
        ("warped-beats-proxy-nca-map", 15.95),
        ("warped-best-map", 15.95),
    ],
)
def test_claims_on_all_neighbours_do_not_read_the_nearest_one(made, claim, effect):
    made.loc[made["objective"] == "warped-softmax", "unknown_MAP@R"] -= 0.05
    found = verdict(claim, made.assign(**{"unknown_recall@1": np.nan, "unknown_recall@1_cosine": np.nan}))
    assert found.word == "reproduced"
    assert found.effect == pytest.approx(effect)


def test_clusters_are_compared_with_those_of_arcface(made):
    made.loc[made["objective"] == "arcface", "unknown_AMI_cosine"] = 0.95
    assert verdict("warped-clusters", made).word == "not reproduced"


def test_a_drop_is_not_a_level(made):
    assert verdict("warped-loses-less", made).effect == pytest.approx(0)
    assert verdict("warped-robust-nca", made).effect == pytest.approx(10)


def test_every_metric_asks_for_all_four(made):
    assert verdict("warped-every-metric", made).word == "reproduced"
    method = (made["objective"] == "warped-softmax") & made["second_phase_epochs"].notna()
    made.loc[method, "unknown_NMI"] -= 0.3
    found = verdict("warped-every-metric", made)
    assert (found.word, found.note, found.effect) == ("not reproduced", "NMI", pytest.approx(-20))


def test_functions_end_farther_or_closer_than_eq_4(made):
    """Made up: AvgDTP is 2 for functions without an α, 0.5 for α = 0 and 100 for α without an end."""
    outward, inward = (made["table"] == "III") & made["arg_f1"].isin(["power-1.5", "square"]), made["arg_f1"] == "log1p"
    made.loc[outward, "train_avg_dtp"], made.loc[inward, "train_avg_dtp"] = 3.0, 1.0
    far, near = verdict("warped-outward-far", made), verdict("warped-inward-near", made)
    assert (far.word, far.unit, far.effect) == ("reproduced", Unit.PERCENT, pytest.approx(50))
    assert (near.word, near.note, near.effect) == ("reproduced", "for f(x) = log(1 + x)", pytest.approx(-50))
    made.loc[(made["table"] == "III") & (made["arg_k2"] == 3.0), "train_avg_dtp"] = 2.2
    found = verdict("warped-inward-near", made)
    assert (found.word, found.note, found.effect) == ("not reproduced", "for k2 = 3", pytest.approx(10))


def test_best_temperature_is_named(made):
    made.loc[(made["table"] == "temperature") & (made["arg_temperature"] == 4), "unknown_recall@1"] += 0.02
    found = verdict("warped-no-temperature", made)
    assert (found.seeds, found.unit, found.note) == (20, Unit.POINTS, "against T = 4")
    assert found.effect == pytest.approx(8)


def test_best_of_the_baselines_is_named(made):
    made.loc[made["objective"] == "contrastive", "unknown_recall@1_cosine"] = 0.95
    found = verdict("warped-best", made)
    assert found.word == "not reproduced"
    assert found.note == "against contrastive"


def test_alpha_claim_asks_for_both_ends(made):
    chosen = (made["table"] == "fig-6") & made["arg_alpha"].isin([2.0, 4.0, 8.0])
    made.loc[chosen, "unknown_recall@1"] += 0.05
    assert verdict("warped-alpha-peak", made).word == "reproduced"
    made.loc[(made["table"] == "fig-6") & (made["arg_alpha"] == ALPHAS[-1]), "unknown_recall@1"] += 0.2
    assert verdict("warped-alpha-peak", made).word == "not reproduced"


def test_slopes_claim_compares_with_one_slope_of_one(made):
    inner = (made["table"] == "fig-7") & (made["arg_k1"] < 1) & (made["arg_k2"] > 1)
    made.loc[inner, "unknown_recall@1"] += 0.03
    assert verdict("warped-both-slopes", made).effect == pytest.approx(3)


def test_dtp_off_by_more_than_a_sixth_does_not_follow_alpha(made):
    assert verdict("warped-dtp-follows-alpha", made).effect == 0
    made["train_avg_dtp"] *= 1.2
    assert verdict("warped-dtp-follows-alpha", made).word == "not reproduced"


def test_the_warp_in_the_middle_is_compared_with_both_ends_at_every_slope(made):
    rows = made["table"] == "dtp"
    made.loc[rows & (made["arg_alpha"] == 8.0), "unknown_recall@1"] = 0.99
    assert verdict("warped-dtp-between", made).word == "reproduced"
    made.loc[rows & (made["arg_alpha"] == DTP_ALPHAS[-1]) & (made["arg_k1"] == DTP_K1[-1]), "unknown_recall@1"] = 1.0
    found = verdict("warped-dtp-between", made)
    assert (found.word, found.note) == ("not reproduced", "against α = 32 (k1 = 0.9)")


def test_each_of_two_half_warps_is_compared_with_eq_4(made):
    strong = (made["table"] == "III") & (made["arg_k1"] == 0.5)
    made.loc[strong, "unknown_recall@1"] = 0.1
    found = verdict("warped-outward-fails", made)
    assert found.effect == pytest.approx(-10)
    assert found.note == "against k1 = 0.9"


def test_the_reality_check_asks_for_every_setting(made):
    made.loc[made["objective"] == "warped-softmax", "separated_MAP@R"] -= 0.3
    found = verdict("warped-reality-euclidean", made)
    assert (found.word, found.note) == ("not reproduced", "aggregate")
    assert found.effect == pytest.approx(-20)


@pytest.mark.parametrize(
    ("claim", "effect"),
    [
        ("warped-reality-euclidean", 10),
        ("warped-reality-nca", 20),
        ("warped-ensemble-best", 5),
        ("warped-complete-aggregate", 5),
    ],
)
def test_the_reality_check_compares_pair_by_pair(made, claim, effect):
    found = verdict(claim, made)
    assert (found.word, found.seeds) == ("reproduced", 45)
    assert found.effect == pytest.approx(effect)


def test_the_validation_score_decides_no_claim(made):
    made["validation_MAP@R"] = np.where(made["objective"] == "proxy-nca++", 9.0, 0.0)
    assert verdict("warped-reality-nca", made).effect == pytest.approx(20)
