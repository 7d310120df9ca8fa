"""All unknown sets that are no data set's test part, written out."""

from __future__ import annotations

from lossbook.data import cifar10, faces, gtsrb, sample_photographs, svhn
from lossbook.data.unknown_set import UnknownSet

UNKNOWN_SETS: dict[str, UnknownSet] = {
    "photographs": sample_photographs.PHOTOGRAPHS,
    "faces": faces.FACES,
    "gtsrb": gtsrb.GTSRB,
    "svhn": svhn.SVHN,
    "cifar10-efficientnet_lite0": cifar10.UNKNOWN_FEATURES,
    "gtsrb-efficientnet_lite0": gtsrb.UNKNOWN_FEATURES,
}
