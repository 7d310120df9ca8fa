"""The scoreboard holds every claim at every tier with results, and says honestly how much of it may be chance."""

import json
import math
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lossbook.book import scoreboard_figures as figures
from lossbook.book.pages import contents
from lossbook.book.scoreboard import (
    VERDICTS,
    chance,
    changed,
    compared,
    counts,
    effect,
    entries,
    href,
    run_table,
    with_replicates,
)
from lossbook.papers.board import Entry, entries_of, results_of
from lossbook.papers.claims import Claim, Verdict
from lossbook.papers.registry import PAPERS
from lossbook.papers.results import load_results
from lossbook.papers.rules import by_proof, decide
from lossbook.runs.spec import is_spec_column
from lossbook.runs.tables import TIERS

ROOT = Path(__file__).parents[2]

UNIFORM = PAPERS["uniform"].evidence


@pytest.fixture(scope="module")
def board():
    return entries()


def committed():
    """The rows of the file itself."""
    return pd.read_csv(ROOT / "results/quick/uniform.csv", dtype={"table": str})


@pytest.fixture(scope="module")
def html(board):
    return figures.board_table(board).text


def test_every_claim_stands_on_the_board_at_the_quick_tier(board):
    wanted = {claim.id for paper in PAPERS.values() for claim in paper.claims}
    assert {e.claim.id for e in board if e.tier == "quick"} == wanted
    assert len({(e.claim.id, e.tier) for e in board}) == len(board)


def test_every_tier_whose_tables_were_run_is_there(board):
    for paper in PAPERS.values():
        tiers = [tier for tier in TIERS if (ROOT / "results" / tier / f"{paper.name}.csv").is_file()]
        for tier in tiers:
            run = set(load_results("results", tier, paper.evidence)["table"])
            on_board = {e.claim.id: e for e in board if (e.paper, e.tier) == (paper.name, tier)}
            for other in (e for e in board if e.paper == paper.name):
                decidable = other.claim in paper.claims_at(tier) and set(other.tables) <= run
                if decidable and other.claim.id not in on_board:
                    pytest.fail(f"{other.claim.id} is missing at the {tier} tier")


def test_the_board_repeats_the_checks(board):
    for entry in board:
        again = entry.claim.check(results_of(PAPERS[entry.paper].evidence, entry.tier))
        assert again == entry.verdict


def test_runs_are_those_of_the_tables_a_check_reads(board):
    found = {e.claim.id: e for e in board if e.tier == "quick"}
    frame = results_of(UNIFORM, "quick")
    assert found["uniform-best"].tables == ("II",)
    assert found["uniform-best"].runs == (frame["table"] == "II").sum()
    assert found["uniform-softmaxed"].tables == ("II", "V-IX")
    assert found["uniform-ordering"].runs == frame["run_id"].nunique()


def test_counts_add_up(board):
    table = counts(board)
    assert table.to_numpy().sum() == len(board)
    assert list(table) == list(VERDICTS)
    assert table["by proof"].sum() == table.loc["uniform", "by proof"].sum() == 4
    assert {paper for paper, _ in table.index} == set(PAPERS)


def test_a_claim_without_its_table_is_left_out_and_any_other_error_is_not(tmp_path):
    frame = committed()
    (tmp_path / "quick").mkdir()
    frame[frame["table"] != "II"].to_csv(tmp_path / "quick" / "uniform.csv", index=False)
    ids = {e.claim.id for e in entries(tmp_path) if (e.paper, e.tier) == ("uniform", "quick")}
    assert "uniform-best" not in ids
    assert "uniform-wide-scale" in ids

    def misspelt(results):
        return decide(results["A_Uny"])

    claim = Claim("uniform-broken", "", "", "05-imagenet", misspelt)
    with pytest.raises(KeyError, match="A_Uny"):
        entries_of(replace(PAPERS["uniform"], claims=(claim,)))


