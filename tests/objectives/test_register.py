"""Objectives of a user's own, by name."""

import functools

import pytest
import torch

from lossbook import registered
from lossbook.heads.linear import LinearHead
from lossbook.losses.uniform import cross_entropy
from lossbook.objectives import Objective, create_objective, list_objectives, register_objective
from lossbook.objectives.registry import OBJECTIVES


def tempered(in_features, num_classes, temperature=2.0, class_counts=None):
    objective = Objective(LinearHead(in_features, num_classes), functools.partial(_tempered, temperature=temperature))
    objective.class_counts = class_counts
    return objective


def _tempered(logits, labels, temperature, reduction="mean"):
    return cross_entropy(logits / temperature, labels, reduction=reduction)


@pytest.fixture
def mine(monkeypatch):
    monkeypatch.setattr(registered, "OBJECTIVES", {})
    register_objective("mine", tempered, "Me, 2026")
    yield "mine"
    del OBJECTIVES["mine"]


def test_it_is_created_by_name_with_its_arguments(mine):
    objective = create_objective(mine, 4, 3, torch.tensor([5, 2, 1]), temperature=3.0)
    features, labels = torch.randn(6, 4), torch.arange(6) % 3
    expected = torch.nn.functional.cross_entropy(objective.head(features) / 3, labels)
    torch.testing.assert_close(objective(features, labels), expected)
    assert objective.class_counts.tolist() == [5, 2, 1]
    assert list_objectives()[mine] == "Me, 2026"
    with pytest.raises(TypeError, match=r"objective 'mine' does not take these arguments.*depth"):
        create_objective(mine, 4, 3, depth=1)


@pytest.mark.parametrize(("name", "source"), [("mine", "Me, 2026"), ("bce-nu", "uniform")])
def test_a_taken_name_is_refused(mine, name, source):
    with pytest.raises(ValueError, match=f"the name '{name}' is taken by the objective of '{source}'; choose another one"):
        register_objective(name, tempered, "again")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("", tempered, "x"), ValueError, "expected the name of an objective, got ''"),
        (("new", tempered, None), TypeError, "expected the source as text, got NoneType"),
        (("new", lambda: None, "x"), TypeError, r"expected a builder \(in_features, num_classes, ...\) -> Objective, got"),
        (("new", 3, "x"), TypeError, r"expected a builder \(in_features, num_classes, ...\) -> Objective, got 3"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        register_objective(*arguments)
    assert "new" not in OBJECTIVES
