"""Every goal is the mean of one value per sample, and equal to the metric that it names."""

import numpy as np
import pytest
import torch

from lossbook.advisor.goals import GOALS, measure, rare_classes
from lossbook.metrics import auroc, expected_calibration_error
from lossbook.objectives.create import create_objective

LABELS = torch.tensor([0] * 40 + [1] * 20 + [2] * 8 + [3] * 4)
LOGITS = 2 * torch.nn.functional.one_hot(LABELS, 4).float() + 1.5 * torch.randn(72, 4, generator=torch.Generator().manual_seed(0))
COUNTS = torch.tensor([400, 200, 80, 40])
CE, BCE = create_objective("soft-d", 3, 4), create_objective("bce-d", 3, 4)


def _mean(name, objective=CE, logits=LOGITS, labels=LABELS, counts=COUNTS):
    return measure(objective, logits, labels, counts, (name,))[0].mean().item()


def test_accuracies_are_means_over_samples_and_over_classes():
    right = (LOGITS.argmax(1) == LABELS).double()
    by_class = [right[k == LABELS].mean().item() for k in range(4)]
    assert _mean("accuracy") == pytest.approx(right.mean().item(), abs=1e-12)
    assert _mean("balanced") == pytest.approx(np.mean(by_class), abs=1e-12)
    assert _mean("rarest") == pytest.approx(by_class[3], abs=1e-12)
    assert 0 < by_class[3] < 1


def test_the_rarest_classes_are_a_quarter_and_at_least_one():
    assert rare_classes(torch.tensor([5, 1, 9])).tolist() == [False, True, False]
    assert rare_classes(torch.arange(8)).sum() == 2
    assert GOALS["rarest"].wanted(torch.tensor([30, 10])) and not GOALS["rarest"].wanted(torch.tensor([29, 10]))


@pytest.mark.parametrize("objective", [CE, BCE])
def test_calibration_is_minus_the_expected_calibration_error(objective):
    sure = LOGITS.double().softmax(1).amax(1) if objective is CE else LOGITS.double().amax(1).sigmoid()
    expected = expected_calibration_error(sure, LOGITS.argmax(1) == LABELS)
    assert -_mean("calibration", objective) == pytest.approx(expected, abs=1e-12)
    assert GOALS["calibration"].shown(-expected) == expected > 0.01


def test_a_threshold_comes_from_the_other_half():
    apart = torch.full((20, 2), -3.0).scatter(1, (torch.arange(20) % 2)[:, None], 3.0)
    assert _mean("threshold", logits=apart, labels=torch.arange(20) % 2, counts=torch.tensor([5, 5])) == 1.0
    shifted = apart + 10 * torch.arange(20)[:, None]  # right, but no threshold is for two of them
    assert _mean("threshold", logits=shifted, labels=torch.arange(20) % 2, counts=torch.tensor([5, 5])) < 0.1


def test_unknown_classes_are_an_auroc_with_delongs_variance():
    labels = torch.where(LABELS == 2, -1, LABELS)
    logits = LOGITS[:, :3].round()  # with ties
    values = measure(CE, logits, labels, COUNTS[:3], ("unknown",))[0]
    known, other = logits.amax(1)[labels >= 0], logits.amax(1)[labels < 0]
    assert values.mean().item() == pytest.approx(auroc(known, other), abs=1e-12)
    above = (known[:, None] > other).double() + 0.5 * (known[:, None] == other).double()
    delong = above.mean(1).var(correction=0) / len(known) + above.mean(0).var(correction=0) / len(other)
    assert (values.var(correction=0) / len(values)).item() == pytest.approx(delong.item(), rel=1e-12)
    with pytest.raises(ValueError, match="of known and of unknown classes"):
        measure(CE, LOGITS, LABELS, COUNTS, ("unknown",))
