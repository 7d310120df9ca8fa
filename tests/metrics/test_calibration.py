"""The expected calibration error against a loop over the bins."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics import expected_calibration_error


def longhand(confidences, correct, bins):
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [m for m, c in enumerate(confidences) if (low < c <= high) or (b == 0 and c == 0)]
        if inside:
            accuracy = sum(correct[m] for m in inside) / len(inside)
            confidence = sum(confidences[m] for m in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(accuracy - confidence)
    return total


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), min_size=1, max_size=50), st.integers(1, 20))
def test_longhand(samples, bins):
    confidences = [c / 200 for c, _ in samples]
    correct = [right for _, right in samples]
    found = expected_calibration_error(torch.tensor(confidences, dtype=torch.float64), torch.tensor(correct), bins)
    assert found == pytest.approx(longhand(confidences, correct, bins), abs=1e-12)


def test_calibrated_and_overconfident():
    correct = torch.arange(100) < 70
    assert expected_calibration_error(torch.full((100,), 0.7), correct) == pytest.approx(0, abs=1e-7)
    assert expected_calibration_error(torch.ones(100), correct) == pytest.approx(0.3)
    assert expected_calibration_error(torch.zeros(100), correct) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("confidences", "correct", "bins"),
    [
        (torch.zeros(0), torch.zeros(0, dtype=torch.bool), 15),
        (torch.zeros(2), torch.zeros(3, dtype=torch.bool), 15),
        (torch.zeros(2), torch.zeros(2, dtype=torch.bool), 0),
        (torch.tensor([0.5, 1.5]), torch.zeros(2, dtype=torch.bool), 15),
        (torch.tensor([0.5, float("nan")]), torch.zeros(2, dtype=torch.bool), 15),
    ],
)
def test_bad_input(confidences, correct, bins):
    with pytest.raises(ValueError, match="expected confidences"):
        expected_calibration_error(confidences, correct, bins)


@pytest.mark.parametrize("correct", [torch.tensor([3, 7]), torch.tensor([0.0, 1.0])], ids=["labels", "floats"])
def test_labels_in_the_place_of_a_mask_are_refused(correct):
    with pytest.raises(TypeError, match="expected a boolean mask correct, got torch"):
        expected_calibration_error(torch.tensor([0.5, 0.5]), correct)
