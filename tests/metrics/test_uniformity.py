"""A_SW, A_CW, A_Uni against brute force, the metric matrix of S.I, and the class ranges."""

import itertools
import math

import numpy as np
import pytest
import reference_uniformity as ref
import torch
from arrays import rows
from hypothesis import assume, given
from hypothesis import strategies as st

from lossbook.metrics import uniformity
from lossbook.metrics.uniformity import (
    class_ranges,
    classwise_uniform_accuracy,
    classwise_uniform_accuracy_from_split,
    draw_metric_matrix,
    metric_matrix_dominance,
    overlap,
    samplewise_accuracy,
    samplewise_accuracy_from_split,
    split_similarities,
    top1,
    uniform_accuracy,
    uniform_accuracy_from_split,
)

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

many_ties = st.integers(-4, 4).map(float)
any_float = st.floats(width=32, allow_nan=False, allow_infinity=True)


@st.composite
def data(draw, values=many_ties, max_samples: int = 10):
    """Metrics (M, N) and labels."""
    m, n = draw(st.integers(1, max_samples)), draw(st.integers(2, 5))
    metrics = draw(st.lists(st.lists(values, min_size=n, max_size=n), min_size=m, max_size=m))
    labels = draw(st.lists(st.integers(0, n - 1), min_size=m, max_size=m))
    return torch.tensor(metrics), torch.tensor(labels)


def three_accuracies(metrics, labels) -> tuple[float, float, float]:
    return uniform_accuracy(metrics, labels)[0], classwise_uniform_accuracy(metrics, labels), samplewise_accuracy(metrics, labels)


def check_against_brute_force(metrics, labels) -> None:
    longhand = rows(metrics), labels.tolist()
    expected = ref.uniform_accuracy(*longhand), ref.classwise_uniform_accuracy(*longhand), ref.samplewise_accuracy(*longhand)
    assert three_accuracies(metrics, labels) == pytest.approx(expected)
    accuracy, threshold = uniform_accuracy(metrics, labels)
    if accuracy == 0:
        assert math.isnan(threshold)
    else:
        assert ref.classified_at(*longhand, threshold) == round(accuracy * len(labels))


# The three accuracies --------------------------------------------------------------------------------------------


@given(data())
def test_equal_to_brute_force_with_many_ties(drawn):
    check_against_brute_force(*drawn)


@given(data(values=any_float))
def test_equal_to_brute_force_for_any_float(drawn):
    """Signed zeros, subnormal numbers, infinities and the largest float included."""
    check_against_brute_force(*drawn)


