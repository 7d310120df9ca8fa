"""What an unknown set is: images that no trained class contains, for out-of-distribution detection.  Never trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lossbook.data.dataset import DataError, place_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class UnknownSet:
    """An unknown set that is no data set's test part.

    Attributes:
        name: as suites ask for it.
        read: a size in pixels to the images (n, C, H, W) uint8, or features (n, d); only a set that is cut out of larger
            images heeds the size.
        cure: what the user does when files are missing or damaged.
        package: that the files come inside; empty for those below ``data_dir()``.
    """

    name: str
    read: Callable[[int], Tensor]
    cure: str
    package: str = ""

    def load(self, size: int) -> Tensor:
        """The images.

        Raises:
            DataError: for a missing or damaged file, with the set, the folder and the cure.
        """
        try:
            return self.read(size)
        except Exception as error:  # torchvision raises all kinds: no network, a cut archive
            raise DataError(
                f"the unknown set {self.name!r} in {place_of(self.package)} is missing or damaged"
                f" ({type(error).__name__}: {error}); {self.cure}"
            ) from error
