"""Which settings the tuning chooses, and the file that they are written to."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from lossbook import cli
from lossbook.papers.bench.choose import choose, write_choice
from lossbook.papers.bench.read import EVIDENCE, with_methods
from lossbook.papers.bench.tables import CHOSEN, CHOSEN_FILE, METHODS
from lossbook.papers.results import load_results
from lossbook.paths import project_root


@pytest.fixture(scope="module")
def results():
    return load_results("results", "quick", EVIDENCE)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """An empty project that holds the committed file of chosen settings, and the committed results of the project."""
    root = project_root()
    (tmp_path / "data" / "published").mkdir(parents=True)
    (tmp_path / CHOSEN_FILE).parent.mkdir()
    shutil.copy(root / CHOSEN_FILE, tmp_path / CHOSEN_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / CHOSEN_FILE, root / "results"


def test_the_command_reproduces_the_committed_file(copied):
    path, results_dir = copied
    committed = path.read_text()
    for tier in ("quick", "frozen"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith(f"{tier},")))
        cli.choose("bench", tier, str(results_dir))
        assert path.read_text() == committed


def test_the_first_choice_makes_the_file(copied):
    path, results_dir = copied
    path.unlink()
    write_choice("quick", results_dir)
    lines = path.read_text().splitlines()
    assert lines[0] == "tier,method,setting,lr,argument,value"
    assert "quick,ArcFace,1,0.03,scale,64" in lines
    assert len(lines) == 1 + len(METHODS)


def test_the_rule_longhand(results):
    """The mean accuracy of three draws, setting by setting."""
    rows = with_methods(results[results["table"] == "tuning"])
    for name, method in METHODS.items():
        means = []
        for setting in method.settings:
            own = rows[(rows["method"] == name) & np.isclose(rows["lr"], setting["lr"])]
            for key, value in setting.items():
                own = own if key == "lr" else own[np.isclose(own[f"arg_{key}"], value)]
            assert len(own) == 3
            means.append(own["A_SW"].mean())
        assert means[CHOSEN["quick"][name]] >= max(means) - 1e-5, name


def test_a_setting_that_diverges_is_not_chosen(results):
    best = EVIDENCE.table("tuning").runs("quick")[9]  # of CE, the fourth setting, on the first draw
    changed = results.copy()
    changed.loc[changed["run_id"] == best.run_id, "A_SW"] = np.nan
    assert choose(results, "quick")["CE"] == 3
    assert choose(changed, "quick")["CE"] != 3


def test_half_a_tuning_chooses_nothing(results):
    settings = 4 * len(METHODS)
    message = f"all {3 * settings} tuning runs of the tier quick, {settings} are missing: run `lossbook run bench --table tuning"
    lacking = results[~((results["table"] == "tuning") & (results["seed"] == 101))]
    with pytest.raises(ValueError, match=message):
        choose(lacking, "quick")


def test_a_tier_or_paper_without_tuning_is_named():
    with pytest.raises(ValueError, match="not tuned at the tier 'paper'; expected one of quick, frozen"):
        write_choice("paper", "results")
    with pytest.raises(ValueError, match="expected `lossbook choose bench`, got 'uniform'"):
        cli.choose("uniform")
