"""Out-of-distribution detection against the very data sets of the paper (`onecold`, Tables 4, 7 and 8)."""

from __future__ import annotations

from lossbook.evaluations import Evaluation, Outputs
from lossbook.evaluations.ood import measure

PRINTED = {
    "cifar100": ("cifar10", "tinyimagenet", "svhn"),
    "imagenet200": ("ssb-hard", "ninco", "inaturalist"),
}


def evaluate(outputs: Outputs) -> Evaluation:
    """The numbers of the suite ``ood``, against the unknown sets that the paper prints."""
    if outputs.spec.dataset not in PRINTED:
        raise ValueError(f"the paper prints no unknown sets for {outputs.spec.dataset!r}; expected {' or '.join(PRINTED)}")
    return Evaluation(measure(outputs, PRINTED[outputs.spec.dataset]))
