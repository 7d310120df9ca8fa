"""Every benchmark's two sides run and agree on the values; how long they take is nobody's test."""

from contextlib import nullcontext
from typing import Any

import pytest

from benchmarks import measure
from benchmarks.__main__ import SUITES

# A peer that searches a grid of thresholds misses the best one by so much; rounding is far below.
LARGEST_ERROR = 1e-3


def _agreement(case: str, peer: str, ours: measure.Side, theirs: measure.Side, items: int, **options: Any) -> dict[str, Any]:
    """What ``measure.compare`` would return, without its timing."""
    error = options.get("error") or measure.relative_error
    values = [side(nullcontext()) for side in (ours, theirs)]
    found = 0.0 if error is measure.incomparable else error(*values)
    return {"case": case, "peer": peer, "value_error": found, "items": items}


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_both_sides_agree(suite, monkeypatch):
    monkeypatch.setitem(SUITES[suite].__globals__, "compare", _agreement)
    rows = SUITES[suite](True)
    assert rows
    assert all(row["items"] > 0 and row["value_error"] < LARGEST_ERROR for row in rows), rows
