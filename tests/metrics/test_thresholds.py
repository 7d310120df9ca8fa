"""ROC, FPR at a TPR, AUPR, EER and calibrated thresholds: against definitions tried threshold by threshold, and scikit-learn."""

import itertools
import math

import pytest
import reference_thresholds as ref
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from lossbook.metrics.openset import auroc
from lossbook.metrics.thresholds import aupr, calibrate, equal_error_rate, fpr_at_tpr, roc

many_ties = st.integers(-3, 3).map(float)
any_float = st.floats(width=32, allow_nan=False)
with_infinities = st.sampled_from([-math.inf, -1.0, 0.0, -0.0, 1.0, math.inf])


def scores(values):
    samples = st.lists(values, min_size=1, max_size=12)
    return st.tuples(samples, samples)


any_scores = st.one_of(scores(many_ties), scores(any_float), scores(with_infinities))


def tensors(drawn):
    return tuple(torch.tensor(part, dtype=torch.float64) for part in drawn)


@given(any_scores)
def test_a_roc_has_every_corner_of_all_thresholds_and_no_other_point(drawn):
    found = roc(*tensors(drawn))
    points = list(zip(found.tpr.tolist(), found.fpr.tolist(), strict=True))
    everything = ref.curve(*drawn)
    assert set(points) <= set(everything)
    assert points[0] == (0, 0) and points[-1] == (1, 1)
    area = sum((f - e) * (t + s) / 2 for (s, e), (t, f) in itertools.pairwise(everything))
    assert auroc(*tensors(drawn)) == pytest.approx(area, abs=1e-12)
    for threshold, *point in list(zip(*(column.tolist() for column in found), strict=True))[:-1]:
        assert ref.rates(*drawn, threshold) == tuple(point)


@given(any_scores, st.sampled_from([0.05, 0.5, 0.75, 0.95, 1.0]))
def test_fpr_at_a_tpr_against_trying_every_threshold(drawn, tpr):
    assert fpr_at_tpr(*tensors(drawn), tpr=tpr) == pytest.approx(ref.fpr_at_tpr(*drawn, tpr))


@given(any_scores)
def test_aupr_against_trying_every_threshold(drawn):
    known, unknown = drawn
    expected = ref.average_precision(known, unknown), ref.average_precision([-s for s in unknown], [-s for s in known])
    assert aupr(*tensors(drawn)) == pytest.approx(expected)


@given(any_scores)
def test_equal_error_rate_against_trying_every_threshold(drawn):
    found = equal_error_rate(*tensors(drawn))
    assert found == pytest.approx(ref.equal_error_rate(*drawn), abs=1e-12)
    assert 0 <= found <= 1


@given(scores(st.one_of(many_ties, st.floats(-100, 100))))
def test_scikit_learn_agrees(drawn):
    known, unknown = tensors(drawn)
    labels, values = [1] * len(known) + [0] * len(unknown), torch.cat([known, unknown]).tolist()
    assert auroc(known, unknown) == sklearn_metrics.roc_auc_score(labels, values)  # to the last bit
    assert aupr(known, unknown).aupr_in == pytest.approx(sklearn_metrics.average_precision_score(labels, values))
    opposite = [1 - label for label in labels], [-value for value in values]
    assert aupr(known, unknown).aupr_out == pytest.approx(sklearn_metrics.average_precision_score(*opposite))
    fpr, tpr, _ = sklearn_metrics.roc_curve(labels, values)
    found = roc(known, unknown)
    assert found.tpr.tolist() == pytest.approx(tpr) and found.fpr.tolist() == pytest.approx(fpr)


@given(any_scores, st.sampled_from([0.05, 0.5, 0.75, 0.95, 1.0]), st.sampled_from([torch.float32, torch.float64]))
def test_without_unknown_scores_the_largest_threshold_that_accepts_enough(drawn, tpr, dtype):
    known = torch.tensor(drawn[0], dtype=dtype)
    needed = math.ceil(tpr * len(known) - 1e-9)
    if int((known > -math.inf).sum()) < needed:
        with pytest.raises(ValueError, match="above minus infinity, which no threshold accepts"):
            calibrate(known, tpr=tpr)
        return
    threshold = calibrate(known, tpr=tpr)
    assert int((known > threshold).sum()) >= needed
    higher = torch.nextafter(torch.tensor(threshold, dtype=dtype), torch.tensor(math.inf, dtype=dtype))
    assert int((known > higher).sum()) < needed


