"""Detectors: equal to the one-shot functions, whatever keeps or moves a module, every head, and what is refused."""

from __future__ import annotations

import copy
import io
import pickle
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.heads.dual import DualHead
from lossbook.heads.euclidean import EuclideanHead
from lossbook.heads.linear import CosineHead, LinearHead
from lossbook.heads.multicenter import MultiCenterCosineHead, MultiCenterHead
from lossbook.metrics import ood
from lossbook.objectives.classifier import to_classifier
from lossbook.objectives.create import create_objective
from lossbook.ood import DICE, KNN, MSP, ODIN, RMDS, SCALE, SHE, Detector, Energy, Relation, ViM, linear_classifier

CLASSES, WIDTH, TRAIN, SAMPLES = 5, 12, 120, 20
DETECTORS = {
    "msp": MSP,
    "odin": lambda: ODIN(temperature=10.0, noise=0.05),
    "rmds": RMDS,
    "energy": lambda: Energy(2.0),
    "vim": lambda: ViM(7),
    "knn": lambda: KNN(9),
    "dice": lambda: DICE(0.7),
    "she": SHE,
    "relation": lambda: Relation(power=2.0),
    "scale": lambda: SCALE(0.5),
}
every_detector = pytest.mark.parametrize("name", DETECTORS)


class Case(NamedTuple):
    train: Tensor
    labels: Tensor
    head: LinearHead
    features: Tensor


@pytest.fixture(scope="module")
def case() -> Case:
    generator = torch.Generator().manual_seed(0)
    means = 2 * torch.randn(CLASSES, WIDTH, generator=generator)
    labels = torch.arange(TRAIN) % CLASSES
    head = LinearHead(WIDTH, CLASSES)
    with torch.no_grad():
        head.weight.copy_(0.3 * means)
        head.bias.copy_(torch.randn(CLASSES, generator=generator))
    train = (means[labels] + torch.randn(TRAIN, WIDTH, generator=generator)).relu()
    return Case(train, labels, head, (means[labels[:SAMPLES]] + 2 * torch.randn(SAMPLES, WIDTH, generator=generator)).relu())


def fitted(name: str, case: Case) -> Detector:
    return DETECTORS[name]().fit(case.train, case.head, case.labels)


def one_shot(case: Case, features: Tensor) -> dict[str, Tensor]:
    train, labels, head, _ = case
    weight, bias = head.weight.detach(), head.bias.detach()
    logits, train_logits = F.linear(features, weight, bias), F.linear(train, weight, bias)
    return {
        "msp": ood.msp(logits),
        "odin": ood.odin(lambda x: F.linear(x, weight, bias), features, 10.0, 0.05),
        "rmds": ood.rmds(features, train, labels),
        "energy": ood.energy(logits, 2.0),
        "vim": ood.vim(features, train, weight, bias, 7),
        "knn": ood.knn(features, train, 9),
        "dice": ood.dice(features, train, weight, bias, 0.7),
        "she": ood.she(features, logits, train, train_logits, labels),
        "relation": ood.relation(features, logits, train, train_logits, power=2.0),
        "scale": ood.scale(features, weight, bias, 0.5),
    }


# Equal to the functions ------------------------------------------------------------------------------------------


@every_detector
def test_a_detector_gives_the_bits_of_its_function(name, case):
    scores = fitted(name, case)(case.features)
    assert torch.equal(scores, one_shot(case, case.features)[name])
    assert scores.shape == (SAMPLES,) and not scores.requires_grad


@every_detector
def test_a_copy_of_what_was_learned_is_kept(name, case):
    train = case.train.clone()
    detector = DETECTORS[name]().fit(train, case.head, case.labels)
    expected = detector(case.features)
    train.zero_()
    assert torch.equal(detector(case.features), expected)


@every_detector
def test_state_fills_a_detector_that_was_not_fitted_or_was_fitted_to_other_shapes(name, case):
    detector = fitted(name, case)
    expected, state = detector(case.features), io.BytesIO()
    torch.save(detector.state_dict(), state)
    state.seek(0)
    state = torch.load(state, weights_only=True)
    other = Case(torch.rand(40, 9), torch.arange(40) % 3, LinearHead(9, 3), torch.rand(2, 9))
    for empty in (DETECTORS[name](), fitted(name, other)):
        assert torch.equal(_loaded(empty, state)(case.features), expected)
        whole = nn.Sequential(DETECTORS[name]())
        whole.load_state_dict({f"0.{key}": value for key, value in state.items()})
        assert torch.equal(whole(case.features), expected)
    with pytest.raises(RuntimeError, match="Missing key"):
        fitted(name, case).load_state_dict({})


