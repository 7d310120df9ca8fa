"""The command line."""

import pytest
from typer.testing import CliRunner

from lossbook.cli import app


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_names_objectives_data_sets_and_tables():
    output = _run("list")
    for word in ("bce-nu", "mnist5k", "V-IX"):
        assert word in output


def test_table_prints_means_with_their_spread():
    output = _run("table", "uniform", "III")
    assert "±" in output
    assert "512" in output


def test_claims_prints_a_verdict_for_each():
    output = _run("claims", "uniform")
    assert "uniform-ordering" in output
    assert "reproduced" in output


def test_status_counts_runs():
    assert "108" in _run("status")


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


def test_a_wrong_table_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of II"):
        _run("table", "uniform", "XX")


def test_claims_without_a_paper_prints_the_scoreboard():
    output = _run("claims")
    for word in ("uniform-ordering", "onecold-rce", "not reproduced", "Holm"):
        assert word in output


def test_claims_of_a_tier_that_was_not_run():
    with pytest.raises(ValueError, match="no paper results of uniform"):
        _run("claims", "uniform", "--tier", "paper")


def test_spec_prints_what_the_run_notebook_takes():
    from lossbook.experiments import get_paper
    from lossbook.specs import parse_specs

    wanted = get_paper("uniform").table("III").runs("quick")[4]
    assert parse_specs(_run("spec", wanted.run_id)) == [wanted]
    with pytest.raises(ValueError, match="no table holds a run"):
        _run("spec", "0123456789ab")
