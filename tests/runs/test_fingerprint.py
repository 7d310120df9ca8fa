"""The fingerprint changes with the code of every file that something can reach, and with no other."""

import ast
import os
import shutil
from pathlib import Path

import pytest

from lossbook.runs import fingerprint as module
from lossbook.runs.fingerprint import OBJECTIVES, REGISTRIES, code_of, entries, fingerprint, modules_of, reachable
from lossbook.runs.spec import RunSpec

LOSSES = ["lossbook.losses.uniform"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's sources that tests may edit."""
    copy = tmp_path / "lossbook"
    shutil.copytree(module.PACKAGE_DIR, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE_DIR", copy)
    monkeypatch.setattr(module, "_code", module._code.__wrapped__)
    return copy


def edit(path: Path, text: str) -> None:
    """Write a file so that its time differs, however fast the test is."""
    changed = path.stat().st_mtime_ns + 1
    path.write_text(text)
    os.utime(path, ns=(changed, changed))


def append(path: Path, text: str) -> None:
    edit(path, path.read_text() + text)


def test_reachable_files(package):
    assert set(reachable(LOSSES)) == {"losses/uniform.py", "losses/checks.py", "precision.py"}
    assert set(reachable(["lossbook.objectives.uniform"])) >= {"heads/linear.py", "losses/uniform.py", "objectives/objective.py"}


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


@pytest.mark.parametrize(
    "old_and_new",
    [
        ('"""', '"""Another word: '),  # the docstring of the module
        ("    check_logits_labels(", "    # a remark\n    check_logits_labels("),
        ("\n\n\ndef ", "\n\n\n\n\ndef "),
    ],
    ids=["docstring", "comment", "white space"],
)
def test_prose_does_not_change_it(old_and_new, package):
    before = fingerprint(LOSSES)
    path = package / "losses/uniform.py"
    text = path.read_text().replace(*old_and_new, 1)
    assert text != path.read_text()
    edit(path, text)
    assert fingerprint(LOSSES) == before


def test_a_string_that_is_no_docstring_changes_it(package):
    before = fingerprint(LOSSES)
    append(package / "losses/checks.py", '\nMESSAGE = "a"\n')
    with_a = fingerprint(LOSSES)
    edit(package / "losses/checks.py", (package / "losses/checks.py").read_text().replace('"a"', '"b"'))
    assert len({before, with_a, fingerprint(LOSSES)}) == 3


@pytest.mark.parametrize("file", ["heads/linear.py", "runs/spec.py", "metrics/uniformity.py", "losses/__init__.py"])
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
        "from lossbook.runs import spec",
        "from lossbook.runs.spec import RunSpec",
        "def later():\n    import lossbook.runs.spec as s",
    ],
)
def test_every_form_of_import_is_followed(line, package):
    assert "runs/spec.py" not in set(reachable(LOSSES))
    append(package / "losses/checks.py", f"\n{line}\n")
    assert "runs/spec.py" in set(reachable(LOSSES))


def test_what_only_type_checkers_import_is_not_followed(package):
    append(package / "losses/checks.py", "\nif TYPE_CHECKING:\n    from lossbook.runs.spec import RunSpec\n")
    assert "runs/spec.py" not in set(reachable(LOSSES))


def test_names_that_the_package_imports_when_they_are_used_count(package):
    files = set(reachable(["lossbook"]))
    assert {"__init__.py", "objectives/create.py", "losses/uniform.py", "metrics/uniformity.py"} <= files
    assert "runs/train.py" not in files


def test_imports_in_a_circle_end(package):
    append(package / "losses/checks.py", "\nimport lossbook.losses.uniform\n")
    assert set(reachable(["lossbook.losses.checks"])) == set(reachable(LOSSES))


def test_the_order_of_modules_does_not_matter():
    modules = ["lossbook.heads", "lossbook.runs.spec"]
    assert fingerprint(modules) == fingerprint(reversed(modules))


@pytest.mark.parametrize("name", ["lossbook.nothing", "torch", "lossbook.losses.uniform.naive"])
def test_an_unknown_module_is_named(name):
    with pytest.raises(ValueError, match=f"no module {name} in the package lossbook"):
        fingerprint([name])


def test_a_run_reaches_the_entries_that_its_spec_names_and_no_others():
    modules = modules_of(RunSpec(objective="bce-nu", dataset="digits", suites=("uniformity",)))
    assert "lossbook.objectives.uniform" in modules
    files = set(reachable(modules, REGISTRIES))
    assert {"runs/train.py", "objectives/uniform.py", "runs/suites/uniformity.py", "data/digits.py"} <= files
    assert not files & {"objectives/warped.py", "runs/suites/retrieval.py", "data/mnist5k.py", "objectives/registry.py"}


def test_a_second_phase_and_other_data_sets_belong_to_a_run():
    both = modules_of(RunSpec(objective="soft-d", second_phase={"objective": "weight-balancing"}))
    assert both >= {"lossbook.objectives.uniform", "lossbook.objectives.longtail"}
    against_digits = modules_of(RunSpec(suites=("ood",)))
    assert {"lossbook.data.mnist5k", "lossbook.data.digits"} <= against_digits


@pytest.mark.parametrize(
    ("change", "message"),
    [({"objective": "bce-x"}, "unknown objective 'bce-x'; expected one of"), ({"suites": ("x",)}, "unknown suite 'x'")],
)
def test_a_spec_with_an_unknown_name(change, message):
    with pytest.raises(ValueError, match=message):
        code_of(RunSpec(**change))


@pytest.mark.parametrize("line", ["X = 1", "def build():\n    pass"])
def test_a_registry_holds_one_dictionary_and_nothing_else(line, package):
    append(package / "objectives/registry.py", f"\n{line}\n")
    with pytest.raises(ValueError, match="must hold imports and one dictionary, nothing else"):
        entries(OBJECTIVES)


def test_the_package_uses_absolute_imports_only():
    """The rule that the fingerprint relies on."""
    for path in module.PACKAGE_DIR.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        assert not any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in nodes), path


def test_nothing_is_imported_by_a_computed_name():
    """What the syntax trees cannot tell: an import of a name that is computed, or a scan of a folder of modules."""
    for path in module.PACKAGE_DIR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
                assert "pkgutil" not in called and called != "__import__", path
                # Kernels import other packages, from a list beside the call.  The package's names that are imported when
                # they are used stand in a table beside the call, and as imports in a block for type checkers, which counts.
                # A user's own backbone for the advisor is code of the user, and no run or page reaches it.
                users = path == module.PACKAGE_DIR / "advisor" / "images.py"
                listed = path.name == "kernels.py" or path == module.PACKAGE_DIR / "__init__.py" or users
                assert not called.endswith("import_module") or literal or listed, path
