"""Runs with objectives and data sets that a program has registered: they train, and a change of them is seen."""

import functools
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lossbook import registered
from lossbook.data.dataset import DataSet, Split, content_hash
from lossbook.runs import fingerprint
from lossbook.runs.own_code import own_files
from lossbook.runs.spec import RunSpec

ROOT = Path(__file__).parents[2]
OBJECTIVE = """
from lossbook.heads.linear import LinearHead
from lossbook.losses.onecold import one_cold_cross_entropy
from lossbook.objectives import Objective
import formulas

def build(in_features, num_classes):
    return Objective(LinearHead(in_features, num_classes), formulas.halved)
"""
FORMULAS = """
from lossbook.losses.uniform import cross_entropy

def halved(logits, labels):
    return 0.5 * cross_entropy(logits, labels)
"""
PROGRAM = """
import json
import torch
from lossbook import register_dataset, register_objective
from lossbook.data.dataset import DataSet, Split, content_hash
from mine import build
from lossbook.runs.fingerprint import code_of, modules_of
from lossbook.runs.missing import train_missing
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec

register_objective("mine", build, "me")
images = torch.randint(256, (60, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
parts = {name: Split(images[k::2], torch.arange(30) % 3) for k, name in enumerate(("train", "test"))}
hashes = {name: content_hash(split) for name, split in parts.items()}
register_dataset("own", DataSet("own", 3, lambda names: tuple(parts[n] for n in names), "run it again", sha256=hashes))
spec = RunSpec(objective="mine", dataset="own", model="mlp", epochs=1, batch_size=10)
store = Store("runs")
missing = len(store.missing([spec]))
(record,) = train_missing([spec], store)
print(json.dumps({"missing": missing, "code": code_of(spec), "loss": record["metrics"]["train_loss"],
                  "modules": sorted(modules_of(spec))}))
"""


@pytest.fixture
def project(tmp_path):
    for name, text in {"mine.py": OBJECTIVE, "formulas.py": FORMULAS, "program.py": PROGRAM}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def train(project: Path) -> dict:
    done = subprocess.run([sys.executable, "program.py"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_is_trained_once_and_again_when_the_builders_code_changes(project):
    first = train(project)
    assert first["missing"] == 1
    assert {"lossbook.losses.onecold", "lossbook.heads.linear", "lossbook.losses.uniform"} <= set(first["modules"])
    (project / "formulas.py").write_text(f"# A remark.\n{FORMULAS}")
    assert train(project) == first | {"missing": 0}, "a comment reruns nothing"
    (project / "formulas.py").write_text(FORMULAS.replace("0.5", "0.25"))  # a file that the builder's file imports
    second = train(project)
    assert second["missing"] == 1
    assert second["code"] != first["code"]
    assert second["loss"] < 0.7 * first["loss"]


def test_other_images_under_the_same_name_make_a_run_stale(monkeypatch):
    monkeypatch.setattr(fingerprint, "_code", fingerprint._code.__wrapped__)
    spec, codes = RunSpec(dataset="own"), set()
    for label in (1, 2):
        split = Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.full((4,), label))
        hashes = {part: content_hash(split) for part in ("train", "test")}
        monkeypatch.setattr(registered, "DATASETS", {"own": DataSet("own", 3, None, "", sha256=hashes)})
        codes.add(fingerprint.code_of(spec))
    assert len(codes) == 2


@pytest.fixture
def module(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    yield importlib.import_module("mine")
    for name in ("mine", "formulas"):
        sys.modules.pop(name, None)


def test_own_files_are_the_builders_and_those_that_it_imports(module, project):
    assert own_files("mine", module.build) == sorted([project / "mine.py", project / "formulas.py"])


def test_own_files_of_a_package_with_relative_imports(tmp_path, monkeypatch):
    folder = tmp_path / "own_losses"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "terms.py").write_text("import torch\n")
    (folder / "inner/__init__.py").write_text("from ..terms import torch\n")
    (folder / "inner/build.py").write_text("from . import other\nfrom .. import terms\ndef build(a, b):\n    pass\n")
    (folder / "inner/other.py").write_text("import json\n")
    monkeypatch.syspath_prepend(tmp_path)
    build = importlib.import_module("own_losses.inner.build").build
    found = {path.relative_to(folder).as_posix() for path in own_files("x", build)}
    assert found == {"__init__.py", "terms.py", "inner/__init__.py", "inner/build.py", "inner/other.py"}


@pytest.mark.parametrize("wrapped", [lambda build: lambda *a: build(*a), lambda build: functools.partial(build), lambda _: dict])
def test_runs_refuse_a_builder_that_no_file_tells(module, wrapped):
    with pytest.raises(ValueError, match=r"expected the builder of the objective 'mine' to be a function or class at the top of"):
        own_files("mine", wrapped(module.build))