def test_another_folder_wins_over_the_reference(board, tmp_path):
    frame = committed().assign(A_Uni=0.5)
    (tmp_path / "quick").mkdir()
    frame.to_csv(tmp_path / "quick" / "uniform.csv", index=False)
    old = {(e.claim.id, e.tier): e.verdict for e in board}
    different = {e.claim.id for e in entries(tmp_path) if e.verdict != old[e.claim.id, e.tier]}
    assert "uniform-auni-linear" in different
    assert all(name.startswith("uniform-") for name in different)


def test_a_sample_decides_no_claim(tmp_path):
    (tmp_path / "quick").mkdir()
    committed().drop(index=0).to_csv(tmp_path / "quick" / "uniform.csv", index=False)
    with pytest.raises(ValueError, match=r"1 of \d+ quick runs of uniform, table II, are missing.*`lossbook run uniform --tier"):
        entries(tmp_path)


def _sample(folder: Path, **metrics: float) -> None:
    """The rows of the sample in a folder of results, some of their metrics replaced."""
    frame = committed()
    wanted = {(t.name, run.run_id) for t in UNIFORM.tables for run in t.sample("quick")}
    rows = frame[[key in wanted for key in zip(frame["table"], frame["run_id"], strict=True)]]
    (folder / "quick").mkdir()
    rows.assign(**metrics).to_csv(folder / "quick" / "uniform.csv", index=False)


def test_the_runs_of_a_build_are_compared_in_all_their_metrics(tmp_path):
    _sample(tmp_path)
    assert compared("results") == {}
    found = compared(tmp_path)
    assert set(found) == {"uniform"}, "no other paper was built"
    comparison, runs = found["uniform"]
    assert runs == committed()["run_id"].nunique()
    assert comparison.runs == comparison.equal == len({run.run_id for t in UNIFORM.tables for run in t.sample("quick")})
    text = figures.compared_runs(found).text
    assert f"<td>{runs}</td>" in text and f"<td>{comparison.runs}</td>" in text and "all" in text
    assert "Outside" not in text
    assert "no other build" in figures.compared_runs({}).text


def test_a_metric_beyond_its_seeds_is_named_on_the_scoreboard(tmp_path):
    _sample(tmp_path, A_SW=-1e6)
    found = compared(tmp_path)
    comparison, _ = found["uniform"]
    assert comparison.differ == comparison.runs
    assert set(comparison.outside["metric"]) == {"A_SW"}
    assert "<td>A_SW</td>" in figures.compared_runs(found).text


def test_replicates_differ_in_their_seed_or_in_the_draw_of_their_classes():
    for paper in PAPERS.values():
        frame = with_replicates(results_of(paper.evidence, "quick"))
        groups = frame.groupby(["table", "replicates"])
        assert groups["run_id"].nunique().min() >= 3, paper.name
        spec = [c for c in frame if is_spec_column(c) and c not in ("seed", "classes", "dataset")]
        assert groups[spec].nunique(dropna=False).max().max() == 1, paper.name


@pytest.mark.parametrize(
    ("values", "bound", "above"), [([5.0, 5.1, 4.9], 0.0, True), ([5.0, 5.1, 4.9], 9.0, True), ([5.0, 5.1, 4.9], 9.0, False)]
)
def test_margin_and_verdict_agree(values, bound, above):
    verdict = decide(np.array(values), bound, above)
    assert (verdict.margin > 1) == (verdict.reproduced is True)
    assert (verdict.margin <= -1) == (verdict.reproduced is False)


def test_margin_of_every_entry_agrees_with_its_verdict(board):
    for entry in board:
        margin = entry.verdict.margin
        expected = {True: margin > 1, False: margin <= -1, None: -1 < margin <= 1}[entry.verdict.reproduced]
        assert expected, entry.claim.id
        if math.isfinite(margin):
            assert (entry.p_value < 0.05) == (abs(margin) > 1), entry.claim.id


