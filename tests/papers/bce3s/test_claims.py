"""The claims of `bce3s`: each holds where the paper is right, and can be false."""

import functools

import numpy as np
import pandas as pd
import pytest
from made_up import made_up

from lossbook.papers.bce3s.claims import CLAIMS
from lossbook.papers.bce3s.read import EVIDENCE

METRICS = (
    *("accuracy_all", "accuracy_many", "accuracy_medium", "accuracy_few"),
    *("compactness_train", "compactness_train_std", "compactness_test", "feature_separability_train"),
    *("classifier_separability", "classifier_separability_std", "pair_separability_std"),
)


@functools.cache
def results(value) -> pd.DataFrame:
    return made_up(EVIDENCE, value, METRICS)


def as_the_paper_says(spec, name: str) -> float:
    """A world in which every claim holds."""
    arguments = spec.objective_args
    if spec.objective != "bce3s":
        return 0.4
    joint, contrastive, uniform = (arguments[term] for term in ("joint", "contrastive", "uniform"))
    bce = (joint == "bce") + 0.5 * (contrastive == "bce") + 0.5 * (uniform == "bce")
    if name == "classifier_separability":
        return 55.5
    if name in ("classifier_separability_std", "pair_separability_std"):
        terms = 0.5 * (uniform is not None) + 0.3 * (uniform == "bce") - 0.2 * (contrastive is not None)
        return 1.0 - terms - 0.1 * (joint == "bce")
    if name == "compactness_train_std":
        return 5 - bce
    if name.startswith(("compactness", "feature_separability")):
        return 50 + 10 * bce
    if name == "accuracy_many":
        terms = 0.01 * (contrastive == "bce") - 0.1 * (joint == "bce") - 0.02 * (uniform == "bce")
        return 0.9 + terms + 0.1 * arguments.get("r", 0.4)
    value = 0.5 + 0.05 * bce + (0.05 if spec.second_phase else 0) + 0.0005 * spec.epochs
    value -= 0.02 * abs(np.log2(arguments.get("r", 0.4) / 0.4)) + 0.01 * abs(np.log(arguments.get("lambda_cc", 1.25)))
    value -= {"classifier": 0.0, "neither": 0.05, "both": 0.05, "features": 0.4}[arguments.get("normalise", "classifier")]
    return value - (0.2 if arguments.get("lambda_ss", 0) * (1 / arguments.get("tau", 1)) > 50 else 0)


def nothing_matters(spec, name: str) -> float:
    return 0.5


def nothing_is_alike(spec, name: str) -> float:
    """A world in which the contrastive term and the normalisation of both each move everything by more than a point."""
    arguments = spec.objective_args
    return 0.5 + 2.0 * (arguments.get("contrastive") is not None) + 2.0 * (arguments.get("normalise") == "both")


# That two things hardly differ is true where nothing matters.
SAME = {"bce3s-normalise-both", "bce3s-ce-compactness"}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_holds_where_the_paper_is_right_and_not_where_its_opposite_is_true(claim):
    assert claim.check(results(as_the_paper_says)).word == "reproduced"
    otherwise = nothing_is_alike if claim.id in SAME else nothing_matters
    assert claim.check(results(otherwise)).word in ("not reproduced", "undecided")


def test_claims_name_pages_and_ids_once():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    pages = ("05-ablation", "06-geometry", "07-parameters", "08-second-stage", "09-benchmarks")
    assert {claim.page for claim in CLAIMS} == set(pages)


def test_the_effect_names_the_best_other_row():
    claims = {claim.id: claim for claim in CLAIMS}
    assert claims["bce3s-best"].check(results(as_the_paper_says)).note in ("against BCE + ss (BCE)", "against BCE + cc (BCE)")
    assert claims["bce3s-normalise-best"].check(results(as_the_paper_says)).note.startswith("against normalising ")
