"""The fingerprint changes with every file that code can reach, and with no other."""

import ast
import shutil
from pathlib import Path

import pytest

from lossbook import fingerprint as module
from lossbook.runs.fingerprint import fingerprint, reachable

LOSSES = ["lossbook.losses.uniform"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's sources that tests may edit."""
    copy = tmp_path / "lossbook"
    shutil.copytree(module.PACKAGE_DIR, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE_DIR", copy)
    return copy


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)
    module._imports.cache_clear()


def names(modules) -> set[str]:
    return {path.relative_to(module.PACKAGE_DIR).as_posix() for path in reachable(modules)}


def test_reachable_files(package):
    assert names(LOSSES) == {"losses/uniform.py", "losses/checks.py", "precision.py"}

    assert names(["lossbook.objectives.uniform"]) >= {
        "heads/linear.py",
        "losses/uniform.py",
        "losses/checks.py",
        "objectives/__init__.py",
        "objectives/uniform.py",
    }


def test_the_copy_has_the_same_fingerprint(package, monkeypatch):
    copied = fingerprint(LOSSES)
    monkeypatch.undo()
    assert fingerprint(LOSSES) == copied
    assert len(copied) == 12
    assert set(copied) <= set("0123456789abcdef")


@pytest.mark.parametrize("file", ["losses/uniform.py", "losses/checks.py"])
def test_a_change_in_a_reachable_file_changes_it(file, package):
    before = fingerprint(LOSSES)
    append(package / file, "\nCHANGED = True\n")
    assert fingerprint(LOSSES) != before


def test_documentation_inside_a_reachable_file_counts(package):
    """It hashes bytes: a comment may be a directive, and no list of harmless changes is safe."""
    before = fingerprint(LOSSES)
    append(package / "losses/checks.py", "# a remark\n")
    assert fingerprint(LOSSES) != before


@pytest.mark.parametrize("file", ["heads/linear.py", "specs.py", "metrics/uniformity.py", "losses/__init__.py"])
def test_a_change_in_an_unreachable_file_does_not(file, package):
    before = fingerprint(LOSSES)
    append(package / file, "\nCHANGED = True\n")
    assert fingerprint(LOSSES) == before


def test_a_new_file_does_not(package):
    before = fingerprint(LOSSES)
    (package / "losses" / "README.md").write_text("documentation")
    (package / "losses" / "another.py").write_text("import lossbook.heads.linear\n")
    assert fingerprint(LOSSES) == before


@pytest.mark.parametrize(
    "line",
    [
        "import lossbook.runs.spec",
        "from lossbook import specs",
        "from lossbook.runs.spec import RunSpec",
        "def later():\n    import lossbook.runs.spec as s",
    ],
)
def test_every_form_of_import_is_followed(line, package):
    assert "specs.py" not in names(LOSSES)
    append(package / "losses/checks.py", f"\n{line}\n")
    assert "specs.py" in names(LOSSES)


def test_imports_in_a_circle_end(package):
    append(package / "losses/checks.py", "\nimport lossbook.losses.uniform\n")
    assert names(["lossbook.losses.checks"]) == names(LOSSES)


def test_the_order_of_modules_does_not_matter():
    modules = ["lossbook.heads", "lossbook.runs.spec"]
    assert fingerprint(modules) == fingerprint(reversed(modules))


@pytest.mark.parametrize("name", ["lossbook.nothing", "torch", "lossbook.losses.uniform.bce"])
def test_an_unknown_module_is_named(name):
    with pytest.raises(ValueError, match=f"no module {name} in the package lossbook"):
        fingerprint([name])


def test_the_package_uses_absolute_imports_only():
    """The rule that the fingerprint relies on."""
    for path in module.PACKAGE_DIR.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        assert not any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in nodes), path
