"""One threshold for pairs: the best accuracy against trying every threshold."""

import math

import pytest
import reference_uniformity as ref
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.metrics.verification import threshold_accuracy, verification_accuracy


def data(values):
    pairs = st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=30)
    return pairs.map(lambda drawn: (torch.tensor([s for s, _ in drawn]), torch.tensor([p for _, p in drawn])))


def check(scores, positive) -> None:
    accuracy, threshold = verification_accuracy(scores, positive)
    assert accuracy == pytest.approx(ref.verification_accuracy(scores.tolist(), positive.tolist()))
    assert accuracy == threshold_accuracy(scores, positive, threshold)
    assert threshold == -math.inf or threshold in scores.tolist()


@given(data(st.integers(-3, 3).map(float)))
def test_equal_to_trying_every_threshold_with_many_ties(drawn):
    check(*drawn)


@given(data(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_equal_to_trying_every_threshold_for_any_finite_float(drawn):
    check(*drawn)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_dtypes(dtype, device):
    scores = torch.tensor([0.5, 0.25, 0.25, -1.0, 2.0], dtype=dtype, device=device)
    positive = torch.tensor([True, False, True, False, True], device=device)
    assert verification_accuracy(scores, positive) == (0.8, -1.0)
    assert threshold_accuracy(scores, positive, 0.25) == 0.8


def test_only_positive_scores_are_all_accepted():
    assert verification_accuracy(torch.tensor([1.0, 2.0]), torch.tensor([True, True])) == (1.0, -math.inf)


def test_only_negative_scores_are_all_rejected():
    assert verification_accuracy(torch.tensor([1.0, 2.0]), torch.tensor([False, False])) == (1.0, 2.0)


def test_a_score_at_the_threshold_is_rejected():
    scores, positive = torch.tensor([1.0, 2.0]), torch.tensor([False, True])
    assert threshold_accuracy(scores, positive, 1.0) == 1
    assert threshold_accuracy(scores, positive, 2.0) == 0.5


def test_equal_scores_cannot_be_told_apart():
    assert verification_accuracy(torch.zeros(4), torch.tensor([True, False, False, False]))[0] == 0.75


def test_plus_infinity_is_a_score():
    check(torch.tensor([math.inf, 1.0, 2.0]), torch.tensor([True, False, True]))


def test_minus_infinity_is_a_score():
    check(torch.tensor([-math.inf, 1.0]), torch.tensor([True, True]))


@pytest.mark.parametrize(
    ("scores", "positive", "error", "message"),
    [
        (torch.zeros(3), torch.zeros(2).bool(), ValueError, r"same shape \(M,\), got \(3,\) and \(2,\)"),
        (torch.zeros(2, 2), torch.zeros(2, 2).bool(), ValueError, r"same shape \(M,\), got \(2, 2\)"),
        (torch.zeros(0), torch.zeros(0).bool(), ValueError, r"got \(0,\)"),
        (torch.zeros(2), torch.zeros(2), TypeError, "boolean mask of the positive scores, got torch.float32"),
        (torch.tensor([0.0, math.nan]), torch.zeros(2).bool(), ValueError, "without NaN"),
    ],
    ids=["shapes differ", "2-D", "empty", "mask not boolean", "NaN"],
)
def test_what_is_refused(scores, positive, error, message):
    with pytest.raises(error, match=message):
        verification_accuracy(scores, positive)
    with pytest.raises(error, match=message):
        threshold_accuracy(scores, positive, 0.0)
