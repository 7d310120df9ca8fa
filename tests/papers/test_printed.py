"""Claims on the papers' own printed numbers."""

from __future__ import annotations

import math

import pytest

from lossbook.papers.registry import PAPERS

CLAIMS = {claim.id: claim for paper in PAPERS.values() for claim in paper.claims}
FOUND = {name: claim.printed() for name, claim in CLAIMS.items() if claim.printed is not None}


def test_every_paper_prints_numbers_of_its_claims():
    assert {name.partition("-")[0] for name in FOUND} == {*PAPERS} - {"bench"}
    assert len(FOUND) >= 70


@pytest.mark.parametrize("name", FOUND)
def test_printed_numbers_are_finite_and_have_the_unit_of_the_claim(name):
    found = FOUND[name]
    assert math.isfinite(found.effect)
    assert found.cases >= 1
    assert "{" not in found.note


def test_the_claims_that_their_own_paper_contradicts():
    """Table X prints a range of 78.87 for bce-d and of 84.96 for bce-nd."""
    assert {name for name, found in FOUND.items() if not found.holds} == {"uniform-bias-normalised"}
    assert FOUND["uniform-bias-normalised"].effect == pytest.approx(78.87 - 84.96)


@pytest.mark.parametrize(
    ("name", "effect", "cases"),
    [
        ("uniform-wide-scale", 69.84 - 67.71, 1),
        ("uniform-small-scale", 77.50 - 0.10, 1),
        ("uniform-bias-sensitivity", (79.39 - 0.52) - (82.21 - 62.46), 1),
        ("uniform-bias-reachable", (79.39 - 0.71) - (85.48 - 84.38), 1),
        ("bce3s-joint-few", 17.40 - 15.67, 1),
        ("bce3s-joint-r1-all", 51.56 - 51.48, 1),
        ("bce3s-best", 55.99 - 55.40, 13),
        ("bce3s-stage2", 59.50 - 55.99, 1),
        ("bce3s-normalise-best", 51.56 - 49.93, 3),
        ("bce3s-benchmark-best", 90.08 - 89.58, 94),
        ("multicenter-kl", (77.7 - 77.0 + 81.7 - 81.4) / 2, 2),
        ("multicenter-networks", 81.6 - 81.3, 10),
        ("multicenter-features", (0.9 + 0.8 + 0.7 + 0.6) / 4 - (0.6 + 0.4 + 0.3 + 0.4 + 0.3 + 0.4) / 6, 10),
        ("multicenter-code", (77.7 - 76.8 + 80.6 - 79.9) / 2, 2),
        ("multicenter-variants", (77.3 - 77.7 + 81.1 - 81.7) / 2, 4),
        ("warped-beats-euclidean", (72.6 - 69.1 + 91.2 - 90.2 + 81.9 - 79.5) / 3, 3),
        ("warped-beats-proxy-nca", (71.8 - 65.9 + 90.7 - 84.1 + 81.6 - 78.7) / 3, 3),
        ("warped-identity-best", 63.2 - 62.2, 3),
        ("warped-dtp-between", 64.6 - 54.1, 2),
        ("warped-best-map", (26.76 - 26.89 + 30.26 - 29.36) / 2, 14),
        ("onecold-instance", (0.38 - 0.36 + 5.40 - 5.38 + 23.92 - 23.60 + 35.61 - 35.40) / 4, 4),
        ("onecold-dimensions", (73 - 22 + 89 - 37 + 98 - 64) / 3, 3),
        ("onecold-oscr", (73.93 - 71.56 + 72.46 - 70.09 + 61.94 - 59.37) / 3, 3),
    ],
)
def test_effects_longhand(name, effect, cases):
    assert FOUND[name].effect == pytest.approx(effect, abs=1e-9)
    assert FOUND[name].cases == cases
