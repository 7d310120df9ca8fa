"""The code that the README and the how-to pages show runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(?:python|\{code-block\} python)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "book/how-to-use.md"])
def test_python_blocks_run(name):
    blocks = BLOCK.findall((ROOT / name).read_text())
    assert blocks, f"{name} shows no Python code"
    scope: dict = {}
    for block in blocks:
        exec(compile(block, name, "exec"), scope)


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
