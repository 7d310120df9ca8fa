"""Images that no trained class contains: the unknown sets of out-of-distribution detection.  Never trained on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lossbook.data import features
from lossbook.data.batches import resize
from lossbook.data.hashes import SHA256
from lossbook.data.sets import DATASETS, FEATURES, DataError, Split, content_hash, data_dir, load_test


def photographs(size: int) -> Tensor:
    """Every whole ``size`` x ``size`` patch of scikit-learn's two photographs, (n, 3, size, size) uint8."""
    from sklearn.datasets import load_sample_images

    patches = []
    for photograph in load_sample_images().images:
        image = torch.tensor(photograph).permute(2, 0, 1)
        patches.append(image.unfold(1, size, size).unfold(2, size, size).permute(1, 2, 0, 3, 4).reshape(-1, 3, size, size))
    return torch.cat(patches)


def faces() -> Tensor:
    """The hundred faces of Labeled Faces in the Wild in scikit-image, (100, 1, 25, 25) uint8.

    Raises:
        ImportError: without scikit-image, naming it.
    """
    try:
        from skimage.data import lfw_subset
    except ImportError as error:
        raise ImportError("the unknown set 'faces' needs scikit-image: install what requirements.lock pins") from error
    return torch.from_numpy(np.round(255 * lfw_subset()[:100]).astype(np.uint8))[:, None]


def _gtsrb() -> Tensor:
    """Traffic signs at 32 x 32: 1,500 test images where they lie packed, else all of torchvision's."""
    packed = data_dir() / "gtsrb32" / "gtsrb32.npz"
    if packed.is_file():
        with np.load(packed) as file:
            images = torch.from_numpy(file["images"].transpose(0, 3, 1, 2).copy())
        if content_hash(Split(images, torch.zeros(len(images), dtype=torch.int64))) != SHA256["gtsrb"]["test"]:
            raise ValueError("gtsrb32.npz does not hold the 1,500 images expected")
        return images
    from lossbook._torchvision import datasets

    found = datasets.GTSRB(data_dir(), split="test", download=True)
    signs = (torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())[None] for image, _ in found)
    return torch.cat([resize(Split(sign, sign.new_empty(0)), 32).images for sign in signs])


def _svhn() -> Tensor:
    from lossbook._torchvision import datasets

    return torch.from_numpy(datasets.SVHN(data_dir(), split="test", download=True).data)


def _features(dataset: str) -> Tensor:
    return torch.from_numpy(features.read_features(data_dir(), dataset, "test")[0])


_FEATURES = {features.features_name(name): name for name, counts in features.COUNTS.items() if "train" not in counts}
_FROM_DISK: dict[str, Callable[[], Tensor]] = {"gtsrb": _gtsrb, "svhn": _svhn}
_FROM_DISK |= {name: partial(_features, source) for name, source in _FEATURES.items()}
UNKNOWN_SETS = ("photographs", "faces", *_FROM_DISK)


def unknown_images(name: str, size: int) -> Tensor:
    """The images (n, C, H, W) uint8, or features (n, d), of an unknown set: one of ``UNKNOWN_SETS``, or a data set's test part.

    Args:
        name: of the set.
        size: of the patches that ``"photographs"`` is cut into; the others keep their size.

    Raises:
        ValueError: for an unknown name, listing the known ones.
        DataError: for a missing or damaged set, with its folder and the cure.
    """
    if name == "photographs":
        return photographs(size)
    if name == "faces":
        return faces()
    if name not in _FROM_DISK and name not in DATASETS:
        raise ValueError(f"no images {name!r}; expected one of {', '.join((*UNKNOWN_SETS, *DATASETS))}")
    if name not in _FROM_DISK:
        return load_test(name).images
    try:
        return _FROM_DISK[name]()
    except Exception as error:  # torchvision raises all kinds: no network, a cut archive
        cure = "run again with a network, or set LOSSBOOK_DATA to the folder that holds them"
        if name in _FEATURES:
            cure = f"compute them: lossbook features {_FEATURES[name]}"
        raise DataError(
            f"the images {name!r} in {data_dir()} are missing or damaged ({type(error).__name__}: {error}); {cure}"
        ) from error


def like(images: Tensor, channels: int, size: int) -> Tensor:
    """Images (n, channels, size, size) uint8: grey is repeated, or colours are averaged; features stay as they are."""
    if images.is_floating_point():
        return images
    images = resize(Split(images, images.new_empty(0)), size).images
    if images.shape[1] == channels:
        return images
    return images.expand(-1, channels, -1, -1) if images.shape[1] == 1 else images.float().mean(1, keepdim=True).to(torch.uint8)


def unknown_for(dataset: str, name: str, known: Tensor, size: int) -> Tensor:
    """An unknown set as a run on ``dataset`` takes it: features if that is features, else images like its ``known`` ones.

    Args:
        dataset: that the run trains on.
        name: of the unknown set's images, as for :func:`unknown_images`.
        known: images (n, C, H, W), or features (n, d), of ``dataset``.
        size: in pixels, of the images returned.
    """
    source = features.features_name(name) if dataset in FEATURES else name
    return like(unknown_images(source, known.shape[-1]), known.shape[1], size)
