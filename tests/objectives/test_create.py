"""Objectives by name: wrong requests are refused by name."""

import pytest

from lossbook.losses import uniform
from lossbook.objectives import create_objective
from lossbook.objectives.registry import OBJECTIVES

FEATURES, CLASSES = 8, 5


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown objective 'bce'") as caught:
        create_objective("bce", FEATURES, CLASSES)
    assert all(name in str(caught.value) for name in OBJECTIVES)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("bce-u", "scale"),
        ("bce-u", "bias_mode"),
        ("bce-n0", "bias_start"),
        ("soft-n0", "bias_start"),
        ("bce-di", "bias_start"),
        ("uce", "bias_mode"),
        ("soft-d", "depth"),
    ],
)
def test_wrong_argument_is_named(name, argument):
    with pytest.raises(TypeError, match=f"objective '{name}' does not take these arguments.*{argument}"):
        create_objective(name, FEATURES, CLASSES, **{argument: 1})


def test_a_wrong_argument_meets_those_that_would_be_right():
    for name, known in (("soft-d", "bias_mode or bias_start"), ("soft-nu", "scale or bias_start"), ("soft-0", "none")):
        with pytest.raises(TypeError, match=f"expected {known}, got label_smoothing"):
            create_objective(name, FEATURES, CLASSES, label_smoothing=0.1)


@pytest.mark.parametrize("argument", [{"bias": "unified"}, {"loss": uniform.cross_entropy}], ids=["bias", "loss"])
def test_an_argument_cannot_turn_an_objective_into_another(argument):
    with pytest.raises(TypeError, match=next(iter(argument))):
        create_objective("bce-0", FEATURES, CLASSES, **argument)
