"""The claims of the bench."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbook.papers.bench import claims
from lossbook.papers.bench.read import paired

CLAIMS = {claim.id: claim for claim in claims.CLAIMS}


def _two(method: list[float], control: list[float], metric: str = "A_SW") -> pd.DataFrame:
    """Results of CE + uniform term and its control."""
    count = len(method)
    return pd.DataFrame(
        {
            "table": "bench",
            "objective": "bce3s",
            "arg_joint": "ce",
            "arg_uniform": ["bce"] * count + [None] * count,
            "seed": [*range(count)] * 2,
            **dict.fromkeys(("nc2", "nc3", "nc4"), np.nan),
            metric: [*method, *control],
        }
    )


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
