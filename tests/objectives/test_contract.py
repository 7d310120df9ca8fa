"""What holds for every objective in the registry: shapes, gradients, state, precision, mixed images, and what it refuses."""

from __future__ import annotations

import copy
import inspect
import re

import pytest
import torch
from torch import Tensor

from lossbook.objectives import Objective, create_objective, list_objectives
from lossbook.objectives.registry import OBJECTIVES

FEATURES, CLASSES, BATCH = 8, 5, 10
COUNTS = torch.tensor([20, 10, 5, 3, 2])
PAPERS = ("uniform", "bce3s", "multicenter", "warped", "onecold")

# The library's reducer averages over the pairs with a positive loss, which leaves a NaN out.
DROPS_NAN = {"contrastive"}

every_objective = pytest.mark.parametrize("name", OBJECTIVES)


def build(name: str, device: torch.device | str = "cpu") -> tuple[Objective, Tensor, Tensor]:
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS).to(device)
    features = torch.randn(BATCH, FEATURES, device=device)
    return objective, features, torch.arange(BATCH, device=device) % CLASSES


def loss_of(objective: Objective, features: Tensor, labels: Tensor) -> Tensor:
    """With the same noise each time."""
    torch.manual_seed(1)
    return objective(features, labels)


# The registry ----------------------------------------------------------------------------------------------------


@every_objective
def test_the_source_is_a_paper_or_a_combination(name):
    source = list_objectives()[name]
    assert source in (*PAPERS, "combination") or re.fullmatch(r"\w+( et al\.| and \w+)?, (19|20)\d\d", source)


@every_objective
def test_the_builder_says_which_arguments_it_takes(name):
    with pytest.raises(TypeError, match=f"objective '{re.escape(name)}' does not take these arguments.*depth"):
        create_objective(name, FEATURES, CLASSES, COUNTS, depth=3)
    assert list(inspect.signature(OBJECTIVES[name].build).parameters)[:2] == ["in_features", "num_classes"]


# Loss and prediction ---------------------------------------------------------------------------------------------


@every_objective
def test_loss_and_gradients(name, device):
    objective, features, labels = build(name, device)
    loss = objective(features.requires_grad_(), labels)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    gradients = [features.grad, *(p.grad for p in objective.parameters() if p.grad is not None)]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert features.grad.abs().sum() > 0


@every_objective
def test_shapes(name, device):
    objective, features, _ = build(name, device)
    assert objective.logits(features).shape == (BATCH, CLASSES)
    assert objective.head.similarities(features).shape == (BATCH, CLASSES)
    assert objective.head.weight.shape == (CLASSES, FEATURES)
    assert objective.head.bias is None or objective.head.bias.shape in [(1,), (CLASSES,)]
    assert objective.threshold().shape in [(), (CLASSES,)]
    assert not objective.threshold().requires_grad


@every_objective
def test_mixed_images(name):
    objective, features, labels = build(name)
    assert objective.mixed(features, labels, labels.roll(1), 0.3).isfinite()


@every_objective
def test_measured_scalars_have_no_gradient(name):
    objective, features, labels = build(name)
    for _ in range(objective.steps_per_batch):
        objective(features, labels)
        objective.after_step()
    assert all(value.shape == () and value.isfinite() and not value.requires_grad for value in objective.measured.values())


@every_objective
def test_memory_layout_does_not_matter_and_inputs_are_left_alone(name):
    objective, features, labels = build(name)
    twin = copy.deepcopy(objective)
    turned, strided = features.T.contiguous().T, torch.stack([labels, labels], 1)[:, 0]
    torch.testing.assert_close(loss_of(twin, turned, strided), loss_of(objective, features, labels))
    assert torch.equal(turned, features) and torch.equal(features, build(name)[1])


@every_objective
def test_nan_stays_nan(name):
    objective, features, labels = build(name)
    features[1, 2] = torch.nan
    assert loss_of(objective, features, labels).isnan() != (name in DROPS_NAN)


