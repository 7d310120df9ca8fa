"""A plain classifier predicts what its objective predicts, and holds nothing of the training."""

import copy

import pytest
import torch

from lossbook.objectives.classifier import to_classifier
from lossbook.objectives.create import create_objective, list_objectives
from lossbook.objectives.objective import Objective

FEATURES, CLASSES = 8, 5


def trained(name: str, **arguments) -> Objective:
    torch.manual_seed(0)
    objective = create_objective(name, FEATURES, CLASSES, torch.arange(9, 9 - CLASSES, -1), **arguments)
    features, labels = torch.randn(20, FEATURES), torch.arange(20) % CLASSES
    objective.start_epoch(0, 1)
    for parameter in objective.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    objective(features, labels)  # fills memory banks and running means
    return objective.eval()


@pytest.mark.parametrize("name", list_objectives())
def test_predicts_as_the_objective(name):
    objective = trained(name)
    before = copy.deepcopy(objective.state_dict())
    classifier = to_classifier(objective)
    features = torch.cat([torch.randn(100, FEATURES), torch.zeros(1, FEATURES)])
    with torch.no_grad():
        expected, logits = objective.logits(features), classifier(features)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert logits[:100].argmax(1).equal(expected[:100].argmax(1))
    assert not classifier.training
    assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items() if torch.is_tensor(value))


@pytest.mark.parametrize("name", ["bce-nu", "bce3s", "multicenter", "proxy-anchor", "cb-focal", "logit-adjustment"])
def test_has_class_vectors_and_biases_only(name):
    shapes = sorted(tuple(value.shape) for value in to_classifier(trained(name)).state_dict().values())
    assert shapes == [(CLASSES,), (CLASSES, FEATURES)]


def test_inner_products_are_one_linear_layer():
    objective = trained("soft-u", bias_start=3.0)
    classifier = to_classifier(objective)
    assert type(classifier) is torch.nn.Linear
    assert classifier.weight.equal(objective.head.weight) and classifier.bias.equal(objective.head.bias.expand(CLASSES))


def test_no_random_number_is_drawn():
    objective = trained("bce-nu")
    before = torch.get_rng_state()
    to_classifier(objective)
    assert torch.get_rng_state().equal(before)


def test_later_training_leaves_the_classifier_alone():
    for name in ("soft-d", "bce-nu", "warped-softmax", "ce+occe-dual"):
        objective = trained(name)
        classifier, features = to_classifier(objective), torch.randn(3, FEATURES)
        before = classifier(features)
        for parameter in objective.parameters():
            parameter.data.zero_()
        assert classifier(features).equal(before), name


@pytest.mark.parametrize("prediction", ["ce", "occe"])
def test_of_two_heads_only_the_predicting_one_is_left(prediction):
    objective = trained("ce+occe-dual", prediction=prediction)
    classifier = to_classifier(objective)
    assert type(classifier) is torch.nn.Linear
    assert classifier.weight.equal(getattr(objective.head, prediction).weight)


@pytest.mark.parametrize("normalise", ["neither", "features", "classifier", "both"])
def test_normalisation_is_part_of_the_classifier(normalise):
    objective = trained("bce3s", normalise=normalise)
    features = 5 * torch.randn(50, FEATURES)
    torch.testing.assert_close(to_classifier(objective)(features), objective.logits(features))


def test_a_temperature_scales_distances_and_radius():
    objective = trained("warped-bce", temperature=3.0, radius=2.0)
    features = torch.randn(10, FEATURES)
    torch.testing.assert_close(to_classifier(objective)(features), objective.logits(features))


@pytest.mark.parametrize("name", ["bce-d", "bce-nu", "warped-bce", "ce+occe-dual"])
def test_is_exported(name):
    objective = trained(name)
    batch = torch.export.Dim("batch")
    program = torch.export.export(to_classifier(objective), (torch.randn(4, FEATURES),), dynamic_shapes=({0: batch},))
    features = torch.randn(7, FEATURES)
    torch.testing.assert_close(program.module()(features), objective.logits(features), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of torch's exporter, about itself
def test_distances_pass_to_onnx(tmp_path):
    """Products do too, see the page on one's own loop; ONNX has no operator for distances."""
    onnxruntime = pytest.importorskip("onnxruntime")
    objective = trained("warped-bce")
    path, batch = tmp_path / "classifier.onnx", torch.export.Dim("batch")
    torch.onnx.export(
        to_classifier(objective), (torch.randn(4, FEATURES),), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False
    )
    session, features = onnxruntime.InferenceSession(path), torch.randn(7, FEATURES)
    (logits,) = session.run(None, {session.get_inputs()[0].name: features.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), objective.logits(features).detach(), rtol=1e-5, atol=1e-5)
