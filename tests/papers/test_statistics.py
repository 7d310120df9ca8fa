"""Ranks, Friedman, Nemenyi and Holm against tabulated values and longhand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from lossbook.papers.statistics import (
    critical_difference,
    friedman,
    held_out_gain,
    holm,
    mean_ranks,
    paired_tests,
    rank_correlation,
)

VALUES = np.random.default_rng(0).normal(size=(6, 4)).round(1)


def test_mean_ranks_longhand():
    for higher in (True, False):
        expected = np.zeros(4)
        for row in VALUES:
            for i in range(4):
                better = sum(1 for j in range(4) if (row[j] > row[i] if higher else row[j] < row[i]))
                equal = sum(1 for j in range(4) if row[j] == row[i])
                expected[i] += better + (equal + 1) / 2
        np.testing.assert_allclose(mean_ranks(VALUES, higher), expected / 6)


def test_mean_ranks_do_not_see_the_scale_of_a_block():
    scaled = VALUES * np.arange(1, 7)[:, None] + 5
    np.testing.assert_array_equal(mean_ranks(scaled), mean_ranks(VALUES))


def test_a_run_that_failed_is_last_in_friedmans_test():
    values = np.random.default_rng(0).random((8, 4))
    lacking = values.copy()
    values[2, 1] = -9.0
    lacking[2, 1] = np.nan
    assert friedman(lacking) == friedman(values)
    values[2, 1] = 9.0
    assert friedman(lacking, higher_is_better=False) == friedman(values, higher_is_better=False)


def test_friedman_longhand():
    """Without ties: 12 n / (k (k + 1)) * sum of (mean rank - (k + 1) / 2) squared."""
    values = np.random.default_rng(1).normal(size=(8, 5))
    blocks, methods = values.shape
    expected = 12 * blocks / (methods * (methods + 1)) * ((mean_ranks(values) - (methods + 1) / 2) ** 2).sum()
    found = friedman(values)
    assert found.statistic == pytest.approx(expected)
    assert found.p == pytest.approx(stats.chi2.sf(expected, methods - 1))


# q of Demsar (2006), Table 5a.
@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_difference_is_demsars(methods, q):
    expected = q * np.sqrt(methods * (methods + 1) / (6 * 14))
    assert critical_difference(methods, blocks=14) == pytest.approx(expected, rel=5e-4)


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.9]), [0.09, 0.04, 0.09, 0.9])
    assert holm([0.7, 0.8]).max() <= 1


def test_paired_tests_count_signs():
    """Exact signed-rank p of all-positive differences: 2 / 2^n; one method equals the control."""
    control = np.zeros(10)
    values = np.stack([np.arange(1.0, 11), np.zeros(10)], 1)
    np.testing.assert_allclose(paired_tests(values, control), [2 * 2 / 2**10, 1.0])


def test_paired_tests_longhand():
    rng = np.random.default_rng(2)
    difference = rng.normal(0.3, 1, size=8)
    ranks = stats.rankdata(np.abs(difference))
    observed = abs(ranks @ np.sign(difference))
    signs = np.array(list(itertools.product([-1, 1], repeat=8)))
    expected = (np.abs(signs @ ranks) >= observed).mean()
    assert paired_tests(difference[:, None], np.zeros(8))[0] == pytest.approx(expected)


@pytest.mark.parametrize("higher", [True, False])
def test_held_out_gain_longhand(higher):
    control = np.arange(6.0)
    gains = []
    for block in range(6):
        means = np.delete(VALUES, block, axis=0).mean(0)
        gains.append(VALUES[block, means.argmax() if higher else means.argmin()] - control[block])
    assert held_out_gain(VALUES, control, higher).mean == pytest.approx(np.mean(gains))


def test_held_out_gain_of_noise_is_none():
    """The best of many equal methods looks better than it is; its gain in the block left out does not."""
    rng = np.random.default_rng(3)
    held_out, seen = [], []
    for _ in range(200):
        values = rng.normal(size=(10, 20))
        held_out.append(held_out_gain(values, np.zeros(10)).mean)
        seen.append(values.mean(0).max())
    assert abs(np.mean(held_out)) < 0.1
    assert np.mean(seen) > 0.4


def test_a_failed_run_ranks_last():
    values = np.array([[0.9, np.nan, 0.7], [0.9, 0.8, np.nan], [np.nan, 0.8, np.nan]])
    np.testing.assert_allclose(mean_ranks(values), [(1 + 1 + 2.5) / 3, (3 + 2 + 1) / 3, (2 + 3 + 2.5) / 3])
    assert mean_ranks(values, higher_is_better=False)[0] == pytest.approx((2 + 2 + 2.5) / 3)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2)), np.full((3, 3), np.inf)])
def test_bad_blocks_are_refused(values):
    with pytest.raises(ValueError, match="blocks >= 2, methods >= 3"):
        mean_ranks(values)
    with pytest.raises(ValueError, match="expected methods >= 2"):
        critical_difference(1, 5)


def test_rank_correlation_covers_the_truth():
    """Of pairs of normal values with a known Spearman correlation the interval holds it 19 times out of 20."""
    rng = np.random.default_rng(4)
    r = 0.6
    truth = 6 / np.pi * np.arcsin(r / 2)
    values = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], size=(2000, 23))
    found = [rank_correlation(*pair.T) for pair in values]
    assert np.mean([i.low <= truth <= i.high for i in found]) == pytest.approx(0.95, abs=0.02)
    assert found[0].mean == pytest.approx(np.corrcoef(stats.rankdata(values[0], axis=0).T)[0, 1])


def test_rank_correlation_of_equal_and_opposite_rankings():
    values = np.arange(5.0)
    assert rank_correlation(values, values**3) == pytest.approx((1, 1, 1, 5))
    assert rank_correlation(values, -values) == pytest.approx((-1, -1, -1, 5))
    with pytest.raises(ValueError, match="at least 4 methods"):
        rank_correlation(values[:3], values[:3])
