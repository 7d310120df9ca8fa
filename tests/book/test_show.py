"""Tables and checks of the pages."""

import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from lossbook.book import show
from lossbook.papers.claims import Unit, Verdict
from lossbook.papers.registry import get_paper
from lossbook.papers.results import Results, load_pair, load_results, mean_std, published

UNIFORM = get_paper("uniform").evidence


def _runs() -> pd.DataFrame:
    rows = [
        {"objective": o, "seed": s, "run_id": run_id, "A_SW": 0.9 + 0.001 * s}
        for (o, s), run_id in zip(product(("soft-d", "bce-u"), range(3)), "abcdef", strict=True)
    ]
    return pd.DataFrame(rows)


def _built(**accuracies: float) -> pd.DataFrame:
    """The same runs, of which some were made again: run id -> accuracy."""
    frame = _runs()
    frame["A_SW"] = frame["run_id"].map(accuracies)
    return frame.assign(run_id=frame["run_id"].where(frame["run_id"].isin(list(accuracies))))


def test_mean_std_is_in_per_cent():
    numbers = mean_std(_runs(), ["objective"], ["A_SW"], UNIFORM)
    assert numbers.loc["bce-u", ("A_SW", "mean")] == pytest.approx(90.1)
    assert numbers.loc["bce-u", ("A_SW", "std")] == pytest.approx(0.1)


def test_deviations_count_the_runs_made_again_and_list_what_lies_outside():
    alone = Results(UNIFORM, _runs(), None)
    assert "no other build" in show.deviations(alone, ["objective"], ["A_SW"]).text
    none = show.deviations(Results(UNIFORM, _runs(), _built()), ["objective"], ["A_SW"]).text
    assert none == "<p>This build has retrained none of the 6 runs here.</p>"
    same = show.deviations(Results(UNIFORM, _runs(), _built(a=0.9, d=0.9)), ["objective"], ["A_SW"]).text
    assert "retrained 2 of the 6 runs" in same
    assert "2 equal" in same and "0 differ" in same and "0 lie outside" in same
    assert "<table" not in same
    text = show.deviations(Results(UNIFORM, _runs(), _built(a=0.9, d=0.95)), ["objective"], ["A_SW"]).text
    assert "1 equal" in text and "1 lie outside" in text
    assert "<td>bce-u</td>" in text and "<td>soft-d</td>" not in text
    assert "<td>90.100</td>" in text and "<td>0.100</td>" in text and "<td>95.000</td>" in text


def test_side_by_side_shows_published_reference_and_build():
    printed = pd.DataFrame({"A_SW": {"soft-d": 76.74, "bce-u": np.nan}})
    text = show.side_by_side(Results(UNIFORM, _runs(), _built(b=0.93)), "objective", ["A_SW"], printed).text
    for word in ("published", "reference", "this build"):
        assert word in text
    rows = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    assert ["soft-d", "76.74", "90.1 ± 0.1", "93.0"] in rows
    assert ["bce-u", "–", "90.1 ± 0.1", "–"] in rows
    assert "this build" not in show.side_by_side(Results(UNIFORM, _runs(), None), "objective", ["A_SW"]).text


def test_checks_raise_when_a_deviation_is_too_large():
    assert "1e-06" in show.checks([("equal", 1e-9, 1e-6)]).text
    with pytest.raises(AssertionError, match="check failed: equal"):
        show.checks([("equal", 1e-3, 1e-6)])
    with pytest.raises(AssertionError):
        show.checks([("equal", float("nan"), 1e-6)])


def test_findings_mark_what_does_not_hold():
    text = show.findings([("a < b", True), ("c", 1 > 2)]).text
    assert text.count("<li>") == 2
    assert 'a &lt; b <span class="verdict-met">holds</span>' in text
    assert 'c <span class="verdict-missed">does not hold</span>' in text


@pytest.mark.parametrize(
    ("tolerance", "shown"), [(0.0, "exact"), (1e-12, "1e-12"), (0.001, "1e-03"), (0.15, "0.15"), (1.5, "1.5")]
)
def test_checks_show_the_tolerance_itself(tolerance, shown):
    assert f"<td>{shown}</td>" in show.checks([("near", 0.0, tolerance)]).text


def test_interactive_escapes_and_is_deterministic():
    first = show.interactive("corollary1", "N < 3", num_classes=10, lower=-1.0, upper=1.0).text
    assert first == show.interactive("corollary1", "N < 3", upper=1.0, lower=-1.0, num_classes=10).text
    assert "N &lt; 3" in first


def test_table_escapes_and_marks_missing_values():
    text = show.table(pd.DataFrame({"a<b": [np.nan, 1.5], "c": ["<x>", None]}), "k & v").text
    assert "–" in text and "1.50" in text and "&lt;x&gt;" in text and "k &amp; v" in text


def test_missing_results_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        load_results(tmp_path, "quick", UNIFORM)
    with pytest.raises(FileNotFoundError, match="table-XX"):
        published(UNIFORM, "XX")