def _entry(verdict: Verdict) -> Entry:
    return Entry("uniform", Claim("uniform-x", "", "", "05-imagenet", lambda frame: verdict), "quick", verdict, ("II",), 1)


def test_one_run_decides_nothing():
    entry = _entry(decide(np.array([5.0])))
    assert entry.verdict.word == "undecided"
    assert (entry.verdict.margin, entry.p_value) == (0.0, 1.0)


def test_chance_counts_and_holm():
    nothing, doubtful, firm = ([-1.0, 1.0, -1.0, 1.0], [1.0, 1.5, 2.0, 3.0], [99.0, 100.0, 101.0, 100.0])
    board = [_entry(decide(np.array(values))) for values in [nothing] * 90 + [doubtful] * 10 + [firm] * 20]
    board.append(_entry(by_proof(0.0, 9)))  # no interval: not counted
    board.append(_entry(decide(np.array([5.0, 5.1, math.nan]))))  # undecided, as too many failed: not counted
    odds = chance(board)
    assert odds.claims == 120
    assert odds.wrong == pytest.approx(3.0)
    assert odds.firm == odds.firm_reproduced == 20
    assert odds.decided == odds.reproduced == 30


def test_every_entry_has_a_row_with_its_verdict_and_links(board, html):
    tiers = [tier for tier in TIERS if any(e.tier == tier for e in board)]
    for entry in board:
        row = re.search(rf'<tr id="{entry.claim.id}".*?</tr>', html, re.DOTALL)
        assert row, entry.claim.id
        cells = re.findall(r'<td class="tier">(.*?)</td>', row[0])
        assert len(cells) == len(tiers)
        assert f">{entry.verdict.word}</span>" in cells[tiers.index(entry.tier)]
        assert f'href="{href(entry)}"' in row[0]


def test_a_claim_has_one_line_with_all_its_tiers(board, html):
    rows = re.findall(r'<tr id="([\w-]+)" [^>]*data-verdicts="([^"]*)"', html)
    assert [name for name, _ in rows] == list(dict.fromkeys(e.claim.id for e in board))
    for name, data in rows:
        words = {tier: word.replace("-", " ") for tier, (word, _) in json.loads(unescape(data)).items()}
        assert words == {e.tier: e.verdict.word for e in board if e.claim.id == name}


def test_links_lead_to_pages_and_runs_of_the_book(board, html):
    files = set(contents())
    assert "notebooks/scoreboard/02-runs" in files
    ledger = "".join(
        figures.runs_table(paper, tier, results_of(PAPERS[paper].evidence, tier)).text
        for paper, tier in {(e.paper, e.tier) for e in board}
    )
    for link in set(re.findall(r'href="([^"]+)"', html)):
        path, _, fragment = link.partition("#")
        if path == "02-runs.html":
            assert not fragment or f'id="{fragment}"' in ledger, link
        else:
            source = ROOT / "notebooks" / path.removeprefix("../").replace(".html", ".md")
            assert str(source.relative_to(ROOT).with_suffix("")) in files
            assert not fragment or f"\n## {fragment.capitalize()}\n" in source.read_text()


def test_the_ledger_holds_every_run():
    for paper in PAPERS:
        frame = results_of(PAPERS[paper].evidence, "quick")
        text = figures.runs_table(paper, "quick", frame).text
        assert all(run_id in text for run_id in frame["run_id"])
        assert set(re.findall(r"\b[0-9a-f]{12}\b", text)) == set(frame["run_id"])


def test_the_run_that_the_page_names_exists():
    named = re.findall(r"lossbook spec ([0-9a-f]{12})", (ROOT / "notebooks/scoreboard/02-runs.md").read_text())
    assert named
    assert set(named) <= set(results_of(UNIFORM, "quick")["run_id"])


