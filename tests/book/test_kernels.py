"""Kernels forked from one warm process: they work like others, and die with whoever needs them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from waiting import wait_for

from lossbook.book import kernels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Starts papermill on a notebook of one cell: ``notebook(code, variables)``."""
    monkeypatch.chdir(tmp_path)

    def start(code: str, variables: dict[str, str]) -> subprocess.Popen[str]:
        cell = nbformat.v4.new_code_cell(code)
        kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), "in.ipynb")
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb"]
        return subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True)

    return start


def output(process: subprocess.Popen[str]) -> str:
    """What the cell printed, and the kinds of its other outputs."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return " ".join(o.get("text") or ", ".join(o["data"]) for o in nbformat.read("out.ipynb", 4).cells[0].outputs)


IMPORTED = "import sys; print('torch' in sys.modules)"


def test_a_kernel_is_a_fork_with_all_imported(notebook, tmp_path):
    with kernels.warm_kernels(tmp_path / "s") as variables:
        assert output(notebook(IMPORTED, variables)) == "True\n"
        code = "import os, subprocess; print(os.getcwd(), os.environ['NAMED'], subprocess.run(['false']).returncode)"
        assert output(notebook(code, variables | {"NAMED": "here"})) == f"{tmp_path} here 1\n"
        assert "image/png" in output(notebook("import matplotlib.pyplot as plt; plt.plot([1, 2]);", variables))
        failed = notebook("1 / 0", variables)
        assert "ZeroDivisionError" in failed.communicate(timeout=120)[1]
        assert failed.returncode != 0


def test_a_kernel_dies_with_its_client_and_with_the_process_it_comes_from(notebook, tmp_path):
    with kernels.warm_kernels(tmp_path / "s") as variables:
        [server] = [child for child in psutil.Process().children() if "lossbook.book.kernels" in child.cmdline()]
        client = notebook("import time; time.sleep(600)", variables)
        wait_for(server.children, 60)
        client.kill()
        client.communicate()
        wait_for(lambda: not server.children(), 60)
        client = notebook("import time; time.sleep(600)", variables)
        wait_for(server.children, 60)
        time.sleep(3)  # it looks for its parent once per second, from its start on
        [kernel] = server.children()
    wait_for(lambda: not kernel.is_running(), 60)
    assert "Kernel died" in client.communicate(timeout=120)[1]


@pytest.mark.parametrize("address", ["nowhere", "dead"])
def test_where_nobody_answers_kernels_start_as_always(notebook, tmp_path, address):
    with kernels.warm_kernels(tmp_path / "dead") as variables:
        pass
    (tmp_path / "dead").touch()
    assert output(notebook(IMPORTED, variables | {"LOSSBOOK_KERNELS": str(tmp_path / address)})) == "False\n"


def test_where_no_socket_can_be_made_it_says_so_once(notebook, tmp_path, capfd):
    with kernels.warm_kernels(tmp_path / "no-folder" / "s") as variables:
        assert output(notebook(IMPORTED, variables)) == "False\n"
    said = capfd.readouterr().err
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
        f"with warm_kernels(Path({str(tmp_path / 's')!r})): print('ready', flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout.readline() == "ready\n"
    [server] = psutil.Process(starter.pid).children()
    wait_for((tmp_path / "s").exists, 60)
    starter.kill()
    starter.communicate()
    wait_for(lambda: not server.is_running(), 60)
