"""Runs with objectives and data sets that a program has registered: they train, and a change of them is seen."""

import functools
import importlib
import sys

import pytest
import torch
from test_fingerprint import edit

from lossbook import registered
from lossbook.data.dataset import DataSet, Split, content_hash
from lossbook.data.load import load
from lossbook.data.register import register_dataset
from lossbook.data.registry import DATASETS
from lossbook.objectives import list_objectives, register_objective
from lossbook.objectives.registry import OBJECTIVES
from lossbook.runs import fingerprint
from lossbook.runs.missing import train_missing
from lossbook.runs.own_code import own_files
from lossbook.runs.records import Store
from lossbook.runs.spec import RunSpec

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

def halved(logits, labels, reduction="mean"):
    return 0.5 * cross_entropy(logits, labels, reduction=reduction)
"""


@pytest.fixture
def project(tmp_path):
    for name, text in {"mine.py": OBJECTIVE, "formulas.py": FORMULAS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def module(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    yield importlib.import_module("mine")
    for name in ("mine", "formulas"):
        sys.modules.pop(name, None)


@pytest.fixture
def registries(monkeypatch):
    """What a test registers is forgotten, and fingerprints are taken anew."""
    monkeypatch.setattr(registered, "OBJECTIVES", {})
    monkeypatch.setattr(registered, "DATASETS", {})
    monkeypatch.setattr(fingerprint, "_code", fingerprint._code.__wrapped__)
    yield
    OBJECTIVES.pop("mine", None)
    DATASETS.pop("own", None)
    load.cache_clear()


def dataset(seed: int) -> DataSet:
    images = torch.randint(256, (60, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    parts = {name: Split(images[k::2], torch.arange(30) % 3) for k, name in enumerate(("train", "test"))}
    hashes = {name: content_hash(split) for name, split in parts.items()}
    return DataSet("own", 3, lambda names: tuple(parts[name] for name in names), "make it again", sha256=hashes)


def test_a_run_is_trained_once_and_again_when_its_code_or_images_change(module, project, tmp_path, registries):
    register_objective("mine", module.build, "me")
    register_dataset("own", dataset(seed=0))
    spec, store = RunSpec(objective="mine", dataset="own", model="mlp", epochs=1, batch_size=10), Store(tmp_path / "runs")
    assert {"lossbook.losses.onecold", "lossbook.heads.linear", "lossbook.losses.uniform"} <= fingerprint.modules_of(spec)
    train_missing([spec], store)
    assert store.missing([spec]) == []
    edit(project / "formulas.py", f"# A remark.\n{FORMULAS}")
    assert store.missing([spec]) == []
    edit(project / "formulas.py", FORMULAS.replace("0.5", "0.25"))  # a file that the builder's file imports
    assert store.missing([spec]) == [spec]
    edit(project / "formulas.py", FORMULAS)
    assert store.missing([spec]) == []
    registered.DATASETS["own"] = dataset(seed=1)
    assert store.missing([spec]) == [spec]


def test_an_unknown_objective_is_told_the_registered_ones(module, registries):
    register_objective("mine", module.build, "me")
    with pytest.raises(ValueError, match=r"unknown objective 'main'; expected one of soft-0, .*, mine$"):
        fingerprint.code_of(RunSpec(objective="main"))


def test_the_list_shows_registered_ones_too(module, registries):
    assert fingerprint.objective_sources() == list_objectives()
    register_objective("mine", module.build, "me")
    assert fingerprint.objective_sources() == list_objectives()
    assert "mine" in list_objectives()


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
