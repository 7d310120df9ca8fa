"""Tables and checks of the pages."""

import numpy as np
import pandas as pd
import pytest

from lossbook import report
from lossbook.papers.results import Results, beyond_spread, load_pair, load_results, mean_std, published


def _runs(shift: float = 0.0) -> pd.DataFrame:
    rows = [
        {"objective": o, "seed": s, "A_SW": 0.9 + 0.001 * s + shift * (o == "bce-u")}
        for o in ("soft-d", "bce-u")
        for s in range(3)
    ]
    return pd.DataFrame(rows)


def test_mean_std_is_in_per_cent():
    numbers = mean_std(_runs(), ["objective"], ["A_SW"])
    assert numbers.loc["bce-u", ("A_SW", "mean")] == pytest.approx(90.1)
    assert numbers.loc["bce-u", ("A_SW", "std")] == pytest.approx(0.1)


def test_a_build_is_compared_beyond_the_seeds_spread():
    same = Results(_runs(), _runs())
    assert beyond_spread(same, ["objective"], ["A_SW"]).empty
    found = beyond_spread(Results(_runs(), _runs(0.05)), ["objective"], ["A_SW"])
    assert found["objective"].tolist() == ["bce-u"]
    assert "agrees" in report.deviations(same, ["objective"], ["A_SW"]).text
    assert "bce-u" in report.deviations(Results(_runs(), _runs(0.05)), ["objective"], ["A_SW"]).text


def test_side_by_side_shows_published_reference_and_build():
    printed = pd.DataFrame({"A_SW": {"soft-d": 76.74, "bce-u": np.nan}})
    text = report.side_by_side(Results(_runs(), _runs()), "objective", ["A_SW"], printed).text
    for word in ("published", "reference", "this build", "76.74", "90.1 ± 0.1", "–"):
        assert word in text
    assert "this build" not in report.side_by_side(Results(_runs(), None), "objective", ["A_SW"]).text


def test_checks_raise_when_a_deviation_is_too_large():
    assert "1e-06" in report.checks([("equal", 1e-9, 1e-6)]).text
    with pytest.raises(AssertionError, match="check failed: equal"):
        report.checks([("equal", 1e-3, 1e-6)])
    with pytest.raises(AssertionError):
        report.checks([("equal", float("nan"), 1e-6)])


def test_findings_mark_what_does_not_hold():
    text = report.findings([("a < b", True), ("c", 1 > 2)]).text
    assert text.count("<li>") == 2
    assert 'a &lt; b <span class="verdict-met">holds</span>' in text
    assert 'c <span class="verdict-missed">does not hold</span>' in text


@pytest.mark.parametrize(
    ("tolerance", "shown"), [(0.0, "exact"), (1e-12, "1e-12"), (0.001, "1e-03"), (0.15, "0.15"), (1.5, "1.5")]
)
def test_checks_show_the_tolerance_itself(tolerance, shown):
    assert f"<td>{shown}</td>" in report.checks([("near", 0.0, tolerance)]).text


def test_interactive_escapes_and_is_deterministic():
    first = report.interactive("corollary1", "N < 3", num_classes=10, lower=-1.0, upper=1.0).text
    assert first == report.interactive("corollary1", "N < 3", upper=1.0, lower=-1.0, num_classes=10).text
    assert "N &lt; 3" in first


def test_table_escapes_and_marks_missing_values():
    text = report.table(pd.DataFrame({"a<b": [np.nan, 1.5], "c": ["<x>", None]}), "k & v").text
    assert "–" in text and "1.50" in text and "&lt;x&gt;" in text and "k &amp; v" in text


def test_missing_results_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        load_results(tmp_path, "quick", "uniform")
    with pytest.raises(ValueError, match="unknown paper"):
        load_results("results", "quick", "unifrom")
    with pytest.raises(FileNotFoundError, match="table-XX"):
        published("uniform", "XX")


def test_the_name_of_a_table_is_text_even_when_all_are_numbers(tmp_path):
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "uniform-classes.csv").write_text("table,seed,value\n2,0,1.5\n4,0,2.5\n")
    frame = load_results(tmp_path, "quick", "uniform", "classes")
    assert frame["table"].tolist() == ["2", "4"]


def test_the_reference_alone_has_no_other_build():
    assert load_pair("results", "quick", "uniform").build is None


def test_claims_of_an_unknown_page():
    with pytest.raises(ValueError, match="no claim of uniform"):
        report.claims("uniform", "99-none", load_results("results", "quick", "uniform"))
