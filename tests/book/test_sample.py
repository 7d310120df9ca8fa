"""The Snakefile on the small project: what a build trains is a sample of the evidence."""

import subprocess
import sys

import pandas as pd
import pytest
import small_project as small

RESULTS = f"_build/results/quick/{small.PAPER}.csv"


def snakemake(folder, *config: str) -> subprocess.CompletedProcess:
    """The target of the results with profiles/local, as `make book` has it."""
    command = [sys.executable, "-m", "snakemake", RESULTS, "--profile", "profiles/local", "--cores", "1"]
    options = ["--config", *config] if config else []
    return subprocess.run(
        [*command, *options], cwd=folder, env=small.environment(folder), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_build_trains_the_sample_and_another_sample_what_that_lacks(tmp_path):
    folder = small.make(tmp_path)
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    first = pd.read_csv(folder / RESULTS)
    assert len(first) == 2, "the two specs of the table, one seed"
    records = {path: path.stat().st_mtime_ns for path in (folder / "_build/runs/quick").glob("[!.]*.json")}
    assert len(records) == 2

    assert snakemake(folder, "sample=all").returncode == 0
    rows = pd.read_csv(folder / RESULTS)
    assert len(rows) == small.RUNS
    assert set(first["run_id"]) <= set(rows["run_id"])
    assert {path: path.stat().st_mtime_ns for path in records} == records, "the records of the sample are kept"

    done = snakemake(folder, "sample=half")
    assert done.returncode != 0
    assert "unknown sample 'half'; expected one of some, first, all" in done.stderr + done.stdout
