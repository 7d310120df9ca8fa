"""The API pages name what is public, and the table of objectives says the truth."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch

import lossbook
from lossbook import heads, losses, metrics, objectives, ood
from lossbook.book.api import arguments_of, arguments_table, meanings_of, objectives_table
from lossbook.objectives.create import create_objective
from lossbook.objectives.registry import OBJECTIVES

PAGES = Path(__file__).parents[2] / "book" / "api"
COUNTS = torch.tensor([9, 8, 7, 6, 5])
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: ([\w.]+)[^\n]*\n((?:   :[^\n]*\n)*)", re.MULTILINE)


def documented() -> dict[str, list[str]]:
    """Module (or class) -> the names that the pages document of it."""
    found: dict[str, list[str]] = {}
    for page in PAGES.glob("*.md"):
        for kind, target, options in DIRECTIVE.findall(page.read_text()):
            members = re.search(r":members: (.+)", options)
            found.setdefault(target, []).extend(members[1].split(", ") if members else [])
            if kind in ("function", "class"):
                module, _, name = target.rpartition(".")
                found.setdefault(module, []).append(name)
    return found


DOCUMENTED = documented()
TYPES = {"Bias"}
# Parts of other losses.
HELPERS = {"as_target", "binary_terms", "log_one_plus_exp", "softplus", "identity", "check_class_counts"}
PAPERS = ("uniform", "bce3s", "multicenter", "warped", "onecold")
LOSS_MODULES = [f"lossbook.losses.{name}" for name in (*PAPERS, "baselines", "longtail")]


@pytest.mark.parametrize("module", LOSS_MODULES)
def test_every_public_loss_is_on_the_page(module):
    functions = inspect.getmembers(importlib.import_module(module), inspect.isfunction)
    public = {name for name, function in functions if function.__module__ == module and not name.startswith("_")}
    assert public - HELPERS == set(DOCUMENTED[module])


@pytest.mark.parametrize("package", [lossbook, heads, losses, metrics, objectives, ood])
def test_every_public_name_is_on_a_page(package):
    public = {name for name in package.__all__ if callable(getattr(package, name)) and name not in TYPES}
    assert public <= {name for names in DOCUMENTED.values() for name in names}


def documented_losses() -> list[tuple[str, str]]:
    """The documented functions of logits (or what stands for them) and labels to a scalar, as (module, name)."""
    fused = [target for target in DOCUMENTED if target.startswith("lossbook.losses.fused.")]
    return [
        (module, name)
        for module in [*LOSS_MODULES, *fused]
        for name in DOCUMENTED[module]
        if "labels" in inspect.signature(getattr(importlib.import_module(module), name)).parameters
        and "Scalar" in (getattr(importlib.import_module(module), name).__doc__ or "")
    ]


@pytest.mark.parametrize(("module", "name"), documented_losses())
def test_every_loss_states_equation_shapes_range_and_example(module, name):
    text = inspect.getdoc(getattr(importlib.import_module(module), name))
    shapes = "(B," if "fused" not in module else "Args:"  # some of the fused ones name another that states them
    for part in (".. math::", "Args:", shapes, "Returns:", "Example:", ">>>"):
        assert part in text, part


@pytest.mark.parametrize(
    ("module", "name"), [(m, n) for m, n in documented_losses() if m.rpartition(".")[2] in PAPERS and "fused" not in m]
)
def test_every_loss_of_the_five_papers_states_their_settings(module, name):
    assert "settings" in inspect.getdoc(getattr(importlib.import_module(module), name))


def test_the_table_has_every_objective_and_no_cell_too_many():
    head, rule, *rows = objectives_table().splitlines()
    assert [row.split("`")[1] for row in rows] == list(OBJECTIVES)
    assert {row.count("|") for row in (head, rule, *rows)} == {5}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_argument_of_every_objective_has_a_meaning(name):
    build = OBJECTIVES[name].build
    meanings = meanings_of(build)
    assert list(meanings) == list(arguments_of(build))
    assert all(len(meaning) > 10 and ": " not in meaning[:2] for meaning in meanings.values())


def test_an_argument_means_what_its_own_docstring_says():
    of = {name: meanings_of(OBJECTIVES[name].build) for name in ("warped-bce", "ce3s", "bce+occe", "arcface", "soft-nu", "ldam")}
    assert of["warped-bce"]["radius"].startswith("what the learned radius")
    assert of["ce3s"]["lambda_cc"] == of["ce3s"]["lambda_ss"] == "weights of the contrastive and the uniform term."
    assert "one-cold" in of["bce+occe"]["occe_weight"] and "Table X" in of["bce+occe"]["bias_mode"]
    assert of["arcface"]["margin"].endswith("in radians.")
    assert list(of["soft-nu"]) == ["scale", "bias_start"]
    assert of["ldam"]["class_counts"].startswith("training images per class")


def test_the_table_of_arguments_is_whole():
    head, rule, *rows = arguments_table().splitlines()
    assert {row.count("|") for row in (head, rule, *rows)} == {4}
    assert not any(":math:" in row or ":func:" in row or "``" in row for row in rows)
    pairs = [(name, argument) for name, entry in OBJECTIVES.items() for argument in arguments_of(entry.build)]
    found = [(name, row.split("`")[1]) for row in rows for name in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])]
    assert sorted(found) == sorted(pairs)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_tables_defaults_are_the_objectives_own(name):
    listed = {key: value for key, value in arguments_of(OBJECTIVES[name].build).items() if key != "class_counts"}
    features, labels = torch.randn(10, 6, generator=torch.Generator().manual_seed(1)), torch.arange(10) % 5
    values = []
    for arguments in ({}, listed):
        torch.manual_seed(0)
        values.append(create_objective(name, 6, 5, COUNTS, **arguments)(features, labels))
    assert torch.equal(*values)
