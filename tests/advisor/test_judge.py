"""The verdict's intervals hold as often as they say, in worlds whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from lossbook.advisor.judge import compare, held_out_gain, judge, training_variance


def _world(random, methods=6, samples=400, folds=5, gains=None, luck=0.0, shared=False, group_size=1):
    """Right or wrong answers of methods that are right at 70 % plus their gain; the luck of a training shifts a fold."""
    tested = samples if shared else samples // folds
    values, groups = [], []
    hard = random.normal(size=samples // group_size).repeat(group_size)
    for k in range(folds):
        index = np.arange(samples) if shared else np.arange(k * tested, (k + 1) * tested)
        shift = (np.zeros(methods) if gains is None else gains) + luck * random.normal(size=methods)
        noise = random.normal(size=(methods, len(index))) * 0.5
        limit = stats.norm.ppf(np.clip(0.7 + shift, 0.01, 0.99)) * math.sqrt(1.25)
        values.append((hard[index] + noise < limit[:, None]).astype(float))
        groups.append(index // group_size)
    numbers = np.repeat(np.arange(folds), tested)
    return [f"m{j}" for j in range(methods)], np.concatenate(values, 1), np.concatenate(groups), numbers


@pytest.mark.parametrize("world", [{}, {"luck": 0.02}, {"shared": True}, {"shared": True, "luck": 0.02}, {"group_size": 4}])
def test_no_difference_is_called_one_in_at_most_one_of_twenty(world):
    random = np.random.default_rng(1)
    wrong = sum(judge(*_world(random, **world)).different for _ in range(200))
    assert wrong <= stats.binom.ppf(0.995, 200, 0.05)


def test_a_true_difference_is_found_and_lies_in_its_interval():
    random, gains = np.random.default_rng(2), np.array([0, 0, 0.1, 0, 0, -0.1])
    found, covered = 0, 0
    for _ in range(60):
        verdict = judge(*_world(random, samples=2000, gains=gains))
        by_name = {one.method: one for one in verdict.differences}
        found += verdict.winner == "m2" and by_name["m5"].worse
        covered += all(by_name[f"m{j}"].low <= gains[j] <= by_name[f"m{j}"].high for j in range(1, 6))
    assert found == 60
    assert covered >= stats.binom.ppf(0.005, 60, 0.95)


def test_the_interval_is_the_textbooks_one():
    """Paired samples, one fold, no groups: Student's interval of the mean."""
    random = np.random.default_rng(3)
    differences = random.normal(0.3, 1.0, size=(1, 50))
    one = compare(["m"], differences, np.arange(50), np.zeros(50), family=1, tau2=0.0)[0]
    expected = stats.ttest_1samp(differences[0], 0).confidence_interval(0.95)
    assert (one.low, one.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    wider = compare(["m"], differences, np.arange(50), np.zeros(50), family=10, tau2=0.0)[0]
    assert wider.high - wider.low > one.high - one.low


def test_methods_that_agree_on_all_samples_may_differ_on_the_next():
    """Close to the rule of three: a share of 3 / n is not excluded by n samples without a case."""
    differences = np.zeros((2, 300))
    differences[1, :4] = 1.0
    agreeing = compare(["a", "b"], differences, np.arange(300), np.zeros(300), family=1, tau2=0.0)[0]
    assert agreeing.mean == 0
    assert 1.5 / 300 < agreeing.high == -agreeing.low < 3 / 300


def test_groups_of_equal_samples_count_once():
    values = np.random.default_rng(4).normal(size=20)
    single = compare(["m"], values[None], np.arange(20), np.zeros(20), 1, 0.0)[0]
    doubled = compare(["m"], values.repeat(2)[None], np.arange(20).repeat(2), np.zeros(40), 1, 0.0)[0]
    assert doubled[1:4] == pytest.approx(single[1:4], rel=1e-12)


def test_as_many_samples_as_needed_find_the_difference_four_times_in_five():
    random, gain = np.random.default_rng(5), 0.05
    many = np.stack([random.choice([-1.0, 0.0, 1.0], 2_000_000, p=[0.1, 0.9 - 0.1 - gain, 0.1 + gain])])
    many += gain - many.mean()
    needed = round(compare(["m"], many, np.arange(many.size), np.zeros(many.size), 3, 0.0)[0].needed)
    hits = 0
    for _ in range(400):
        drawn = random.choice([-1.0, 0.0, 1.0], (1, needed), p=[0.1, 0.9 - 0.1 - gain, 0.1 + gain])
        hits += compare(["m"], drawn, np.arange(needed), np.zeros(needed), 3, 0.0)[0].better
    assert hits / 400 == pytest.approx(0.8, abs=0.07)


def test_the_luck_of_trainings_is_measured():
    random = np.random.default_rng(6)
    found = [training_variance(v[1:] - v[0], g, f) for _, v, g, f in (_world(random, samples=4000, luck=0.05) for _ in range(60))]
    assert np.mean(found) == pytest.approx(2 * 0.05**2, rel=0.25)  # the method's luck and the control's


@pytest.mark.parametrize("shared", [False, True])
def test_the_winner_of_equal_methods_gains_nothing(shared):
    """The best of many equal methods looks better on what it was chosen on, and is not."""
    random, gains, looks = np.random.default_rng(7), [], []
    for _ in range(200):
        _, values, groups, folds = _world(random, methods=15, samples=200, shared=shared)
        gains.append(held_out_gain(values, groups, folds, 0.0).mean)
        looks.append((values.mean(1) - values[0].mean()).max())
    assert abs(np.mean(gains)) < 3 * np.std(gains) / math.sqrt(200)
    assert np.mean(looks) > 10 * np.std(looks) / math.sqrt(200)


def test_a_training_that_failed_is_named_and_the_control_must_not_fail():
    names, values, groups, folds = _world(np.random.default_rng(8), methods=3)
    values[2, 0] = np.nan
    verdict = judge(names, values, groups, folds)
    assert verdict.failed == ("m2",)
    assert [one.method for one in verdict.differences] == ["m1"]
    values[0, 0] = np.nan
    with pytest.raises(ValueError, match="the training of m0 diverged"):
        judge(names, values, groups, folds)
