"""Kernels forked from one warm process: they work like others, and die with whoever needs them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from waiting import wait_for

from lossbook.book import kernels

# Seconds to wait for an event before it counts as missing: on a machine with much other work a kernel starts in minutes.
PATIENCE = 600

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Starts papermill on a notebook of one cell: ``notebook(code, variables)``.

    All that it started ends with the test, however that ends: a process left over would give its warning to another test.
    """
    monkeypatch.chdir(tmp_path)
    started = []

    def start(code: str, variables: dict[str, str]) -> subprocess.Popen[str]:
        cell = nbformat.v4.new_code_cell(code)
        kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), "in.ipynb")
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb"]
        started.append(subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.stderr.close()
        process.wait()


@contextlib.contextmanager
def listening(address: Path):
    """Warm kernels whose process takes requests already: one that comes too early is served by a kernel of the usual kind."""
    with kernels.warm_kernels(address) as variables:
        wait_for(address.exists, PATIENCE)
        yield variables


def output(process: subprocess.Popen[str]) -> str:
    """What the cell printed, and the kinds of its other outputs."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return " ".join(o.get("text") or ", ".join(o["data"]) for o in nbformat.read("out.ipynb", 4).cells[0].outputs)


IMPORTED = "import sys; print('torch' in sys.modules)"


def test_a_kernel_is_a_fork_with_all_imported(notebook, tmp_path):
    with listening(tmp_path / "s") as variables:
        assert output(notebook(IMPORTED, variables)) == "True\n"
        code = "import os, subprocess; print(os.getcwd(), os.environ['NAMED'], subprocess.run(['false']).returncode)"
        assert output(notebook(code, variables | {"NAMED": "here"})) == f"{tmp_path} here 1\n"
        assert "image/png" in output(notebook("import matplotlib.pyplot as plt; plt.plot([1, 2]);", variables))
        failed = notebook("1 / 0", variables)
        assert "ZeroDivisionError" in failed.communicate(timeout=PATIENCE)[1]
        assert failed.returncode != 0


def test_a_kernel_dies_with_its_client_and_with_the_process_it_comes_from(notebook, tmp_path):
    runs = tmp_path / "runs"
    code = "import pathlib, time; pathlib.Path('runs').touch(); time.sleep(10_000)"
    with listening(tmp_path / "s") as variables:
        [server] = [child for child in psutil.Process().children() if "lossbook.book.kernels" in child.cmdline()]
        client = notebook(code, variables)
        wait_for(runs.exists, PATIENCE)
        client.kill()
        client.communicate()
        wait_for(lambda: not server.children(), PATIENCE)
        runs.unlink()
        client = notebook(code, variables)
        wait_for(runs.exists, PATIENCE)  # from its start on, a kernel looks for its parent once per second
        [kernel] = server.children()
    wait_for(lambda: not kernel.is_running(), PATIENCE)
    assert "Kernel died" in client.communicate(timeout=PATIENCE)[1]


@pytest.mark.parametrize("address", ["nowhere", "dead"])
def test_where_nobody_answers_kernels_start_as_always(notebook, tmp_path, address):
    with kernels.warm_kernels(tmp_path / "dead") as variables:
        pass
    (tmp_path / "dead").touch()
    assert output(notebook(IMPORTED, variables | {"LOSSBOOK_KERNELS": str(tmp_path / address)})) == "False\n"


def test_where_no_socket_can_be_made_it_says_so_once(notebook, tmp_path, capfd):
    with kernels.warm_kernels(tmp_path / "no-folder" / "s") as variables:
        said = wait_for(lambda: capfd.readouterr().err, PATIENCE)
        assert output(notebook(IMPORTED, variables)) == "False\n"
    said += capfd.readouterr().err
    assert said.startswith("kernels start one by one: no socket can be made at ")
    assert said.count("\n") == 1


def test_in_a_slurm_job_kernels_start_as_always(notebook, tmp_path):
    with kernels.warm_kernels(tmp_path / "s") as variables:
        assert output(notebook(IMPORTED, variables | {"SLURM_JOB_ID": "7"})) == "False\n"


def test_without_the_entry_point_nothing_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "entry_points", lambda **_: ())
    with kernels.warm_kernels(tmp_path / "s") as variables:
        assert variables == {}


def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from lossbook.book.kernels import warm_kernels\n"
        f"with warm_kernels(Path({str(tmp_path / 's')!r})): print('ready', flush=True); time.sleep(10_000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        try:
            assert starter.stdout.readline() == "ready\n"
            [server] = psutil.Process(starter.pid).children()
            wait_for((tmp_path / "s").exists, PATIENCE)
        finally:
            starter.kill()
    wait_for(lambda: not server.is_running(), PATIENCE)