@given(any_scores, st.sampled_from([torch.float32, torch.float64]))
def test_with_unknown_scores_the_threshold_of_the_best_balanced_accuracy(drawn, dtype):
    known, unknown = (torch.tensor(part, dtype=dtype) for part in drawn)
    threshold = calibrate(known, unknown)
    true, false = ref.rates(known.tolist(), unknown.tolist(), threshold)
    assert (true + 1 - false) / 2 == pytest.approx(ref.best_balance(known.tolist(), unknown.tolist()))


@given(scores(many_ties))
def test_the_threshold_lies_in_the_middle_between_two_scores(drawn):
    known, unknown = tensors(drawn)
    threshold = calibrate(known, unknown)
    assume(math.isfinite(threshold))
    values = sorted({*known.tolist(), *unknown.tolist()})
    below, above = [v for v in values if v < threshold], [v for v in values if v > threshold]
    assert threshold == (below[-1] + above[0]) / 2 if below and above else threshold == values[-1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_a_calibrated_threshold_is_exact_in_the_scores_dtype(dtype, device):
    known = (torch.arange(1, 21, device=device) / 20).to(dtype)
    threshold = calibrate(known)
    assert int((known > threshold).sum()) == 19
    assert calibrate(known, known[:10] - 1) <= known[0].item()
    neighbours = torch.tensor([1.0], dtype=dtype, device=device)
    lower = torch.nextafter(neighbours, torch.zeros_like(neighbours))
    assert calibrate(neighbours, lower) == lower.item()  # their middle is rounded to one of them


def test_the_ends():
    known, low = torch.tensor([3.0, 2.0]), torch.tensor([1.0, 0.0])
    assert fpr_at_tpr(known, low) == equal_error_rate(known, low) == 0
    assert aupr(known, low) == (1, 1)
    assert fpr_at_tpr(low, known) == equal_error_rate(low, known) == 1
    assert fpr_at_tpr(known, known) == 1 and equal_error_rate(known, known) == 0.5
    assert calibrate(known, low) == 1.5
    assert calibrate(low, known) == -math.inf


def test_0_95_of_20_are_19():
    known = torch.arange(20.0)
    assert fpr_at_tpr(known, torch.tensor([0.5])) == 0
    assert fpr_at_tpr(known, torch.tensor([1.0])) == 1


@pytest.mark.parametrize("measure", [roc, fpr_at_tpr, aupr, equal_error_rate, calibrate, auroc])
def test_what_is_refused(measure):
    good = torch.tensor([0.5, 1.0])
    for bad, error, message in (
        (good[:0], ValueError, r"\(M,\) with M >= 1, got \(0,\)"),
        (good[None], ValueError, r"M >= 1, got \(1, 2\)"),
        (good / 0 * 0, ValueError, "without NaN"),
        ([0.5, 1.0], TypeError, "as a tensor, got list"),
        (good.to("meta"), ValueError, "on one device, got .* on meta"),
    ):
        with pytest.raises(error, match=message):
            measure(good, bad)
        with pytest.raises(error, match=message):
            measure(bad, good)


@pytest.mark.parametrize("tpr", [0.0, -0.1, 1.1, math.nan])
def test_a_true_positive_rate_is_a_share(tpr):
    for call in (lambda: fpr_at_tpr(torch.ones(2), torch.ones(2), tpr), lambda: calibrate(torch.ones(2), tpr=tpr)):
        with pytest.raises(ValueError, match=r"true positive rate within \(0, 1\]"):
            call()


def test_calibration_needs_floating_scores():
    with pytest.raises(TypeError, match=r"floating-point known_scores, got torch\.int64"):
        calibrate(torch.tensor([1, 2]))