@every_objective
def test_how_many_predictions_are_right(name):
    objective, features, labels = build(name)
    torch.manual_seed(1)
    loss, right = objective.loss_and_right(features, labels)
    assert torch.equal(loss, loss_of(build(name)[0], features, labels))
    assert right.dtype == torch.int64 and 0 <= right <= BATCH


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if build(name)[0]._fused_form is not None])
def test_the_fused_pass_counts_right_predictions(name, monkeypatch):
    objective = create_objective(name, FEATURES, 40, fused=True)
    features, labels = torch.randn(BATCH, FEATURES), torch.arange(BATCH)
    labels[:5] = objective.predict(features)[:5]
    expected = (objective.predict(features) == labels).sum()
    monkeypatch.setattr(objective.head, "similarities", None)  # what forms the logits
    loss, right = objective.loss_and_right(features, labels)
    assert right == expected >= 5
    assert loss.isfinite()


# State -----------------------------------------------------------------------------------------------------------


@every_objective
def test_state_dict_round_trip(name):
    objective, features, labels = build(name)
    for epoch in range(2):
        objective.start_epoch(epoch, 2)
        objective(features, labels)
        objective.after_step()
    other = create_objective(name, FEATURES, CLASSES, COUNTS)
    other.load_state_dict(objective.state_dict())
    for one in (objective, other):
        one.eval()
    torch.testing.assert_close(other.logits(features), objective.logits(features), rtol=0, atol=0)


@every_objective
def test_without_training_nothing_changes(name):
    objective, features, labels = build(name)
    objective.eval()
    before = copy.deepcopy(objective.state_dict())
    with torch.inference_mode():
        objective(features, labels)
        objective.logits(features)
    assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items())


# Precision -------------------------------------------------------------------------------------------------------


@every_objective
def test_autocast(name, device):
    objective, features, labels = build(name, device)
    exact = loss_of(copy.deepcopy(objective), features, labels)
    with torch.autocast(device.type, torch.bfloat16):
        value = loss_of(objective, features.requires_grad_(), labels)
    value.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, exact, rtol=3e-2, atol=1e-2)
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bce-nu", "uce", "ce+occe-class", "warped-softmax", "focal+occe", "balanced-softmax"])
def test_compiled_objectives_are_the_same(name):
    objective, features, labels = build(name)
    expected = loss_of(copy.deepcopy(objective), features, labels)
    compiled = torch.compile(objective, backend="aot_eager")
    torch.testing.assert_close(compiled(features, labels), expected)


# Refused ---------------------------------------------------------------------------------------------------------


