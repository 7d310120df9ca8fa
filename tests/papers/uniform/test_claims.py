"""The claims of `uniform`: each holds where the paper is right, and can be false."""

import functools

import numpy as np
import pandas as pd
import pytest
from made_up import made_up

from lossbook.papers.claims import Unit
from lossbook.papers.uniform.claims import CLAIMS
from lossbook.papers.uniform.read import EVIDENCE, bce_gains
from lossbook.papers.uniform.tables import COSINE_LOSSES, SOFTMAX_LOSSES

METRICS = (
    *("A_SW", "A_CW", "A_Uni", "A_Uni_free", "A_Uni_learned", "A_Uni_softmax"),
    *("bias_change_mean", "bias_change_std", "rejection_train", "rejection_95", "auroc", "verification"),
    *("threshold_learned", "overlap_width", "overlap_positive_min_std", "overlap_negative_max_std", "A_CW_softmax"),
)
BY_ID = {claim.id: claim for claim in CLAIMS}


PROOFS = {"uniform-ordering", "uniform-softmax-bias"}


@functools.cache
def results(value) -> pd.DataFrame:
    """No run moves the bias of a softmax: it is the same number for all seeds."""
    frame = made_up(EVIDENCE, value, METRICS)
    softmax = frame["objective"].isin(SOFTMAX_LOSSES)
    return frame.assign(threshold_learned=frame["threshold_learned"].mask(softmax, 0.0))


def as_the_paper_says(spec, name: str) -> float:
    """A world in which every claim holds."""
    softmax, arguments = spec.objective in SOFTMAX_LOSSES, spec.objective_args
    if name.startswith("bias_change"):
        return 0.01
    if name.startswith("overlap"):
        return 2.0 if softmax else 1.0
    value = 0.7 + (0 if softmax else {"A_SW": 0.01, "A_CW": 0.02}.get(name, 0.03)) + (0.02 if spec.objective == "bce-nu" else 0)
    if spec.classes:  # a draw of the known classes takes the place of a seed
        value += 0.001 * spec.seed * (1 if softmax else 1.1)
    scale = arguments.get("scale", 16.0)
    if spec.objective == "bce-nu" and scale < 4:
        value -= 0.3
    if spec.objective == "soft-nu":
        value -= 0.02 * abs(np.log2(scale / 6)) + (0.2 if name == "A_Uni" else 0)
    if "bias_mode" in arguments:
        value -= 0.01 * arguments["bias_mode"] * (1 if softmax or spec.objective in COSINE_LOSSES else 4)
    above = {"A_SW": 0.2, "A_CW": 0.1, "A_CW_softmax": 0.15, "A_Uni_softmax": 0.05, "A_Uni_learned": -0.3 if softmax else -0.001}
    return value + above.get(name, 0.0)


def nothing_matters(spec, name: str) -> float:
    return 0.5


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_holds_where_the_paper_is_right(claim):
    assert claim.check(results(as_the_paper_says)).word == ("by proof" if claim.id in PROOFS else "reproduced")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_no_claim_but_those_of_a_small_effect_holds_where_nothing_matters(claim):
    small = {"uniform-learned-threshold", "uniform-wide-scale"}
    found = claim.check(results(nothing_matters))
    assert (found.word == "by proof") == (claim.id in PROOFS)
    assert (found.word == "reproduced") == (claim.id in small)


@pytest.mark.parametrize(
    ("claim", "metric"),
    [("uniform-ordering", "A_CW"), ("uniform-learned-threshold", "A_Uni_free"), ("uniform-wide-scale", "A_Uni")],
)
def test_a_claim_of_a_small_effect_fails_where_the_effect_is_large(claim, metric):
    frame = results(nothing_matters)
    bce_nu = frame["objective"].eq("bce-nu") & frame["arg_scale"].ne(16.0 if metric == "A_Uni" else 0.0)
    assert BY_ID[claim].check(frame.assign(**{metric: frame[metric] + 0.2 * bce_nu})).word == "not reproduced"


def test_a_softmax_bias_that_moves_contradicts_the_proof():
    frame = results(nothing_matters)
    moved = frame["objective"].eq("soft-nu") & frame["seed"].eq(1)
    claim = BY_ID["uniform-softmax-bias"]
    assert claim.check(frame.assign(threshold_learned=frame["threshold_learned"].mask(moved, 0.1))).word == "not reproduced"


def test_claims_name_pages_and_ids_once():
    assert len(BY_ID) == len(CLAIMS)
    pages = ("01-three-classifications", "05-imagenet", "06-scale", "07-fine-grained", "08-bias-initialisation", "09-open-set")
    assert {claim.page for claim in CLAIMS} == set(pages)


def test_effects_say_of_what_they_are():
    best, change = (BY_ID[name].check(results(as_the_paper_says)) for name in ("uniform-best", "uniform-bias-change"))
    assert best.unit is Unit.POINTS
    assert best.note.startswith("against bce-")
    assert change.unit is Unit.LOGIT


@pytest.mark.parametrize(
    ("claim", "effect"),
    [
        ("uniform-scale-far", 69.84 - 49.49),
        ("uniform-softmax-steadier", (77.61 - 0.10) - (77.40 - 49.00)),
        ("uniform-small-data", 8.02),  # linear heads; cosine heads have 8.41
        ("uniform-concentrated", 100 * (1 - 1.11 / 1.96)),
    ],
)
def test_the_paper_prints_what_it_says(claim, effect):
    found = BY_ID[claim].printed()
    assert found.effect == pytest.approx(effect, abs=0.005)
    assert found.holds


def test_each_deviation_of_the_overlap_must_fall():
    frame = results(as_the_paper_says)
    one = frame["objective"].eq("bce-nu")
    wider = frame.assign(overlap_negative_max_std=frame["overlap_negative_max_std"].mask(one, 3.0))
    found = BY_ID["uniform-concentrated"].check(wider)
    assert found.word == "not reproduced"
    assert found.note == "less (negative max, bce-nu)"


def test_gains_are_means_over_the_losses_of_a_draw():
    frame = pd.DataFrame(
        {
            "objective": ["soft-u", "soft-nu", "bce-u", "bce-nu"] * 2,
            "seed": [0] * 4 + [1] * 4,
            "auroc": [0.5, 0.7, 0.8, 0.9, 0.6, 0.6, 0.5, 0.5],
        }
    )
    gains = bce_gains(frame, "auroc")
    assert gains.tolist() == pytest.approx([25.0, -10.0])
