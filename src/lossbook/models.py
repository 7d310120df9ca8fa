"""Backbones by name: images (B, C, H, W) to features (B, d).

The small ones of the quick tier are here; ``resnet18-cifar`` is timm's ResNet-18 with the usual stem for 32 x 32
images; every other name is timm's own (``resnet50``, ``densenet161``, ...).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Two convolutions with a skip; the skip is pooled and zero-padded where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(in_channels, out_channels, stride),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.stride, self.new_channels = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        skip = F.avg_pool2d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        return F.relu(self.body(x) + F.pad(skip, (0, 0, 0, 0, 0, self.new_channels)))


def _mlp(channels: int) -> tuple[nn.Module, int]:
    layers = (nn.Flatten(), nn.LazyLinear(128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64))
    return nn.Sequential(*layers), 64


def _cnn(channels: int) -> tuple[nn.Module, int]:
    layers = (_convolution(channels, 16, 2), _convolution(16, 32), _convolution(32, 64, 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten()), 256


def _resnet8(channels: int) -> tuple[nn.Module, int]:
    blocks = (_Residual(8, 8, 1), _Residual(8, 16, 2), _Residual(16, 32, 2))
    return nn.Sequential(_convolution(channels, 8, 2), *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten()), 128


_SMALL = {"mlp": _mlp, "cnn": _cnn, "resnet8": _resnet8}
MODELS = (*_SMALL, "resnet18-cifar")


def create_model(name: str, in_channels: int = 3, pretrained: bool = False) -> tuple[nn.Module, int]:
    """A backbone and its number of features d.

    Raises:
        ValueError: for a name that neither this file nor timm knows, or weights that do not exist.
    """
    if name in _SMALL:
        if pretrained:
            raise ValueError(f"{name!r} has no pretrained weights")
        return _SMALL[name](in_channels)
    import lossbook._torchvision  # noqa: F401  cures torchvision, which timm imports

    # isort: split
    import timm

    timm_name = name.removesuffix("-cifar")
    if not timm.is_model(timm_name):
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(MODELS)} or a model name of timm")
    model = timm.create_model(timm_name, pretrained=pretrained, num_classes=0, in_chans=in_channels)
    if name.endswith("-cifar"):
        model.conv1 = nn.Conv2d(in_channels, model.conv1.out_channels, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model, model.num_features