def _loaded(detector: Detector, state: dict[str, Tensor]) -> Detector:
    detector.load_state_dict(state)
    return detector


@every_detector
def test_copies_and_devices(name, case, device):
    detector = fitted(name, case)
    expected = detector(case.features)
    for copied in (copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        assert torch.equal(copied(case.features), expected)
    moved = detector.to(device)
    assert all(buffer.device.type == device.type for buffer in moved.buffers())
    torch.testing.assert_close(moved(case.features.to(device)).cpu(), expected, rtol=1e-4, atol=1e-4)


@every_detector
def test_inference_mode(name, case):
    expected = fitted(name, case)(case.features)
    with torch.inference_mode():
        features = case.features * 1  # an inference tensor, as a backbone gives it
        inside = DETECTORS[name]().fit(case.train * 1, case.head, case.labels)
        assert torch.equal(inside(features), expected)
        assert torch.equal(fitted(name, case)(features), expected)
    assert torch.equal(inside(case.features), expected)
    assert not any(buffer.is_inference() for buffer in inside.buffers())


@every_detector
def test_autocast_changes_nothing(name, case):
    expected = fitted(name, case)(case.features)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fitted(name, case)(case.features), expected)
        # The other functions take logits, which the caller's autocast has made.
        if name in ("rmds", "vim", "knn", "dice", "scale"):
            assert torch.equal(one_shot(case, case.features)[name], expected)


@every_detector
def test_half_precision_is_scored_in_float32(name, case):
    detector = fitted(name, case)
    half = case.features.bfloat16()
    scores = detector(half)
    assert scores.dtype == torch.float32 and torch.equal(scores, detector(half.float()))
    assert fitted(name, case._replace(train=case.train.half()))(half).isfinite().all()


@every_detector
def test_generators_and_modes_are_left_alone(name, case):
    before = torch.get_rng_state()
    detector = fitted(name, case)
    first = detector.train()(case.features)
    assert torch.equal(detector.eval()(case.features), first)
    assert torch.equal(torch.get_rng_state(), before)


@every_detector
def test_ranks_in_float32_are_those_in_float64(name, case):
    double = case._replace(train=case.train.double(), head=copy.deepcopy(case.head).double())
    exact, found = fitted(name, double)(case.features.double()), fitted(name, case)(case.features)
    assert found.dtype == torch.float32 and exact.dtype == torch.float64
    assert torch.equal(found.argsort(), exact.argsort())


# Heads -----------------------------------------------------------------------------------------------------------

LINEAR_HEADS = {
    "linear": lambda: LinearHead(WIDTH, CLASSES),
    "unified": lambda: LinearHead(WIDTH, CLASSES, "unified", bias_start=0.7),
    "zero": lambda: LinearHead(WIDTH, CLASSES, "zero"),
    "cosine": lambda: CosineHead(WIDTH, CLASSES, "diverse", 7.0),
    "unified cosine": lambda: CosineHead(WIDTH, CLASSES, "unified", 7.0, bias_start=0.7),
    "multi-centre": lambda: MultiCenterHead(WIDTH, CLASSES),
    "multi-centre cosine": lambda: MultiCenterCosineHead(WIDTH, CLASSES),
    "dual": lambda: DualHead(WIDTH, CLASSES, prediction="occe"),
    "bce3s": lambda: create_objective("bce3s", WIDTH, CLASSES).head,
    "nn.Linear": lambda: nn.Linear(WIDTH, CLASSES),
    "nn.Linear, no bias": lambda: nn.Linear(WIDTH, CLASSES, bias=False),
}


@pytest.mark.parametrize("make", LINEAR_HEADS.values(), ids=LINEAR_HEADS.keys())
def test_a_linear_head_is_read_as_what_it_computes(make, case):
    head = make()
    (weight, bias), unit = linear_classifier(head)
    features = F.normalize(case.features, dim=1) if unit else case.features
    expected = head.eval()(case.features)
    torch.testing.assert_close(F.linear(features, weight, bias), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(MSP().fit(case.train, head)(case.features), ood.msp(expected).detach(), rtol=1e-4, atol=1e-5)
    for detector in (ViM(), DICE(), SCALE(), SHE(), Relation(), ODIN()):
        scores = detector.fit(case.train, head, case.labels)(case.features)
        assert scores.isfinite().all()
        assert torch.equal(_loaded(type(detector)(), detector.state_dict())(case.features), scores)


@pytest.mark.parametrize("head", [EuclideanHead(WIDTH, CLASSES), DualHead(WIDTH, CLASSES)], ids=["distances", "combined"])
def test_a_head_that_is_not_linear_is_refused(head, case):
    with pytest.raises(TypeError, match=f"linear in the features.*got {type(head).__name__}"):
        Energy().fit(case.train, head)


def test_odin_of_images_goes_through_the_backbone(case):
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(18, WIDTH), nn.ReLU())
    images = torch.rand(6, 2, 3, 3)
    expected = ood.odin(lambda x: case.head(backbone(x)), images, noise=0.01)
    detector = ODIN(backbone, noise=0.01).fit(case.train, case.head)
    torch.testing.assert_close(detector(images), expected)
    with torch.inference_mode():
        torch.testing.assert_close(detector(images), expected)
        torch.testing.assert_close(ood.odin(lambda x: case.head(backbone(x)), images * 1, noise=0.01), expected)
    assert all(parameter.grad is None for parameter in backbone.parameters())


