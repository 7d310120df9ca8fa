"""profiles/slurm on a real SLURM of one node: a table trained as a job array, jobs killed half-way and tried again.

Skipped where SLURM is not installed (``apt-get install slurm-wlm munge``, root); ``make slurm-check`` runs it alone.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
import small_project as small
from waiting import wait_for

CLUSTER = Path(__file__).with_name("cluster.sh")
COMMANDS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel")
SYSTEM = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd needs root"),
    pytest.mark.skipif(not all(shutil.which(c, path=SYSTEM) for c in COMMANDS), reason="SLURM is not installed"),
]
RESULTS = f"_build/results/quick/{small.PAPER}.csv"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    subprocess.run([CLUSTER, "start", folder], check=True, timeout=120)
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    yield {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    subprocess.run([CLUSTER, "stop", folder], check=True)


def snakemake(folder: Path, profile: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snakemake", RESULTS, "--profile", f"profiles/{profile}", *arguments]
    with (folder / "output.txt").open("w") as log:
        return subprocess.Popen(
            [*command, "--config", "runs_per_job=5"],
            cwd=folder,
            env=small.environment(folder) | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def records(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in (folder / "_build/runs/quick").glob("[!.]*.json")}


def step(folder: Path, job: str) -> psutil.Process:
    """The process that trains a batch."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[1:5] == ["-m", "lossbook.book", "job", job] and str(folder) in process.environ()["PYTHONPATH"]:
            return process
    raise AssertionError(f"{job} is not running")


def of_job(folder: Path, job: int) -> set[str]:
    """The ids of the runs of one batch."""
    program = f"from lossbook.papers.registry import jobs; print(*(s.run_id for s in jobs('quick', 5)[{job}].specs))"
    answer = subprocess.run([sys.executable, "-c", program], env=small.environment(folder), capture_output=True, text=True)
    return set(answer.stdout.split())


def test_killed_jobs_are_tried_again_and_the_results_are_those_of_one_machine(tmp_path, cluster):
    folder = small.make(tmp_path / "cluster")
    first, second = of_job(folder, 0), of_job(folder, 1)
    assert len(first | second) == small.RUNS
    # The controller's memory is asked (there is no accounting database), and often; memory as this machine has it.
    quick = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2")
    process = snakemake(folder, "slurm", cluster, *quick, "--set-resources", "train:mem_mb=2000")
    try:
        # One job is cancelled by the cluster, in the other a process dies; each has some of its records by then.
        wait_for(lambda: first & set(records(folder)) or process.poll() is not None, 900)
        inside = step(folder, "bce3s-000").environ()
        task = f"{inside['SLURM_ARRAY_JOB_ID']}_{inside['SLURM_ARRAY_TASK_ID']}"
        subprocess.run(["scancel", task], env=os.environ | cluster, check=True)
        wait_for(lambda: second & set(records(folder)) or process.poll() is not None, 900)
        step(folder, "bce3s-001").kill()
        before = {name: path.stat().st_mtime_ns for name, path in records(folder).items()}
        assert process.wait(1800) == 0, (folder / "output.txt").read_text()
    finally:
        process.kill()  # it would wait for its jobs at a milder signal
        process.wait()
    output = (folder / "output.txt").read_text()
    assert output.count("Trying to restart job") == 2, output
    assert "Submitted array job" in output
    assert 0 < len(before) < small.RUNS, "the kills came too late to be half-way"

    kept = {name: path.stat().st_mtime_ns for name, path in records(folder).items() if name in before}
    assert kept == before, "what was trained before the kill is not trained again"
    assert set(records(folder)) == first | second
    left = [path for path in (folder / "_build/runs/quick").iterdir() if path not in records(folder).values()]
    assert len(left) <= 2, "at most the file that each kill found half written"

    local = small.make(tmp_path / "local")
    assert snakemake(local, "local", {}, "--cores", "1").wait(1800) == 0
    frames = [pd.read_csv(where / RESULTS).drop(columns=["seconds", "commit"]) for where in (folder, local)]
    assert not frames[0]["run_id"].duplicated().any()
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    for name, path in records(folder).items():
        there, here = (json.loads(p.read_text()) for p in (path, records(local)[name]))
        assert {key: there[key] for key in ("metrics", "curves", "small_tables")} == {
            key: here[key] for key in ("metrics", "curves", "small_tables")
        }
