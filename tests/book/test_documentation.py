"""The code that the README and the how-to pages show runs as it stands."""

import functools
import re
import shlex
from pathlib import Path

import papermill
import pytest
import torch
import yaml

from lossbook.objectives import create_objective
from lossbook.runs.spec import parse_specs

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(?:python|\{code-block\} python)\n(.*?)```", re.DOTALL)


@pytest.mark.filterwarnings("ignore")  # of the libraries that the page on one's own loop uses
@pytest.mark.parametrize("name", ["README.md", "book/how-to-use.md", "book/own-loop.md", "book/api/losses.md", "book/api/ood.md"])
def test_python_blocks_run(name, tmp_path, monkeypatch):
    blocks = BLOCK.findall((ROOT / name).read_text())
    assert blocks, f"{name} shows no Python code"
    monkeypatch.chdir(tmp_path)  # they write files
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))  # needs no C++ compiler
    scope: dict = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, name, "exec"), scope)


def _run_commands():
    """Every `papermill notebooks/run.ipynb ...` that a page shows, as (file, words)."""
    for path in [ROOT / "README.md", *(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").rglob("*.md")]:
        for command in re.findall(r"papermill (notebooks/run\.ipynb out\.ipynb [^`\n]+)", path.read_text()):
            yield path.relative_to(ROOT).as_posix(), command


def test_the_run_notebook_lists_all_its_parameters():
    """papermill skips a line with a second equals sign, in a comment too."""
    cell = re.search(r":tags: \[parameters\]\n\n(.*?)```", (ROOT / "notebooks/run.md").read_text(), re.DOTALL)[1]
    assert list(papermill.inspect_notebook(ROOT / "notebooks/run.ipynb")) == re.findall(r"^(\w+) =", cell, re.MULTILINE)


@pytest.mark.parametrize(("name", "command"), _run_commands())
def test_run_commands_name_parameters_and_make_an_objective(name, command):
    known = papermill.inspect_notebook(ROOT / "notebooks/run.ipynb")
    given = {key: yaml.safe_load(known[key]["default"]) for key in ("objective", "objective_args", "specs")}
    words = shlex.split(command)[2:]
    while words:
        option = words.pop(0)
        chosen = {words.pop(0): words.pop(0)} if option == "-p" else yaml.safe_load(words.pop(0))
        assert set(chosen) <= set(known), f"{name}: {command}"
        given |= chosen
    specs = given["specs"] if isinstance(given["specs"], str) else yaml.safe_dump(given["specs"])
    if not specs:
        create_objective(given["objective"], 8, 10, **given["objective_args"])
    elif not specs.startswith("$("):  # the output of another command
        assert parse_specs(specs)


def test_readme_says_both_commands_first():
    text = (ROOT / "README.md").read_text()
    assert text.index("make book") < text.index("make test") < text.index("## ")


def test_pictures_and_links_of_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_no_file_names_a_machines_path_or_a_registry():
    unwanted = re.compile(r"(?<![\w.])/(?:root|work)/|pypi\.org|files\.pythonhosted|registry\.npmjs|conda\.anaconda")
    here = Path(__file__)
    for folder in ("src", "book", "notebooks", "tests", "data", "profiles", ".ci", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".yml", ".yaml", ".ipynb", ".js", ".css", ".csv", ".bib", ""} and path.is_file():
                found = unwanted.search(path.read_text(errors="ignore"))
                assert not found or path == here, f"{path.relative_to(ROOT)}: {found}"
