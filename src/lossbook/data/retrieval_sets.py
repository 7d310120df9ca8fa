"""The retrieval benchmarks of `warped` by their published layouts: CUB-200-2011, Cars196, Stanford Online Products.

They have no test images of the training classes: a run trains on the first half of the classes (``RunSpec.classes``) and
retrieves among all images of the others.  So all images are in both splits; what is measured on the "known" classes is
measured on training images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lossbook.data.lists import read_photographs


def read_cub(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``images.txt`` and ``image_class_labels.txt`` beside ``images/``: 200 birds."""
    names, classes = (
        dict(line.split() for line in (folder / f"{name}.txt").read_text().splitlines())
        for name in ("images", "image_class_labels")
    )
    return read_photographs([folder / "images" / name for name in names.values()], [int(classes[k]) - 1 for k in names])


def read_cars(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``cars_annos.mat`` beside ``car_ims/``: 196 cars."""
    from scipy.io import loadmat

    rows = loadmat(folder / "cars_annos.mat", squeeze_me=True)["annotations"]
    return read_photographs([folder / str(row["relative_im_path"]) for row in rows], [int(row["class"]) - 1 for row in rows])


def read_sop(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``Ebay_train.txt`` and ``Ebay_test.txt`` beside the twelve folders: 11,318 and then 11,316 products."""
    lines = [line.split() for part in ("train", "test") for line in (folder / f"Ebay_{part}.txt").read_text().splitlines()[1:]]
    return read_photographs([folder / path for *_, path in lines], [int(product) - 1 for _, product, *_ in lines])
