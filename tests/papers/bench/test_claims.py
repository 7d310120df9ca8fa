"""The claims of the bench."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.bench import claims
from lossbook.papers.bench.read import paired

CLAIMS = {claim.id: claim for claim in claims.CLAIMS}


def _two(method: list[float], control: list[float], metric: str = "A_SW", accuracy: float = 0.9) -> pd.DataFrame:
    """Results of CE + uniform term, its control, and the cross entropy, which has an accuracy of 0.9."""
    count = len(method)
    frame = pd.DataFrame(
        {
            "table": "bench",
            "objective": ["bce3s"] * 2 * count + ["soft-d"] * count,
            "arg_joint": ["ce"] * 2 * count + [None] * count,
            "arg_uniform": ["bce"] * count + [None] * 2 * count,
            "seed": [*range(count)] * 3,
            **dict.fromkeys(("nc2", "nc3", "nc4"), np.nan),
            "A_SW": [accuracy] * 2 * count + [0.9] * count,
        }
    )
    return frame.assign(**{metric: [*method, *control, *([0.9] * count)]})


@pytest.mark.parametrize(("shift", "word"), [(0.002, "reproduced"), (0.05, "not reproduced"), (0.01, "undecided")])
def test_an_accuracy_that_stays_is_shown_by_its_interval(shift, word):
    noise = np.array([-0.001, 0.0, 0.001, 0.0])
    claim = CLAIMS["bench-term-accuracy"]
    assert claim.check(_two(list(0.9 + shift + noise), [0.9] * 4)).word == word


def test_a_fall_is_relative_to_the_controls_mean():
    claim = CLAIMS["bench-term-etf"]
    verdict = claim.check(_two([0.1, 0.2, 0.3], [0.2, 0.4, 0.6], "nc2"))
    assert verdict.effect == pytest.approx(50)
    assert verdict.seeds == 3


def test_paired_differences_are_seed_by_seed():
    frame = _two([0.5, 0.7, 0.9], [0.4, 0.6, 0.8]).sample(frac=1, random_state=0)
    found = paired(frame, "bench", "A_SW", "CE+uniform", "CE, unit w")
    np.testing.assert_allclose(found, [10, 10, 10])


def test_a_measure_without_a_worst_value_leaves_a_diverged_run_out():
    claim = CLAIMS["bench-term-etf"]
    verdict = claim.check(_two([0.1, 0.2, np.nan], [0.2, 0.4, 0.6], "nc2"))
    assert verdict.seeds == 2


@pytest.mark.parametrize(("accuracy", "word"), [(0.46, "reproduced"), (0.44, "undecided")])
def test_a_side_that_does_not_train_decides_nothing(accuracy, word):
    claim = CLAIMS["bench-term-etf"]
    verdict = claim.check(_two([0.1, 0.2, 0.3], [0.3, 0.4, 0.5], "nc2", accuracy))
    assert verdict.word == word
    assert ("CE+uniform, CE, unit w" in verdict.note) == (word == "undecided")
