"""The suite of verification: a run, and pairs of a user's own."""

import pytest
import torch

from lossbook.data.pairs import ImagePairs
from lossbook.runs.spec import RunSpec
from lossbook.runs.suites.verification import verify
from lossbook.runs.train import train


def test_a_run_is_measured():
    spec = RunSpec(
        objective="proxy-nca++",
        dataset="digits",
        classes=(0, 1, 2, 3, 4),
        model="mlp",
        epochs=3,
        lr=0.03,
        suites=("verification",),
    )
    values = train(spec).metrics
    assert 0.5 < values["pair_accuracy"] <= 1
    assert 0 < values["TAR@0.01"] <= values["TAR@0.1"] <= 1
    with pytest.raises(ValueError, match=r"needs RunSpec\.classes"):
        train(spec.replace(classes=()))


def test_pairs_are_verified_by_what_the_embedding_sees():
    """Dark and bright people in two folds: brightness tells them apart, a constant nothing."""
    dark, bright = (torch.full((3, 8, 8), value, dtype=torch.uint8) for value in (20, 200))
    pairs = ImagePairs(
        left=torch.stack([dark, bright, dark, dark] * 2),
        right=torch.stack([dark, bright, bright, bright] * 2) + 1,
        same=torch.tensor([True, True, False, False] * 2),
        fold=torch.tensor([0] * 4 + [1] * 4),
    )
    brightness = verify(lambda images: images.float().mean((2, 3)), pairs)
    assert brightness == {"pair_accuracy": 1.0, "TAR@0.1": 1.0, "TAR@0.01": 1.0}
    nothing = verify(lambda images: torch.ones(len(images), 2), pairs)
    assert nothing == {"pair_accuracy": 0.5, "TAR@0.1": 0.0, "TAR@0.01": 0.0}
