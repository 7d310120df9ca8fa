"""The search for settings, and what the tables make of its choices."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.papers import tuning
from lossbook.papers.registry import PAPERS
from lossbook.papers.tune import search_rows, tune
from lossbook.papers.tuning import (
    MOST_CELLS,
    RATES,
    SEEDS,
    Search,
    best_cell,
    chosen,
    climb,
    read_tuned,
    tuned,
    with_setting,
)
from lossbook.runs.spec import RunSpec
from lossbook.runs.tables import draw_classes
from lossbook.runs.train import RunResult

SMALL = RunSpec(dataset="digits", model="mlp", epochs=1, train_per_class=10, lr=0.1)
TWO_PHASES = SMALL.replace(objective_args={"bias_mode": 1}, second_phase={"epochs": 1, "lr": 0.01})


@given(st.integers(2, 9), st.integers(2, 5), st.data())
def test_the_search_ends_at_a_cell_that_no_neighbour_beats(rows, columns, data):
    scores = {(i, j): data.draw(st.integers(0, 9)) for i in range(rows) for j in range(columns)}
    start = (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1)))
    tried = climb((rows, columns), start, scores.__getitem__)
    best = best_cell(tried)
    assert len(tried) < MOST_CELLS + 4
    if len(tried) < MOST_CELLS:
        for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near = best[0] + i, best[1] + j
            assert near not in scores or scores[near] <= scores[best]


def test_a_search_walks_away_from_cells_that_fail():
    scores = [0.1, 0.9, 0.4, math.nan, math.nan]
    assert best_cell(climb([5], (3,), lambda cell: scores[cell[0]])) == (1,)


def test_of_equal_cells_the_first_is_best():
    assert best_cell({(2,): 1.0, (1,): 1.0}) == (2,)
    assert best_cell({(0,): math.nan, (1,): -5.0}) == (1,)


def test_a_family_is_the_spec_without_its_settings():
    ladders = {"lr": RATES, "arg_bias_mode": (1.0, 2.0), "second_phase_lr": (0.01, 0.1)}
    search = Search(TWO_PHASES, ladders)
    assert search.start == (RATES.index(0.1), 0, 0)
    moved = with_setting(TWO_PHASES, search.setting((0, 1, 1))).replace(seed=5, suites=("collapse",))
    assert (moved.lr, moved.objective_args, moved.second_phase["lr"]) == (1e-4, {"bias_mode": 2.0}, 0.1)
    assert moved.second_phase["epochs"] == 1
    assert Search(moved, ladders).family == search.family
    assert Search(moved.replace(epochs=2), ladders).family != search.family
    with pytest.raises(ValueError, match=r"cannot start at 0.07"):
        Search(SMALL.replace(lr=0.07)).start  # noqa: B018


def test_scores_come_from_held_out_training_images_and_seeds_of_their_own():
    runs = Search(SMALL).runs((0,))
    assert [run.seed for run in runs] == [*SEEDS]
    assert {run.validation_share for run in runs} == {0.2}
    evidence = {run.seed for paper in PAPERS.values() for tier in ("quick", "frozen") for run in paper.evidence.runs(tier)}
    assert not evidence & {*SEEDS}


def test_a_search_can_draw_the_known_classes():
    search = Search(SMALL.replace(classes=(0, 1, 2)), draws=(100, 101))
    runs = search.runs((0,))
    assert [run.seed for run in runs] == [100, 101]
    assert [run.classes for run in runs] == [draw_classes(10, 3, seed) for seed in (100, 101)]
    assert {run.validation_share for run in runs} == {0.2}


def test_a_search_goes_on_for_further_metrics(tmp_path, monkeypatch):
    """Accuracy is best at the start; one metric grows with the rate, and of another one less is better."""
    rates = (0.001, 0.01, 0.1, 1.0)

    def train(spec, *_):
        at = rates.index(spec.lr)
        metrics = {"A_SW": -abs(at - 1), "up": float(at), "down": float(at), "diverged": 0.0, "exploded": 0.0}
        return RunResult(spec, metrics, {}, {}, 0.0, "cpu")

    monkeypatch.setattr("lossbook.runs.train.train", train)
    alone = Search(SMALL.replace(lr=0.01), {"lr": rates})
    both = Search(SMALL.replace(lr=0.01), {"lr": rates}, others={"up": 1, "down": -1})
    assert len(search_rows(alone, "quick", tmp_path / "alone")) == 3
    rows = search_rows(both, "quick", tmp_path / "both")
    assert len(rows) == 4
    assert [json.loads(row["setting"]) for row in rows if row["chosen"]] == [{"lr": 0.01}]
    others = [json.loads(row["others"]) for row in rows]
    assert others == [{"up": float(at), "down": float(at)} for at in range(4)]


def test_rows_are_written_whole_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("lossbook.papers.tune.in_project", lambda path: tmp_path / path)
    monkeypatch.setattr(tuning, "in_project", lambda path: tmp_path / path)
    tuning._choices.cache_clear()
    low = Search(SMALL, {"lr": (0.03, 0.1)})
    tune("toy", [low], "frozen", tmp_path / "runs")
    tune("toy", [low, Search(SMALL.replace(objective="soft-nd"), {"lr": (0.1,)})], "quick", tmp_path / "runs")
    rows = read_tuned("toy")
    assert [row["tier"] for row in rows] == ["quick"] * 3 + ["frozen"] * 2
    assert sum(row["chosen"] == "1" for row in rows) == 3
    best = max((row for row in rows[:2]), key=lambda row: float(row["mean"]))
    assert chosen("toy", low) == json.loads(best["setting"])
    assert tuned("toy", low).lr == json.loads(best["setting"])["lr"]
    assert tuned("toy", Search(SMALL.replace(epochs=2))) == SMALL.replace(epochs=2), "not tuned: the start is taken"
    with pytest.raises(ValueError, match="two searches of toy"):
        tune("toy", [low, low], "quick", tmp_path / "runs")
    tuning._choices.cache_clear()


def test_a_search_that_always_fails_chooses_nothing(tmp_path):
    rows = search_rows(Search(SMALL.replace(lr=1e30), {"lr": (1e30,)}), "quick", tmp_path)
    assert [(row["failed"], row["chosen"], row["mean"]) for row in rows] == [(3, 0, "nan")]


def test_a_run_without_the_score_has_failed(tmp_path):
    """A reality check lacks all scores where the training of a fold diverged."""
    (row,) = search_rows(Search(SMALL, {"lr": (0.1,)}, metric="validation_MAP@R"), "quick", tmp_path)
    assert (row["failed"], row["chosen"]) == (3, 0)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=lambda paper: paper.name)
def test_every_search_was_made_and_none_is_left_over(paper):
    for tier, searches in paper.evidence.searches.items():
        rows = [row for row in read_tuned(paper.name) if row["tier"] == tier]
        assert {row["spec"] for row in rows} == {search.family for search in searches}
        for search in searches:
            assert chosen(paper.name, search) is not None, f"all settings fail: {search.family}"
