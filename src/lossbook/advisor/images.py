"""Images to features of a pretrained backbone, computed once and kept under a hash of the images and the backbone."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lossbook.data.batches import to_float
from lossbook.models import create_model
from lossbook.progress import track

ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
PARTS = ("train", "val", "test")
_PIECE = 500  # images per file of the cache
_PASS = 64  # images per pass


@dataclass(frozen=True)
class Backbone:
    """What makes features of images.

    Attributes:
        name: ``efficientnet_lite0``, whose weights come inside a package; a model of timm; or ``module:function`` of a user's
            own, a function without arguments that returns a module from images (B, 3, H, W) within [-1, 1] to (B, d).
        weights: a file of a state_dict, or "" for the published weights (of ``module:function``: as it returns them).
        side: pixels of the square that every image is resized to.
    """

    name: str = "efficientnet_lite0"
    weights: str = ""
    side: int = 96

    def build(self) -> torch.nn.Module:
        """The module in evaluation mode.

        Raises:
            ValueError: for a name or a file that does not exist.
        """
        if ":" in self.name:
            module, _, function = self.name.partition(":")
            try:
                made = getattr(importlib.import_module(module), function)()
            except (ImportError, AttributeError) as error:
                raise ValueError(f"the backbone {self.name!r} cannot be imported: {error}") from error
        else:
            made, _ = create_model(self.name, 3, pretrained=not self.weights)
        if self.weights:
            made.load_state_dict(_state(Path(self.weights)))
        return made.eval()

    def key(self) -> str:
        """A text over all that the features depend on besides the images."""
        weights = hashlib.sha256(Path(self.weights).read_bytes()).hexdigest() if self.weights else ""
        return json.dumps([self.name, weights, self.side])


def _state(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"expected a file of weights, {path} is none")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


@dataclass(frozen=True)
class Folder:
    """What a folder of images holds: features (n, d), names of classes (n,), parts (n,) or None."""

    features: np.ndarray
    labels: np.ndarray
    part: np.ndarray | None
    left_out: dict[str, int]
    notes: tuple[str, ...]
    backbone: Backbone


class Unreadable(Exception):
    """An image that is left out; the message says why."""


def read_image(path: Path, side: int) -> np.ndarray:
    """An image file as (3, side, side) uint8: upright, in colour, what is transparent on white, the first of several frames.

    Raises:
        Unreadable: for a file that is no image, is cut, or has more pixels than Pillow takes for safe.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image)
                return np.asarray(_colour(upright).resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Unreadable(f"more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except Exception:  # Pillow raises all kinds for damaged files
        raise Unreadable("broken, or no image") from None


def _colour(image: Any) -> Any:
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 or 32 bits of grey: to the range of 8
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        return Image.fromarray((values.clip(0, top) * (255 / top)).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def images_below(folder: Path) -> list[Path]:
    """The image files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in ENDINGS)


def read_folder(folder: Path, backbone: Backbone, cache: Path) -> Folder:
    """The images of a folder with one sub-folder per class, or with ``train``, ``val``, ``test`` of such.

    Raises:
        ValueError: for a folder without classes, or where no image can be read.
    """
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    parted = bool(inside) and {path.name for path in inside} <= set(PARTS) and any(path.name == "train" for path in inside)
    files: list[Path] = []
    labels: list[str] = []
    parts: list[str] = []
    others = 0
    for part in inside if parted else [folder]:
        for of_class in sorted(path for path in part.iterdir() if path.is_dir()):
            found = images_below(of_class)
            others += sum(path.is_file() for path in of_class.rglob("*")) - len(found)
            files += found
            labels += [of_class.name] * len(found)
            parts += [part.name if parted else ""] * len(found)
    if not files:
        raise ValueError(f"expected a folder with one sub-folder of images per class, {folder} has no image in a sub-folder")
    images, left_out, kept = [], Counter[str](), []
    for number, path in enumerate(track(files, f"images of {folder.name}")):
        try:
            images.append(read_image(path, backbone.side))
            kept.append(number)
        except Unreadable as error:
            left_out[str(error)] += 1
    if not kept:
        raise ValueError(f"none of the {len(files)} images below {folder} can be read")
    if others:
        left_out["files that are no images"] += others
    features = features_of_arrays(np.stack(images), backbone, cache)
    chosen = np.array(kept)
    return Folder(features, np.array(labels)[chosen], np.array(parts)[chosen] if parted else None, dict(left_out), (), backbone)


def features_of_arrays(images: np.ndarray, backbone: Backbone, cache: Path) -> np.ndarray:
    """(n, C, H, W) uint8 to (n, d) float32, some hundred images per file of the cache: stopped and started again, it computes
    what is missing."""
    starts = range(0, len(images), _PIECE)
    key, module, found = backbone.key(), [], []
    for start in track(list(starts), "features, pieces"):
        piece = np.ascontiguousarray(images[start : start + _PIECE])
        name = hashlib.sha256(f"{key} {piece.shape}".encode() + piece.tobytes()).hexdigest()[:16]
        path = cache / "features" / f"{name}.npy"
        if not path.is_file():
            if not module:
                module.append(backbone.build())
            _save(path, _extract(module[0], piece, backbone))
        found.append(np.load(path))
    return np.concatenate(found)


@torch.inference_mode()
def _extract(module: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray, backbone: Backbone) -> np.ndarray:
    found = []
    for chunk in torch.from_numpy(images).split(_PASS):
        chunk = to_float(chunk if chunk.shape[1] == 3 else chunk[:, :1].expand(-1, 3, -1, -1))
        if chunk.shape[-2:] != (backbone.side, backbone.side):
            chunk = torch.nn.functional.interpolate(chunk, (backbone.side, backbone.side), mode="bilinear", antialias=True)
        features = module(chunk)
        if features.ndim != 2:
            raise ValueError(f"expected a backbone that returns features (B, d), {backbone.name!r} gives {tuple(features.shape)}")
        found.append(features.float())
    return torch.cat(found).numpy()


def _save(path: Path, features: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, features)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
