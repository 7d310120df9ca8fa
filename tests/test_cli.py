"""The command line."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lossbook import cli
from lossbook.cli import app
from lossbook.papers.registry import papers_at
from lossbook.papers.standard_plan import ORDER
from lossbook.papers.standard_tier import LONG_TAIL, core_minutes


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_version():
    assert _run("--version").strip() == f"lossbook {cli.__version__}"


def test_a_folder_of_results_that_does_not_exist_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"no folder of results .*nope"):
        _run("claims", "uniform", "--results-dir", "nope")


def test_a_terminal_without_the_characters_shows_question_marks():
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "lossbook", "claims", "uniform", "--tier", "frozen"]
    shown = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode("latin-1")
    assert "A_Uni ? A_CW ? A_SW" in shown


def test_list_names_objectives_data_sets_and_tables():
    output = _run("list")
    for word in ("bce-nu", "mnist5k", "V-IX"):
        assert word in output


def test_table_prints_means_with_their_spread():
    output = _run("table", "uniform", "III")
    assert "±" in output
    assert "512" in output


@pytest.mark.parametrize("paper", papers_at("quick"))
def test_table_prints_every_papers_tables(paper):
    for table in (table for table in papers_at("quick")[paper].evidence.tables if table.runs("quick")):
        output = _run("table", paper, table.name)
        assert f"│ {table.runs('quick')[0].objective}" in output
        assert "nan" not in output


def test_table_keeps_apart_what_varies_and_leaves_out_what_a_run_has_not():
    lines = _run("table", "multicenter", "2").splitlines()
    assert sum("multicenter " in line and "num_subcenters=" in line for line in lines) == 9  # three sizes, three classifiers
    assert not any("nan" in line for line in lines)


def test_table_of_a_tier_that_it_does_not_have():
    with pytest.raises(ValueError, match="no frozen results of bce3s, table 4"):
        _run("table", "bce3s", "4", "--tier", "frozen")


@pytest.mark.parametrize("command", [("run", "uniform"), ("table", "uniform", "II"), ("claims",), ("status",)])
def test_an_unknown_tier_lists_the_known_ones(command):
    result = CliRunner().invoke(app, [*command, "--tier", "nope"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "expected one of quick, frozen, standard, paper" in result.output


@pytest.mark.parametrize("arguments", [("bench", "--tier", "paper"), ("uniform", "--table", "III", "--tier", "standard")])
def test_run_of_a_tier_without_runs(arguments):
    with pytest.raises(ValueError, match=f"{arguments[0]} has no runs at the tier"):
        _run("run", *arguments)


def test_claims_prints_a_verdict_for_each():
    output = _run("claims", "uniform")
    assert "uniform-ordering" in output
    assert "reproduced" in output


def test_status_counts_runs():
    assert "720" in _run("status")


def test_plan_adds_up_the_hours():
    rows = [line.split("│")[1:-1] for line in _run("plan").splitlines() if "│" in line]
    assert [(row[0].strip(), row[1].strip()) for row in rows] == list(ORDER)
    hours = [float(row[5]) for row in rows]
    assert float(rows[-1][6]) == pytest.approx(sum(hours), abs=0.05 * len(rows))
    assert hours[0] * 60 == pytest.approx(int(rows[0][3]) * core_minutes(LONG_TAIL), rel=0.02)


def test_doctor_says_versions_device_and_data():
    output = _run("doctor")
    for word in ("torch", "device", "free disk", "mnist5k", "verified"):
        assert word in output


def test_doctor_downloads_nothing_when_half_a_data_set_is_there(tmp_path, monkeypatch):
    from lossbook._torchvision import datasets

    for folder in ("FashionMNIST/raw", "cifar-100-python", "omniglot"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "cifar-100-python/meta").write_bytes(b"")
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path))
    for module in (datasets.mnist, datasets.cifar, datasets.omniglot):
        monkeypatch.setattr(module, "download_and_extract_archive", lambda *_, **__: pytest.fail("a download"))
    output = _run("doctor")
    for name in ("fashion-mnist", "cifar100", "omniglot"):
        assert f"'{name}' in" in output
    assert output.count("data/README.md") == 5  # nobody downloads ImageNet and the like


def test_a_wrong_table_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of II"):
        _run("table", "uniform", "XX")


def test_claims_without_a_paper_prints_the_scoreboard():
    output = _run("claims")
    for word in ("uniform-ordering", "onecold-rce", "not reproduced", "Holm"):
        assert word in output


def test_claims_of_a_tier_that_was_not_run():
    with pytest.raises(ValueError, match=r"no results of uniform at the tier paper in .* `lossbook run uniform --tier paper`"):
        _run("claims", "uniform", "--tier", "paper")


def test_spec_prints_what_the_run_notebook_takes():
    from lossbook.papers.registry import get_paper
    from lossbook.runs.spec import parse_specs

    wanted = get_paper("uniform").evidence.table("III").runs("quick")[4]
    assert parse_specs(_run("spec", wanted.run_id)) == [wanted]
    with pytest.raises(ValueError, match="no table holds a run"):
        _run("spec", "0123456789ab")


def test_an_error_of_the_users_is_one_line(monkeypatch):
    monkeypatch.setattr("sys.argv", ["lossbook", "table", "uniform", "XX"])
    with pytest.raises(SystemExit, match=r"^lossbook: uniform has no table 'XX'; expected one of II"):
        cli.main()


def test_another_error_keeps_its_traceback(monkeypatch):
    def fails():
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(ZeroDivisionError):
        cli.main()