# What is refused -------------------------------------------------------------------------------------------------


@every_detector
def test_before_fit_the_error_says_what_to_do(name, case):
    with pytest.raises(RuntimeError, match=r"was not fitted: call fit\(features, head, labels\)"):
        DETECTORS[name]()(case.features)


@every_detector
def test_bad_features_are_one_clear_error(name, case):
    detector = fitted(name, case)
    for features, error, message in (
        (case.features.numpy(), TypeError, "expected features as a tensor, got ndarray"),
        (case.features[0], ValueError, r"features of shape \(B, d\)"),
        (case.features[:0], ValueError, "B >= 1 samples"),
        (case.features.long(), TypeError, "floating-point features"),
        (case.features[:, :5], ValueError, r"features \(B, 12\), as wide as those of fit, got \(20, 5\)"),
        (case.features.to("meta"), ValueError, "on the detector's device, cpu, got meta"),
    ):
        with pytest.raises(error, match=message):
            detector(features)
    for train, error, message in (
        (case.train.tolist(), TypeError, "expected features as a tensor, got list"),
        (case.train[:0], ValueError, "B >= 1 samples"),
        (case.train / 0, ValueError, "finite features"),
    ):
        with pytest.raises(error, match=message):
            DETECTORS[name]().fit(train, case.head, case.labels)


def test_bad_heads_and_labels():
    train, labels, head = torch.rand(8, 3), torch.arange(8) % 2, nn.Linear(3, 2)
    for detector, arguments, error, message in (
        (MSP(), (train,), ValueError, r"MSP needs the classifier: fit\(features, head\)"),
        (RMDS(), (train,), ValueError, "RMDS needs the classes"),
        (SHE(), (train, head), ValueError, "SHE needs the classes"),
        (SHE(), (train, head, labels + 1), ValueError, r"labels within 0\.\.1"),
        (SHE(), (train, head, labels.float()), TypeError, "labels of dtype torch.int64"),
        (RMDS(), (train, None, labels.float()), TypeError, "integer train_labels"),
        (RMDS(), (train, None, labels[:3]), ValueError, r"train_labels as a tensor of shape \(8,\)"),
        (RMDS(), (train, None, labels.tolist()), ValueError, "train_labels as a tensor.*got list"),
        (Energy(), (train, nn.Linear(4, 2)), ValueError, r"weight \(N, 3\) for these features, got \(2, 4\)"),
        (Energy(), (train, nn.ReLU()), TypeError, "expected a head, an nn.Linear or a pair"),
        (Energy(), (train, (torch.rand(2, 3), torch.rand(3))), ValueError, r"shape \(1,\) or \(2,\), got \(3,\)"),
        (Energy(0.0), (train, head), ValueError, "temperature > 0"),
        (KNN(9), (train,), ValueError, r"neighbours within 1\.\.8, got 9"),
        (ViM(3), (train, head), ValueError, "0 < dimensions < 3"),
        (DICE(1.0), (train, head), ValueError, r"sparsity within \[0, 1\)"),
    ):
        with pytest.raises(error, match=message):
            detector.fit(*arguments)(train)


@pytest.mark.parametrize("name", ["bce-di", "logit-adjustment", "bce-nu", "soft-d", "multicenter-arc"])
def test_a_trained_objective_is_given_as_a_classifier(name):
    """Its head alone does not know which bias the objective predicts with."""
    torch.manual_seed(0)
    objective = create_objective(name, 6, 4, [5, 5, 5, 5]).eval()
    features = torch.randn(9, 6)
    scores = Energy().fit(features, to_classifier(objective))(features)
    torch.testing.assert_close(scores, objective.logits(features).logsumexp(1).detach())