def test_the_reference_alone_has_no_other_build():
    assert load_pair("results", "quick", UNIFORM).build is None


def test_groups_keep_the_rows_that_this_build_lacks():
    frames = {"reference": pd.DataFrame({"x": {"a": 1.0, "b": 2.0}}), "this build": pd.DataFrame({"x": {"b": 3.0}})}
    rows = re.findall(r"<tr>(.*?)</tr>", show.groups(frames).text, re.DOTALL)
    assert [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows[-2:]] == [["a", "1.00", "–"], ["b", "2.00", "3.00"]]


def test_a_tier_that_was_not_built_shows_the_reference(tmp_path):
    assert load_pair(tmp_path, "quick", UNIFORM).build is None
    with pytest.raises(FileNotFoundError, match="make book"):
        load_pair(tmp_path / "none", "quick", UNIFORM)


def test_claims_of_an_unknown_page():
    with pytest.raises(ValueError, match=r"no claim of uniform names the page\(s\) 99-none"):
        show.claims(get_paper("uniform"), "99-none")


def test_the_claims_of_a_page_show_every_tier_and_the_printed_numbers():
    text = show.claims(get_paper("uniform"), "05-imagenet", "08-bias-initialisation").text
    heads = re.findall(r"<th>(.*?)</th>", text)
    assert heads[:5] == ["claim", "source", "published", "quick", "frozen"]
    rows = re.findall(r"<td>(.*?)</td>", text)
    cells = dict(zip(rows[:: len(heads)], zip(*(rows[k :: len(heads)] for k in range(1, len(heads))), strict=True), strict=True))
    assert len(cells) == len([c for c in get_paper("uniform").claims if c.page in ("05-imagenet", "08-bias-initialisation")])
    best = cells["bce-nu has the highest A_Uni of the twelve losses."]
    assert best[0] == "Table II"
    assert "holds" in best[1] and "+0.36 points against bce-nd (33 cases)" in best[1]
    assert all("n = " in cell for cell in best[2:4])
    contradicted = cells["A normalised head makes BCE less sensitive to the start of its bias (bce-d against bce-nd)."]
    assert "does not hold" in contradicted[1]
    assert contradicted[3] == "–"  # no runs of Table X at this tier


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Verdict(None, 0.5, -0.5, 1.5, 20), "0.50 points short, about 80 seeds"),
        (Verdict(None, -0.5, -1.5, 0.5, 20), "0.50 points short, about 80 seeds"),
        (Verdict(None, 2.1, 1.5, 2.7, 20, bound=2.0), "0.50 points short, about 720 seeds"),
        (Verdict(None, 1.9, 0.9, 2.9, 20, bound=2.0, above=False), "0.90 points short, more than 1000 seeds"),
        (Verdict(None, 0.0, -0.5, 0.5, 20), ""),  # no direction yet
        (Verdict(None, 0.5, -math.inf, math.inf, 16, failed=4), ""),
        (Verdict(True, 1.0, 0.5, 1.5, 20), ""),
    ],
)
def test_an_undecided_verdict_says_what_it_lacks(verdict, text):
    assert show.missing_text(verdict) == text
    assert text in show.verdict_text(verdict)


def test_a_cell_names_failed_seeds_and_proofs():
    text = show.verdict_text(Verdict(True, 1.0, 0.5, 1.5, 19, failed=1))
    assert "n = 19, 1 of 20 failed" in text
    proof = show.verdict_text(Verdict(True, 0.0, 0.0, 0.0, 9, proof=True))
    assert 'class="verdict-by-proof">by proof</span>' in proof and "9 runs" in proof
    assert show.printed_cell(get_paper("bench").claims[0]) == '<span class="fine">not printed</span>'


def test_columns_are_headed_as_the_paper_says():
    assert show.heading("A_SW", UNIFORM) == "A<sub>SW</sub>"
    assert show.heading("A_SW") == "A_SW"
    assert show.heading("objective") == "loss"
    text = show.groups({"here": pd.DataFrame({"A_SW": {"soft-d": 1.0}})}, evidence=UNIFORM).text
    assert "A&lt;sub&gt;" not in text and "A<sub>SW</sub>" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, 3, 5), "1 3 5"),
        (((0, 5), (1, 6)), "0+5 1+6"),
        (tuple(range(964)), "0..963"),
        (("flip",), "flip"),
        ((), ""),
        (3, "3"),
        (0.5, "0.5"),
        (3.0, "3"),
    ],
)
def test_values_of_a_spec_as_text(value, text):
    assert show.spec_text(value) == text


def test_an_effect_has_its_interval_unit_and_note():
    verdict = Verdict(True, 1.0, 0.5, 1.5, 3, Unit.POINTS, note="against <b>")
    assert show.effect_text(verdict) == "1.00 [0.50, 1.50] points against &lt;b&gt;"
    assert show.effect_text(replace(verdict, low=1.0, high=1.0, note="")) == "1.00 points"
