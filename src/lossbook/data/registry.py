"""All data sets, written out."""

from __future__ import annotations

from lossbook.data import sets

DATASETS = {
    "mnist5k": sets.DATASETS["mnist5k"],
    "digits": sets.DATASETS["digits"],
    "patches": sets.DATASETS["patches"],
    "fashion-mnist": sets.DATASETS["fashion-mnist"],
    "cifar10": sets.DATASETS["cifar10"],
    "cifar100": sets.DATASETS["cifar100"],
    "omniglot": sets.DATASETS["omniglot"],
    "imagenet-lt": sets.DATASETS["imagenet-lt"],
    "inaturalist2018": sets.DATASETS["inaturalist2018"],
    "cub-retrieval": sets.DATASETS["cub-retrieval"],
    "cars-retrieval": sets.DATASETS["cars-retrieval"],
    "sop": sets.DATASETS["sop"],
    "cifar100-efficientnet_lite0": sets.DATASETS["cifar100-efficientnet_lite0"],
    "fashion-mnist-efficientnet_lite0": sets.DATASETS["fashion-mnist-efficientnet_lite0"],
    "omniglot-efficientnet_lite0": sets.DATASETS["omniglot-efficientnet_lite0"],
}
