"""Retrieval among corrupted images (`warped`, Table IV): recall@1 of the unknown classes' test images under nine corruptions.

The paper names the corruptions of a library, not their strengths; those here are fixed fractions of the image's size and
range.  Every image gets a draw of its own, with a fixed seed: the same corrupted images for every run.  Torchvision's
transforms draw once per batch, so only its colour functions are of use here; the rest are a few tensor operations each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lossbook.heads.euclidean import EuclideanHead
from lossbook.metrics.retrieval import precision_at_1
from lossbook.runs.subsets import held_out_classes
from lossbook.runs.suites.suite import Measured, Outputs, Suite

_CHUNK = 1000  # images at a time: some corruptions work in float32


def _to_uint8(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


def _pixels(images: Tensor) -> Tensor:
    """One uniform draw per pixel, the same for its channels: (n, 1, H, W)."""
    return torch.rand(len(images), 1, *images.shape[-2:])


def _gaussian(images: Tensor) -> Tensor:
    return _to_uint8(images + 51 * torch.randn(images.shape))


def _uniform(images: Tensor) -> Tensor:
    return _to_uint8(images + 51 * (2 * torch.rand(images.shape) - 1))


def _salt_and_pepper(images: Tensor) -> Tensor:
    """A tenth of the pixels become white or black, with equal chance."""
    draw = _pixels(images)
    return images.masked_fill(draw < 0.05, 0).masked_fill(draw > 0.95, 255)


def _dropout(images: Tensor) -> Tensor:
    """A fifth of the pixels become black."""
    return images.masked_fill(_pixels(images) < 0.2, 0)


def _cutout(images: Tensor) -> Tensor:
    """A grey square, three tenths of the image wide, anywhere inside."""
    height, width = images.shape[-2:]
    side = math.ceil(0.3 * min(height, width))
    top = torch.randint(height - side + 1, (len(images), 1, 1, 1))
    left = torch.randint(width - side + 1, (len(images), 1, 1, 1))
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return images.masked_fill(inside, 128)


def _affine_shear(images: Tensor) -> Tensor:
    """Sheared sideways by up to 25 degrees to either side about the centre."""
    slope = torch.tan(math.radians(25) * (2 * torch.rand(len(images)) - 1))
    zero, one = torch.zeros_like(slope), torch.ones_like(slope)
    theta = torch.stack([torch.stack([one, slope, zero], 1), torch.stack([zero, one, zero], 1)], 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return _to_uint8(F.grid_sample(images.float(), grid, align_corners=False))


def _jigsaw(images: Tensor) -> Tensor:
    """4 x 4 cells; half of the eight pairs of neighbours in a row are swapped.  Pixels beyond four whole cells stay."""
    count, channels, height, width = images.shape
    h, w = height // 4, width // 4
    cells = images[..., : 4 * h, : 4 * w].reshape(count, channels, 4, h, 2, 2, w)
    swapped = (torch.rand(count, 4, 2) < 0.5)[:, None, :, None, :, None, None]
    result = images.clone()
    result[..., : 4 * h, : 4 * w] = torch.where(swapped, cells.flip(-2), cells).reshape(count, channels, 4 * h, 4 * w)
    return result


def _hue_and_saturation(images: Tensor) -> Tensor:
    """Every fourth image gets the same shift of hue (a full turn is 1) and factor of saturation."""
    from lossbook._torchvision import torchvision  # not needed by the others

    colours = torchvision.transforms.functional
    result = images.clone()
    for start, (hue, saturation) in enumerate(((-0.2, 0.5), (-0.1, 1.5), (0.1, 0.5), (0.2, 1.5))):
        result[start::4] = colours.adjust_saturation(colours.adjust_hue(images[start::4], hue), saturation)
    return result


def _defocus_blur(images: Tensor) -> Tensor:
    """The mean over a disc whose radius is a fourteenth of the image's size."""
    radius = min(images.shape[-2:]) / 14
    reach = math.ceil(radius)
    along = torch.arange(-reach, reach + 1)
    disc = (along[:, None] ** 2 + along**2 <= radius**2).float()
    kernel = (disc / disc.sum()).expand(images.shape[1], 1, -1, -1)
    padded = F.pad(images.float(), (reach,) * 4, mode="replicate")
    return _to_uint8(F.conv2d(padded, kernel, groups=images.shape[1]))


# uint8 images (n, C, H, W) to the same, in the order of Table IV.
CORRUPTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian": _gaussian,
    "uniform": _uniform,
    "salt-and-pepper": _salt_and_pepper,
    "dropout": _dropout,
    "cutout": _cutout,
    "affine-shear": _affine_shear,
    "jigsaw": _jigsaw,
    "add-hue-and-saturation": _hue_and_saturation,
    "defocus-blur": _defocus_blur,
}


def corrupt(name: str, images: Tensor) -> Tensor:
    """Corrupted copies of uint8 images (n, C, H, W), the same at every call; the caller's random state stays untouched.

    Raises:
        ValueError: for an unknown name, or a colour corruption of grey images.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"unknown corruption {name!r}; expected one of {', '.join(CORRUPTIONS)}")
    if name == "add-hue-and-saturation" and images.shape[1] != 3:
        raise ValueError(f"{name} needs images of three channels, got {images.shape[1]}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.cat([CORRUPTIONS[name](chunk) for chunk in images.split(_CHUNK)])


def measure(outputs: Outputs) -> Measured:
    """Retrieval is by Euclidean distance for losses of distances to proxies, by cosine for all others.  Grey images have no
    hue, so that corruption is left out for them."""
    unknown = held_out_classes(outputs.spec)
    if unknown is None:
        raise ValueError("the suite 'corruption' needs RunSpec.classes: the classes left out are the unknown ones")
    distance = "euclidean" if isinstance(outputs.objective.head, EuclideanHead) else "cosine"
    values = {"corrupted_none": precision_at_1(outputs.unknown_features, outputs.unknown_labels, distance)}
    for name in CORRUPTIONS:
        if name != "add-hue-and-saturation" or unknown.images.shape[1] == 3:
            features = outputs.extract(corrupt(name, unknown.images))
            values[f"corrupted_{name}"] = precision_at_1(features, outputs.unknown_labels, distance)
    return Measured(values)


SUITE = Suite(
    measure,
    metrics={
        "corrupted_<corruption>": "recall@1 among the held-out classes' test images, queries and gallery both corrupted, within"
        " [0, 1]; larger is better; `none` for the images as they are",
    },
)
