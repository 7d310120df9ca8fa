"""The ten scores beside pytorch-ood: where the library has one and agrees, and where it does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.utils._python_dispatch import TorchDispatchMode

import lossbook._torchvision  # noqa: F401  before pytorch-ood
from lossbook.metrics import ood
from lossbook.metrics.openset import auroc
from lossbook.papers.onecold.peers import pytorch_ood_scores
from lossbook.papers.onecold.read import OOD_SCORES

# isort: split
from pytorch_ood import detector

CLASSES, WIDTH = 5, 16
SETTINGS = {"neighbours": 10, "dimensions": 8, "temperature": 10.0, "noise": 0.05}


class LargestTensor(TorchDispatchMode):
    """Inside ``with``: the number of elements of the largest tensor that was made, in ``elements``."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return found


@pytest.fixture(scope="module")
def case():
    """Known, unknown and training features after a ReLU, and the nearest-mean classifier, in float32."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % CLASSES
    means = 3 * torch.eye(CLASSES, WIDTH) + torch.rand(CLASSES, WIDTH, generator=rng)
    return {
        "known": (means[torch.arange(60) % CLASSES] + torch.randn(60, WIDTH, generator=rng)).relu(),
        "unknown": (1 + torch.randn(60, WIDTH, generator=rng)).relu(),
        "train": (means[labels] + torch.randn(400, WIDTH, generator=rng)).relu(),
        "labels": labels,
        "weight": 0.3 * means,
        "bias": -0.15 * means.square().sum(1),
        "mix": torch.randn(WIDTH, 28, generator=rng),
    }


def ours(case, features):
    train, labels, weight, bias = (case[name] for name in ("train", "labels", "weight", "bias"))
    logits, train_logits = linear(features, weight, bias), linear(train, weight, bias)
    return {
        "msp": ood.msp(logits),
        "odin": ood.odin(lambda x: linear(x, weight, bias), features, temperature=10.0, noise=0.05),
        "rmds": ood.rmds(features, train, labels),
        "energy": ood.energy(logits),
        "vim": ood.vim(features, train, weight, bias, 8),
        "knn": ood.knn(features, train, 10),
        "dice": ood.dice(features, train, weight, bias),
        "she": ood.she(features, logits, train, train_logits, labels),
        "scale": ood.scale(features, weight, bias),
    }


def theirs(case, features):
    return pytorch_ood_scores(features, *(case[name] for name in ("train", "labels", "weight", "bias")), **SETTINGS)


def test_nine_scores_agree_where_covariances_have_full_rank(case):
    mine, other = ours(case, case["unknown"]), theirs(case, case["unknown"])
    assert set(other) == set(mine) == set(OOD_SCORES) - {"relation"}
    for name, scores in mine.items():
        torch.testing.assert_close(
            other[name].float(), scores, rtol=1e-4, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_pytorch_ood_has_no_neural_relation_graph():
    """When this fails, the library has one: compare `relation` too."""
    assert not [name for name in detector.__all__ if "relation" in name.lower()]


def test_rmd_without_a_pseudo_inverse_is_noise_where_features_are_dependent(case):
    """28 features that span 16 dimensions: a linear map, under which the definition does not change."""
    mixed = {name: case[name] @ case["mix"] for name in ("known", "unknown", "train")}
    library = detector.RMD(None).fit_features(mixed["train"], case["labels"])
    found = auroc(-library.predict_features(mixed["known"]), -library.predict_features(mixed["unknown"]))
    mine = auroc(*(ood.rmds(mixed[name], mixed["train"], case["labels"]) for name in ("known", "unknown")))
    expected = auroc(*(ood.rmds(case[name], case["train"], case["labels"]) for name in ("known", "unknown")))
    assert mine == pytest.approx(expected, abs=0.005)
    assert found < mine - 0.1


def test_she_of_the_library_needs_a_right_sample_in_every_class(case):
    bias = case["bias"].clone()
    bias[2] = -1e3  # nothing is called 2
    with pytest.raises(ValueError, match="No correct predictions for class 2"):
        theirs(case | {"bias": bias}, case["known"])
    assert ours(case | {"bias": bias}, case["known"])["she"].isfinite().all()


def test_dice_of_the_library_multiplies_every_sample_with_every_weight(case):
    """It holds B x N x d products, ours B x d features and N x d weights."""
    library = detector.DICE(None, case["weight"], case["bias"], p=0.9).fit_features(case["train"], case["labels"])
    with LargestTensor() as made:
        library.predict_features(case["known"])
    assert made.elements == 60 * CLASSES * WIDTH
    with LargestTensor() as made:
        ood.dice(case["known"], case["train"], case["weight"], case["bias"])
    assert made.elements < 60 * CLASSES * WIDTH / 2


def test_scale_of_the_library_has_no_value_for_a_dead_sample(case):
    zero = torch.zeros(1, WIDTH)
    assert theirs(case, zero)["scale"].isnan().all()
    assert ours(case, zero)["scale"].isfinite().all()
