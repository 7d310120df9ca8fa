"""Backbones: the promised number of features, for every name."""

import pytest
import torch

from lossbook.models import MODELS, create_model


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_features_have_the_promised_width(name, channels):
    model, num_features = create_model(name, channels)
    size = 32 if name.endswith("-cifar") else 14
    assert model(torch.randn(2, channels, size, size)).shape == (2, num_features)


def test_small_backbones_take_eight_by_eight_images():
    for name in ("mlp", "cnn", "resnet8"):
        model, num_features = create_model(name, 1)
        assert model(torch.randn(2, 1, 8, 8)).shape == (2, num_features)


def test_the_papers_backbones_are_timms():
    for name in ("resnet50", "resnet101", "densenet161"):
        assert create_model(name)[1] in (2048, 2208)


def test_cifar_stem_keeps_the_resolution():
    model, _ = create_model("resnet18-cifar")
    assert model.conv1.stride == (1, 1)
    assert isinstance(model.maxpool, torch.nn.Identity)


def test_errors():
    with pytest.raises(ValueError, match="unknown model 'resnet51'; expected one of mlp"):
        create_model("resnet51")
    with pytest.raises(ValueError, match="'cnn' has no pretrained weights"):
        create_model("cnn", pretrained=True)
