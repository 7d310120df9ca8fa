"""papermill hands over parameters as text, as YAML, as Python values, or null: they mean the same, or say what is wrong."""

from __future__ import annotations

import re

import pytest

from lossbook.runs.parameters import NAMES, runs_of
from lossbook.runs.spec import RunSpec

DEFAULTS = {
    "specs": "",
    "seeds": [0, 1, 2],
    "objective": "bce-u",
    "objective_args": {},
    "dataset": "mnist5k",
    "model": "mlp",
    "image_size": 14,
    "epochs": 10,
    "batch_size": 100,
    "lr": 0.03,
    "store_dir": "_build/runs/quick",
    "threads": 1,
}
SPEC = RunSpec(objective="bce-u", model="mlp", image_size=14, epochs=10, lr=0.03)


def test_the_defaults_are_those_of_the_notebook():
    assert runs_of(DEFAULTS) == [SPEC.replace(seed=seed) for seed in range(3)]
    assert set(DEFAULTS) == set(NAMES)


@pytest.mark.parametrize("seeds", [[4, 5], "[4, 5]", "[4,5]"])
def test_seeds_in_every_form(seeds):
    assert runs_of(DEFAULTS | {"seeds": seeds}) == [SPEC.replace(seed=4), SPEC.replace(seed=5)]


@pytest.mark.parametrize("seeds", [7, "7"])
def test_a_single_seed(seeds):
    assert runs_of(DEFAULTS | {"seeds": seeds}) == [SPEC.replace(seed=7)]


@pytest.mark.parametrize("none", [[], "", "[]", None, "null"])
def test_no_seeds_leave_those_of_the_specs(none):
    assert runs_of(DEFAULTS | {"seeds": none, "specs": "{seed: 3, lr: 0.5}"}) == [RunSpec(seed=3, lr=0.5)]


@pytest.mark.parametrize("arguments", [{"scale": 16}, "{scale: 16}", '{"scale": 16.0}'])
def test_arguments_in_every_form(arguments):
    run = runs_of(DEFAULTS | {"objective_args": arguments})[0]
    assert run.objective_args == {"scale": 16.0}


@pytest.mark.parametrize(
    "specs",
    [[{"objective": "bce-d"}], {"objective": "bce-d"}, "{objective: bce-d}", '[{"objective":"bce-d"}]', "objective: bce-d"],
)
def test_specs_in_every_form(specs):
    assert runs_of(DEFAULTS | {"specs": specs, "seeds": [1]}) == [RunSpec(objective="bce-d", seed=1)]


@pytest.mark.parametrize(
    ("name", "value"), [("lr", "1e-2"), ("lr", "0.01"), ("epochs", "10"), ("epochs", 10.0), ("image_size", "14")]
)
def test_numbers_as_text(name, value):
    assert getattr(runs_of(DEFAULTS | {name: value})[0], name) == float(value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epoch": 3}, "unknown parameter(s) epoch; expected some of specs, seeds"),
        ({"epochs": "many"}, "epochs: expected a whole number, got 'many'"),
        ({"epochs": 2.5}, "epochs: expected a whole number, got 2.5"),
        ({"epochs": True}, "epochs: expected a whole number, got True"),
        ({"lr": "fast"}, "lr: expected a number, got 'fast'"),
        ({"lr": None}, "lr: expected a number, got None"),
        ({"objective": 3}, "objective: expected a word, got 3"),
        ({"objective_args": "16"}, "objective_args: expected a mapping, got '16'"),
        ({"seeds": "all"}, "seeds: expected a list of whole numbers, got 'all'"),
        ({"seeds": [0.5]}, "seeds: expected a list of whole numbers, got [0.5]"),
        ({"specs": "bce-d"}, "specs: expected a run spec as a YAML mapping, or a list of them, got 'bce-d'"),
        ({"specs": "{objectiv: bce-d}"}, "unknown run spec field(s) objectiv"),
        ({"specs": "{augment: flip}"}, "augment: expected a list, got 'flip'"),
    ],
)
def test_what_is_wrong_is_named(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        runs_of(DEFAULTS | changed)