@given(data(values=st.sampled_from([-0.0, 0.0, 1.0, math.inf, -math.inf])))
def test_equal_to_brute_force_at_zero_and_infinity(drawn):
    check_against_brute_force(*drawn)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype, device):
    """Every dtype holds these integers exactly, so every dtype gives the same numbers."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (60,), generator=generator)
    metrics = torch.randint(-20, 20, (60, 6), generator=generator).to(dtype)
    metrics[torch.arange(60), labels] += 12
    longhand = rows(metrics), labels.tolist()
    metrics, labels = metrics.to(device), labels.to(device)
    accuracy, threshold = uniform_accuracy(metrics, labels)
    assert accuracy == ref.uniform_accuracy(*longhand)
    assert ref.classified_at(*longhand, threshold) == accuracy * 60
    assert classwise_uniform_accuracy(metrics, labels) == ref.classwise_uniform_accuracy(*longhand)
    assert samplewise_accuracy(metrics, labels) == ref.samplewise_accuracy(*longhand)
    positive, negative = split_similarities(metrics, labels)
    assert positive.dtype == negative.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@given(data(values=any_float))
def test_26_uniform_at_most_classwise_at_most_samplewise(drawn):
    uniform, classwise, samplewise = three_accuracies(*drawn)
    assert 0 <= uniform <= classwise <= samplewise <= 1


@given(data(), st.sampled_from([lambda m: 2 * m, lambda m: m + 7, lambda m: m**3, torch.exp2]))
def test_a_strictly_increasing_map_of_all_metrics_changes_nothing(drawn, increasing):
    metrics, labels = drawn
    assert three_accuracies(increasing(metrics), labels) == three_accuracies(metrics, labels)


@given(data(), st.randoms(use_true_random=False))
def test_the_order_of_the_samples_and_the_names_of_the_classes_do_not_matter(drawn, random):
    metrics, labels = drawn
    order = torch.tensor(random.sample(range(len(labels)), len(labels)))
    names = torch.tensor(random.sample(range(metrics.shape[1]), metrics.shape[1]))  # column k holds old class names[k]
    renamed = metrics[order][:, names], names.argsort()[labels[order]]
    assert three_accuracies(*renamed) == three_accuracies(metrics, labels)


def test_three_small_examples():
    metrics = torch.tensor([[1.0, 0.0], [11.0, 10.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1])
    assert three_accuracies(metrics, labels) == pytest.approx((2 / 3, 2 / 3, 1))
    labels = torch.tensor([0, 1, 1])
    assert three_accuracies(metrics, labels) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    metrics = torch.tensor([[1.0, 0.0], [10.0, 11.0], [10.0, 11.0]])
    assert three_accuracies(metrics, labels) == pytest.approx((2 / 3, 1, 1))


def test_a_tie_of_positive_and_negative_is_a_miss(device):
    metrics, labels = torch.tensor([[0.5, 0.5, 0.0]], device=device), torch.tensor([0], device=device)
    assert three_accuracies(metrics, labels) == (0, 0, 0)


def test_intervals_are_closed_below_and_open_above():
    """[0, 1) and [1, 2) share no threshold; [0, 1) and [0, 2) do."""
    labels = torch.tensor([0, 0])
    assert uniform_accuracy(torch.tensor([[1.0, 0.0], [2.0, 1.0]]), labels)[0] == 0.5
    assert uniform_accuracy(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), labels) == (1.0, 0.5)


def test_the_threshold_is_the_middle_of_the_lowest_best_interval():
    labels = torch.tensor([0, 0, 0])
    assert uniform_accuracy(torch.tensor([[4.0, 0.0], [3.0, 1.0], [9.0, 2.0]]), labels) == (1.0, 2.5)
    assert uniform_accuracy(torch.tensor([[9.0, 8.0], [2.0, 1.0], [6.0, 5.0]]), labels) == (pytest.approx(1 / 3), 1.5)


@pytest.mark.parametrize("steps", [0, 1])
def test_the_threshold_between_neighbouring_floats_is_the_lower_one(steps):
    """Their middle is rounded to the even one of the two, so once down and once up."""
    lower = 1.0 + steps * 2**-23
    assert uniform_accuracy(torch.tensor([[lower + 2**-23, lower]]), torch.tensor([0])) == (1.0, lower)


@pytest.mark.parametrize(
    "row", [[math.inf, 0.0], [0.0, -math.inf], [math.inf, -math.inf], [3.4e38, -3.4e38]], ids=["up", "down", "both", "largest"]
)
def test_infinite_intervals_have_a_threshold(row):
    accuracy, threshold = uniform_accuracy(torch.tensor([row]), torch.tensor([0]))
    assert accuracy == 1
    assert row[0] > threshold >= row[1]


def test_equal_infinities_are_a_tie():
    for infinity in (math.inf, -math.inf):
        assert three_accuracies(torch.tensor([[infinity, infinity]]), torch.tensor([0])) == (0, 0, 0)


def test_all_wrong(device):
    metrics, labels = torch.eye(3, device=device), torch.tensor([1, 2, 0], device=device)
    assert three_accuracies(metrics, labels) == (0, 0, 0)
    assert math.isnan(uniform_accuracy(metrics, labels)[1])


def test_a_single_sample():
    assert three_accuracies(torch.tensor([[2.0, 1.0]]), torch.tensor([0])) == (1, 1, 1)


def test_a_class_without_samples_adds_nothing():
    metrics = torch.tensor([[2.0, 1.0, 0.0], [12.0, 11.0, 0.0]])
    assert classwise_uniform_accuracy(metrics, torch.tensor([0, 0])) == 0.5
    assert classwise_uniform_accuracy(metrics.flip(1), torch.tensor([2, 2])) == 0.5


@pytest.mark.parametrize("measure", [samplewise_accuracy, uniform_accuracy, classwise_uniform_accuracy, class_ranges, overlap])
def test_what_is_refused(measure):
    labels = torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"B >= 1.*got \(0, 3\)"):
        measure(torch.zeros(0, 3), labels[:0])
    with pytest.raises(ValueError, match=r"within 0\.\.2, got values from 0 to 3"):
        measure(torch.zeros(2, 3), torch.tensor([0, 3]))
    for position in [(0, 0), (1, 2)]:  # a positive metric, a negative one
        metrics = torch.zeros(2, 3)
        metrics[position] = torch.nan
        with pytest.raises(ValueError, match="similarities without NaN"):
            measure(metrics, labels)


@pytest.mark.parametrize("elements", [1, 7, 12, 50])
def test_chunks_do_not_change_the_result(elements, monkeypatch, device):
    metrics, labels = torch.randn(23, 5, device=device), torch.arange(23, device=device) % 5
    positive, negative = split_similarities(metrics, labels)
    monkeypatch.setattr(uniformity, "_CHUNK_ELEMENTS", elements)
    assert torch.equal(split_similarities(metrics, labels)[0], positive)
    assert torch.equal(split_similarities(metrics, labels)[1], negative)


# From the two numbers per sample ---------------------------------------------------------------------------------


@given(data(values=any_float))
def test_the_two_numbers_per_sample_give_the_accuracies(drawn):
    metrics, labels = drawn
    positive, negative = split_similarities(metrics, labels)
    assert uniform_accuracy_from_split(positive, negative) == pytest.approx(uniform_accuracy(metrics, labels), nan_ok=True)
    assert samplewise_accuracy_from_split(positive, negative) == samplewise_accuracy(metrics, labels)
    for names in (labels, 3 - labels * 10**12):
        assert classwise_uniform_accuracy_from_split(positive, negative, names) == classwise_uniform_accuracy(metrics, labels)


@given(data(values=st.one_of(many_ties, any_float)))
def test_top1_is_the_largest_and_whether_its_index_is_the_label(drawn):
    metrics, labels = drawn
    largest, right = top1(metrics, labels)
    expected, predicted = metrics.max(1)
    assert torch.equal(largest, expected)
    assert torch.equal(right, predicted == labels)


@pytest.mark.parametrize(
    ("positive", "negative", "error", "message"),
    [
        (
            torch.zeros(3),
            torch.zeros(2),
            ValueError,
            r"\(M,\) each with M >= 1, got torch.float32 \(3,\) and torch.float32 \(2,\)",
        ),
        (torch.zeros(0), torch.zeros(0), ValueError, r"M >= 1"),
        (torch.zeros(2), torch.zeros(2).double(), ValueError, r"of one dtype"),
        (torch.zeros(2).long(), torch.zeros(2).long(), TypeError, r"floating-point similarities, got torch.int64"),
        (torch.zeros(2), torch.full((2,), torch.nan), ValueError, r"without NaN"),
    ],
    ids=["lengths", "empty", "dtypes", "integers", "NaN"],
)
def test_what_the_two_numbers_must_be(positive, negative, error, message):
    for measure in (uniform_accuracy_from_split, samplewise_accuracy_from_split):
        with pytest.raises(error, match=message):
            measure(positive, negative)
    with pytest.raises(error, match=message):
        classwise_uniform_accuracy_from_split(positive, negative, torch.zeros(len(positive)).long())


# The metric matrix, S.I ------------------------------------------------------------------------------------------


def every_matrix(metrics, labels):
    """All matrices that :func:`draw_metric_matrix` can draw."""
    samples = [(labels == i).nonzero().flatten().tolist() for i in range(metrics.shape[1])]
    return [metrics[list(choice)].T for choice in itertools.product(*samples)]


@st.composite
def data_of_all_classes(draw):
    """Each class has one to three samples."""
    n = draw(st.integers(2, 4))
    labels = [i for i in range(n) for _ in range(draw(st.integers(1, 3)))]
    metrics = [draw(st.lists(many_ties, min_size=n, max_size=n)) for _ in labels]
    lift = draw(st.sampled_from([0.0, 5.0, 9.0]))
    for row, y in zip(metrics, labels, strict=True):
        row[y] += lift
    return torch.tensor(metrics), torch.tensor(labels)


@given(data_of_all_classes())
def test_samplewise_classified_means_every_matrix_is_column_dominant(drawn):
    """S.I (a), in both directions."""
    columns = [metric_matrix_dominance(matrix).column_dominant for matrix in every_matrix(*drawn)]
    assert (samplewise_accuracy(*drawn) == 1) == all(columns)


@given(data_of_all_classes())
def test_uniformly_classified_means_every_matrix_is_globally_dominant(drawn):
    """S.I (b); one sample per class shows the converse, several per class do not (next test)."""
    everywhere = all(metric_matrix_dominance(matrix).global_dominant for matrix in every_matrix(*drawn))
    uniform = uniform_accuracy(*drawn)[0] == 1
    if uniform:
        assert everywhere
    if drawn[1].bincount().max() == 1:
        assert uniform == everywhere


def test_the_converse_for_uniform_classification_does_not_hold():
    """Two samples of one class never meet in a matrix: [0, 1) and [3, 5) share no threshold, and no matrix tells."""
    metrics = torch.tensor([[1.0, 0.0], [5.0, 3.0], [-1.0, 4.0]])
    labels = torch.tensor([0, 0, 1])
    assert all(metric_matrix_dominance(matrix).global_dominant for matrix in every_matrix(metrics, labels))
    assert uniform_accuracy(metrics, labels)[0] < 1


@given(data_of_all_classes())
def test_dominance_compares_every_pair(drawn):
    for matrix in every_matrix(*drawn):
        column, everywhere = metric_matrix_dominance(matrix)
        assert column or not everywhere
        rows, n = matrix.tolist(), len(matrix)
        pairs = list(itertools.permutations(range(n), 2))
        assert column == all(rows[i][i] > rows[j][i] for i, j in pairs)
        assert everywhere == all(rows[k][k] > rows[j][i] for k in range(n) for i, j in pairs)


def test_a_drawn_matrix_has_classes_in_rows_and_samples_in_columns(device):
    labels = torch.arange(12, device=device) % 4
    metrics = 100.0 * torch.arange(12, device=device).unsqueeze(1) + torch.arange(4, device=device)
    matrix = draw_metric_matrix(metrics, labels, torch.Generator().manual_seed(0))
    for i in range(4):
        sample = int(matrix[0, i]) // 100
        assert labels[sample] == i
        assert torch.equal(matrix[:, i], metrics[sample])


def test_draws_follow_the_generator_and_reach_every_sample():
    metrics, labels = torch.arange(6.0).unsqueeze(1).repeat(1, 2), torch.tensor([0, 0, 0, 1, 1, 1])
    draws = [draw_metric_matrix(metrics, labels, torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert torch.equal(draws[0], draw_metric_matrix(metrics, labels, torch.Generator().manual_seed(0)))
    assert {tuple(draw[0].tolist()) for draw in draws} == set(itertools.product((0, 1, 2), (3, 4, 5)))


def test_a_matrix_needs_a_sample_of_every_class():
    with pytest.raises(ValueError, match="class 1 has no sample"):
        draw_metric_matrix(torch.zeros(2, 3), torch.tensor([0, 2]))


@pytest.mark.parametrize("shape", [(2, 3), (1, 1), (4,)])
def test_dominance_needs_a_square_matrix(shape):
    with pytest.raises(ValueError, match="square metric matrix with at least 2 classes"):
        metric_matrix_dominance(torch.zeros(shape))


# Ranges and overlap ----------------------------------------------------------------------------------------------


def check_ranges(metrics, labels, kind) -> None:
    expected = np.array(ref.class_ranges(rows(metrics), labels.tolist(), kind)).T
    np.testing.assert_array_equal(np.stack([rows(end) for end in class_ranges(metrics, labels, kind)]), expected)


@given(data())
def test_ranges_with_type_1_negatives(drawn):
    check_ranges(*drawn, "type1")


@given(data())
def test_ranges_with_type_2_negatives(drawn):
    metrics, labels = drawn
    positive, negative = split_similarities(metrics, labels)
    assume(labels[positive > negative].unique().numel() > 1)
    check_ranges(metrics, labels, "type2")


@pytest.mark.parametrize("labels", [[1, 0], [0, 0]], ids=["all wrong", "one class correct"])
def test_ranges_with_type_2_negatives_of_no_sample_are_nan(labels):
    check_ranges(torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor(labels), "type2")


@pytest.mark.parametrize("kind", ["type1", "type2"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_ranges_on_every_device_and_dtype(dtype, kind, device):
    metrics = torch.tensor([[2.0, 1.0, -1.0], [0.0, 5.0, 3.0], [4.0, 0.0, 1.0], [0.0, 1.0, 1.5]], dtype=dtype, device=device)
    check_ranges(metrics, torch.tensor([0, 1, 0, 2], device=device), kind)


def test_ranges_refuse_another_kind():
    with pytest.raises(ValueError, match="'type1' or 'type2', got 'type3'"):
        class_ranges(torch.eye(2), torch.arange(2), "type3")


@given(data())
def test_overlap(drawn):
    metrics, labels = drawn
    positive, negative = split_similarities(metrics, labels)
    assume(labels[positive > negative].unique().numel() > 1)
    result, expected = overlap(metrics, labels), ref.overlap(rows(metrics), labels.tolist())
    assert tuple(result) == pytest.approx(expected)
    assert result.width == pytest.approx(expected[2] - expected[0])


def test_overlap_needs_two_classes():
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        overlap(torch.tensor([[2.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1]))