def test_run_table_groups_the_seeds_of_a_spec():
    frame = results_of(UNIFORM, "quick")
    table = run_table(frame[frame["table"] == "III"])
    assert table["seeds"].eq(20).all()
    assert table["spec"].is_unique
    assert table["run_ids"].str.split().str.len().eq(20).all()


def test_papers_stand_in_the_order_of_the_book():
    toc = (ROOT / "_toc.yml").read_text()
    places = [toc.index(f"notebooks/{name}/") for name in PAPERS]
    assert places == sorted(places)


def test_a_second_tier_gets_rows_and_bars_of_its_own(tmp_path):
    (tmp_path / "standard").mkdir()
    frame = committed()
    frame[(frame["table"] == "III") & ~frame["spec"].str.contains('"seed":')].to_csv(
        tmp_path / "standard" / "uniform.csv", index=False
    )
    board = [e for e in entries(tmp_path) if e.paper == "uniform"]
    second = [e for e in board if e.tier == "standard"]
    assert {e.claim.id for e in second} == {"uniform-ordering", "uniform-small-scale", "uniform-wide-scale"}
    assert {e.verdict.word for e in second if e.tables == ("III",) and e.claim.id != "uniform-ordering"} == {"undecided"}
    text = figures.board_table(board).text
    assert '<th scope="col">standard</th>' in text
    assert "one run, no interval" in text
    assert "inf" not in re.sub(r"inference|information", "", text)
    assert len(figures.overview(board).axes[0].get_yticklabels()) == len({e.tier for e in board}) > 1
    assert chance(second).claims == 0


def test_overview_draws_a_bar_a_paper_and_a_mark_a_claim_that_has_an_interval(board):
    figure = figures.overview(board)
    left, right = figure.axes
    widths = sum(bar.get_width() for bar in left.patches)
    marks = sum(len(collection.get_offsets()) for collection in right.collections)
    assert widths == len(board)
    assert marks == sum(not e.verdict.proof for e in board)
    assert pd.Series([text.get_text() for text in left.get_yticklabels()]).str.len().gt(0).all()


def test_the_grid_has_a_mark_per_claim_and_an_edge_around_those_that_changed(board):
    some = {(entry.claim.id, entry.tier) for entry in board[::7]}
    panels = figures.verdict_grid(board, some).axes
    marks = [collection for panel in panels for collection in panel.collections]
    assert sum(len(mark.get_offsets()) for mark in marks) == len(board)
    edges = np.concatenate([mark.get_edgecolors()[:, :3] for mark in marks if len(mark.get_offsets())])
    assert (edges.sum(1) == 0).sum() == len(some)


def test_a_verdict_has_changed_if_the_file_has_another_word_for_it(board, tmp_path):
    first, second, third = board[:3]
    rows = [(first, "another"), (second, second.verdict.word)]  # the third is new
    lines = [f"{entry.claim.id},{entry.tier},{word}" for entry, word in rows]
    (tmp_path / "before.csv").write_text("\n".join(["claim,tier,verdict", *lines]))
    assert changed([first, second, third], tmp_path / "before.csv") == {(first.claim.id, first.tier)}


@pytest.mark.parametrize(
    ("values", "text"),
    [([-3.0, -3.2, -3.4], "3.2 [2.7, 3.7]"), ([3.0, 3.2, 3.4], "3.2 [2.7, 3.7]"), ([-1.0, 0.5, 1.1], "0.2 [-2.5, 2.9]")],
)
def test_an_effect_is_a_size_for_a_sentence_that_says_its_direction(board, values, text):
    entry = replace(board[0], verdict=decide(np.array(values)))
    found = [entry]
    assert effect(found, entry.claim.id, entry.tier, entry.verdict.word) == text
    with pytest.raises(ValueError, match=f"{entry.claim.id} is {entry.verdict.word} at the {entry.tier} tier"):
        effect(found, entry.claim.id, entry.tier, "by proof")
