"""All data sets that runs can train on, written out."""

from __future__ import annotations

from lossbook.data import (
    cars,
    cifar10,
    cifar100,
    cub,
    digits,
    fashion_mnist,
    imagenet_lt,
    inaturalist2018,
    mnist5k,
    omniglot,
    patches,
    sop,
)
from lossbook.data.dataset import DataSet

DATASETS: dict[str, DataSet] = {
    "mnist5k": mnist5k.MNIST5K,
    "digits": digits.DIGITS,
    "patches": patches.PATCHES,
    "fashion-mnist": fashion_mnist.FASHION_MNIST,
    "cifar10": cifar10.CIFAR10,
    "cifar100": cifar100.CIFAR100,
    "omniglot": omniglot.OMNIGLOT,
    "imagenet-lt": imagenet_lt.IMAGENET_LT,
    "inaturalist2018": inaturalist2018.INATURALIST2018,
    "cub-retrieval": cub.CUB,
    "cars-retrieval": cars.CARS,
    "sop": sop.SOP,
    "cifar100-efficientnet_lite0": cifar100.FEATURES,
    "fashion-mnist-efficientnet_lite0": fashion_mnist.FEATURES,
    "omniglot-efficientnet_lite0": omniglot.FEATURES,
}