@every_objective
@pytest.mark.parametrize(("arguments", "message"), [((0, CLASSES), "in_features >= 1"), ((FEATURES, 1), "num_classes >= 2")])
def test_wrong_sizes(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_objective(name, *arguments, class_counts=torch.ones(arguments[1], dtype=torch.int64))


@every_objective
def test_wrong_labels(name):
    objective, features, labels = build(name)
    with pytest.raises(ValueError, match=r"labels within 0\.\.4"):
        objective(features, labels + 1)
    with pytest.raises(ValueError, match=r"labels of shape \(10,\)"):
        objective(features, labels[:-1])
    with pytest.raises(TypeError, match=r"torch\.int64, got torch\.float32"):
        objective(features, labels.float())


@every_objective
def test_wrong_features(name):
    objective, features, labels = build(name)
    for wrong in (features[:, 1:], features[0], features[:0]):
        with pytest.raises(ValueError, match=r"features of shape \(B, 8\) with B >= 1, got"):
            objective(wrong, labels[: len(wrong)])


@every_objective
def test_what_is_no_tensor_is_refused(name):
    objective, features, labels = build(name)
    for wrong in (features.tolist(), features.numpy()):
        with pytest.raises(TypeError, match=r"expected features as a tensor, got (list|ndarray)"):
            objective(wrong, labels)
    for wrong in (labels.tolist(), labels.numpy()):
        with pytest.raises(TypeError, match=r"expected labels as a tensor, got (list|ndarray)"):
            objective(features, wrong)


@every_objective
def test_a_wrong_device(name):
    objective, features, labels = build(name)
    with pytest.raises(ValueError, match="features on the objective's device cpu, got meta"):
        objective(features.to("meta"), labels)
    with pytest.raises(ValueError, match="labels on the device cpu, got meta"):
        objective(features, labels.to("meta"))


@every_objective
def test_an_empty_batch_and_features_of_integers(name):
    objective, features, labels = build(name)
    with pytest.raises(ValueError, match="with B >= 1"):
        objective(features[:0], labels[:0])
    with pytest.raises(TypeError, match=r"floating-point features, got torch\.int64"):
        objective(features.long(), labels)


@every_objective
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_features_of_another_dtype_are_one_clear_error(name, dtype):
    objective, features, labels = build(name)
    calls = {
        "the loss": lambda x: objective(x, labels),
        "mixed": lambda x: objective.mixed(x, labels, labels.roll(1), 0.3),
        "logits": objective.logits,
        "predict": objective.predict,
        "scores": objective.scores,
        "reject": lambda x: objective.reject(x, 0.0),
    }
    for call in calls.values():
        with pytest.raises(TypeError, match=f"features of the objective's dtype torch.float32, got {dtype}: convert one"):
            call(features.to(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        if dtype != torch.float64:
            assert objective(features.to(dtype), labels).isfinite()
        else:
            with pytest.raises(TypeError, match=r"got torch\.float64"):
                objective(features.to(dtype), labels)


@every_objective
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_an_objective_of_another_dtype_takes_features_of_it(name, dtype):
    objective, features, labels = build(name)
    objective.to(dtype)
    assert objective(features.to(dtype), labels).isfinite()
    assert objective.predict(features.to(dtype)).shape == labels.shape
    with pytest.raises(TypeError, match=f"dtype {dtype}, got torch.float32"):
        objective(features, labels)


@every_objective
@pytest.mark.parametrize(
    "wrong", [[1, 2, 3], [1, 2, 3, 4, -1], [1, 2, 3, 4, 5.5], [1, 2, 3, 4, float("nan")], [[1, 2, 3, 4, 5]]], ids=str
)
def test_wrong_class_counts(name, wrong):
    with pytest.raises(ValueError, match=r"expected class_counts (of shape \(5,\)|that are whole numbers >= 0)"):
        create_objective(name, FEATURES, CLASSES, wrong)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, {}) for name in ("cb-focal", "ldam", "logit-adjustment", "balanced-softmax")),
        *((name, {"beta": 0.9}) for name in ("bce3s", "ce3s", "weight-balancing")),
    ],
)
def test_a_loss_that_divides_by_counts_wants_an_image_of_each_class(name, arguments):
    with pytest.raises(ValueError, match="at least one training image of every class"):
        create_objective(name, FEATURES, CLASSES, [5, 4, 3, 2, 0], **arguments)


@every_objective
def test_counts_may_be_a_list_an_array_or_whole_floats(name):
    _, features, labels = build(name)
    losses = []
    for counts in (COUNTS, COUNTS.tolist(), COUNTS.numpy(), COUNTS.double()):
        torch.manual_seed(0)
        losses.append(loss_of(create_objective(name, FEATURES, CLASSES, counts), features, labels))
    assert all(torch.equal(loss, losses[0]) for loss in losses)


@pytest.mark.parametrize("name", ["cb-focal", "ldam", "balanced-softmax"])
def test_half_precision_leaves_large_counts_alone(name):
    _, features, labels = build(name)
    objective = create_objective(name, FEATURES, CLASSES, COUNTS.float() * 1e5).half()
    assert objective(features.half(), labels).isfinite()


@every_objective
def test_wrong_weights(name):
    for wrong in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0, -1.0], [1.0, 2.0, 3.0, 4.0, float("nan")], [0.0] * CLASSES):
        with pytest.raises(ValueError, match=r"expected weight"):
            create_objective(name, FEATURES, CLASSES, COUNTS, weight=wrong)
    objective, features, labels = build(name)
    weights = torch.ones(BATCH)
    for wrong, error, message in (
        (weights[1:], ValueError, r"sample_weight of shape \(10,\)"),
        (weights.long(), TypeError, "floating-point sample_weight"),
        (-weights, ValueError, "sample_weight >= 0"),
        (weights.to("meta"), ValueError, "sample_weight on the device cpu, got meta"),
        (weights.tolist(), TypeError, "sample_weight as a tensor, got list"),
    ):
        with pytest.raises(error, match=message):
            objective(features, labels, sample_weight=wrong)
