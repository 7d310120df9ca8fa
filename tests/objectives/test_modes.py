"""Every objective in the modes that other people's programs put it into: inference, evaluation, copies and averages of the model,
devices without float64, gradients per sample, and compilation."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossbook import precision
from lossbook.objectives import Objective, create_objective
from lossbook.objectives.registry import OBJECTIVES

FEATURES, CLASSES, BATCH = 8, 5, 10
COUNTS = torch.tensor([20, 10, 5, 3, 2])

# Losses of pytorch-metric-learning that choose entries by value.
NO_VMAP = {"proxy-anchor", "arcface", "cosface", "multi-similarity", "contrastive", "softtriple", "subcenter-arcface"}
NO_FULLGRAPH = {"proxy-anchor", "multi-similarity", "contrastive"}
FOLLOW_BATCHES = {"bce3s", "ce3s", "ce+occe-class", "adafocal", "adafocal+occe", "multi-similarity", "contrastive"}

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


def build(name: str) -> tuple[Objective, Tensor, Tensor]:
    torch.manual_seed(0)
    return create_objective(name, FEATURES, CLASSES, COUNTS), torch.randn(BATCH, FEATURES), torch.arange(BATCH) % CLASSES


def loss_of(objective: Objective, features: Tensor, labels: Tensor) -> Tensor:
    """With the same noise each time."""
    torch.manual_seed(1)
    return objective(features, labels)


def train(objective: Objective, features: Tensor, labels: Tensor, epochs: int = 2) -> None:
    """Forward and backward, without steps."""
    for epoch in range(epochs):
        objective.start_epoch(epoch, epochs)
        for _ in range(2 * objective.steps_per_batch):
            objective(features, labels).backward()
            objective.after_step()


@every_objective
def test_a_loss_in_inference_mode_leaves_a_state_that_can_be_trained(name):
    objective, features, labels = build(name)
    with torch.inference_mode():
        objective(features, labels)
        objective.mixed(features, labels, labels.roll(1), 0.3)
        objective.predict(features)
        objective.scores(features)
    assert not any(value.is_inference() for value in [*objective.parameters(), *objective.buffers()])
    train(objective, features.requires_grad_(), labels)
    assert features.grad.isfinite().all()


@every_objective
def test_evaluation_is_a_function_of_its_input(name):
    objective, features, labels = build(name)
    train(objective, features.requires_grad_(), labels)
    objective.eval()
    state, generator = copy.deepcopy(objective.state_dict()), torch.get_rng_state()
    first, second = (objective(features, labels) for _ in range(2))
    mixed, again = (objective.mixed(features, labels, labels.roll(1), 0.3) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(mixed, again)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, state[key]) for key, value in objective.state_dict().items())


@every_objective
def test_copies_and_pickles_go_on_as_the_original(name):
    objective, features, labels = build(name)
    train(objective, features.requires_grad_(), labels)
    twins = copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))
    expected = loss_of(objective, features, labels)
    assert all(torch.equal(loss_of(twin, features, labels), expected) for twin in twins)


@every_objective
def test_the_average_of_models_has_the_average_state(name):
    objective, features, labels = build(name)
    average = AveragedModel(objective, use_buffers=True)
    for _ in range(2):
        train(objective, features.requires_grad_(), labels)
        average.update_parameters(objective)
    own, averaged = dict(objective.named_buffers()), dict(average.module.named_buffers())
    assert {key: value.dtype for key, value in own.items()} == {key: value.dtype for key, value in averaged.items()}
    assert average.module.eval()(features, labels).isfinite()


class WithoutFloat64(TorchDispatchMode):
    """A device that has no float64."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and value.dtype == torch.float64 and value.ndim:
                raise TypeError(f"float64 in {function}")
        return result


@every_objective
def test_no_float64_where_the_device_has_none(name, monkeypatch):
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", frozenset({"cpu"}))
    objective, features, labels = build(name)
    with WithoutFloat64():
        train(objective, features.requires_grad_(), labels)
        objective.mixed(features, labels, labels.roll(1), 0.3).backward()
        objective.eval()
        objective(features, labels)
        objective.reject(features, 0.0)


@every_objective
def test_gradients_per_sample(name):
    objective, features, labels = build(name)
    objective.eval()
    parameters = {key: value for key, value in objective.named_parameters() if value.requires_grad}

    def loss(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return torch.func.functional_call(objective, values, (x.unsqueeze(0), y.unsqueeze(0)))

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    if name in NO_VMAP:
        with pytest.raises(RuntimeError, match=r"does not go with torch\.func\.vmap"):
            per_sample(parameters, features, labels)
        return
    found = per_sample(parameters, features, labels)
    for sample in (0, 3):
        own = slice(sample, sample + 1)
        for value in parameters.values():
            value.grad = None
        objective(features[own], labels[own]).backward()
        expected = {key: torch.zeros_like(value) if value.grad is None else value.grad for key, value in parameters.items()}
        torch.testing.assert_close({key: value[sample] for key, value in found.items()}, expected)


@every_objective
def test_torch_func_in_training(name):
    objective, features, labels = build(name)
    parameters = dict(objective.named_parameters())

    def gradient() -> dict[str, Tensor]:
        return torch.func.grad(lambda values: torch.func.functional_call(objective, values, (features, labels)))(parameters)

    if name in FOLLOW_BATCHES:
        with pytest.raises(RuntimeError, match=r"follows the batches in training.*call objective\.eval\(\) first"):
            gradient()
    else:
        assert all(value.isfinite().all() for value in gradient().values())


def _compiled_is_the_same(name: str) -> None:
    objective, features, labels = build(name)
    torch._dynamo.reset()
    twin = copy.deepcopy(objective)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=name not in NO_FULLGRAPH)
    for size in (BATCH, BATCH - 3, 3):  # the last batch of an epoch is smaller
        x, own = features[:size].clone().requires_grad_(), features[:size].clone().requires_grad_()
        value, expected = loss_of(compiled, x, labels[:size]), loss_of(objective, own, labels[:size])
        torch.testing.assert_close(value, expected)
        value.backward()
        expected.backward()
        torch.testing.assert_close(x.grad, own.grad)
    with pytest.raises((ValueError, RuntimeError), match=r"labels within 0\.\.4"):
        compiled(features, labels + 1)


@pytest.mark.parametrize("name", ["bce-nu", "bce3s", "ce+occe-class", "cot"])
def test_compiled_with_a_smaller_last_batch(name):
    _compiled_is_the_same(name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch.compile asks, at a graph break
@every_objective
def test_each_objective_compiled_with_a_smaller_last_batch(name):
    _compiled_is_the_same(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multicenter", "bce3s"])
def test_compiled_for_any_size_from_the_start(name):
    objective, features, labels = build(name)
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(objective), backend="aot_eager", fullgraph=True, dynamic=True)
    torch.testing.assert_close(loss_of(compiled, features, labels), loss_of(objective, features, labels))
