"""Statistics against SciPy, statsmodels (golden numbers) and hand-worked cases."""

import math

import numpy as np
import pytest
from scipy import stats

from gen_jax.studies import statistics

VALUES = [2.1, 2.5, 1.9, 2.2, 2.8]
OTHERS = [2.0, 2.2, 1.7, 2.3, 2.4]
# statsmodels 0.15.0
GOLDEN_P = 0.10453999977837519
GOLDEN_INTERVAL = (-0.05883883880999777, 0.41883883880999784)
GOLDEN_HOLM = [0.4, 0.9, 0.005, 0.12, 0.044]  # multipletests(..., method="holm")


def test_t_interval_is_scipys_and_that_of_a_table():
    wanted = stats.t.interval(0.95, 4, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    np.testing.assert_allclose(statistics.t_interval(VALUES), wanted, rtol=1e-12)
    # By hand: mean 2.3, standard deviation sqrt(0.5 / 4), t(0.975, 4) = 2.776445 from any table.
    half = 2.776445 * math.sqrt(0.5 / 4) / math.sqrt(5)
    np.testing.assert_allclose(statistics.t_interval(VALUES), (2.3 - half, 2.3 + half), rtol=1e-6)


def test_t_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 4))
    covered = np.mean([low <= 3.0 <= high for low, high in map(statistics.t_interval, draws)])
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_bootstrap_interval_repeats_and_agrees_with_theory():
    values = np.random.default_rng(1).normal(0.0, 1.0, 400).tolist()
    first = statistics.bootstrap_interval(values)
    assert first == statistics.bootstrap_interval(values)
    np.testing.assert_allclose(first, statistics.t_interval(values), atol=0.01)
    # Two values: the mean of a resample is a, (a + b) / 2 or b with probability 1/4, 1/2, 1/4.
    assert statistics.bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)


def test_paired_difference_is_scipys_paired_t_test():
    found = statistics.paired(dict(enumerate(VALUES)), dict(enumerate(OTHERS)))
    wanted = stats.ttest_rel(VALUES, OTHERS)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-12)
    np.testing.assert_allclose(found.interval, wanted.confidence_interval(0.95), rtol=1e-12)
    assert found.mean == pytest.approx(np.mean(VALUES) - np.mean(OTHERS))
    # statsmodels 0.15: DescrStatsW(VALUES - OTHERS).ttest_mean() and .tconfint_mean()
    assert found.p == pytest.approx(GOLDEN_P, rel=1e-9)
    np.testing.assert_allclose(found.interval, GOLDEN_INTERVAL, rtol=1e-9)


def test_pairs_are_matched_by_seed_and_not_by_order():
    forward = statistics.paired({0: 1.0, 1: 5.0, 2: 9.0, 7: 4.0}, {2: 8.5, 1: 4.4, 0: 0.2})
    assert forward.pairs == 3
    assert forward.mean == pytest.approx((0.8 + 0.6 + 0.5) / 3)


def test_pairing_narrows_the_interval_where_seeds_matter_more_than_arms():
    rng = np.random.default_rng(2)
    seed_effect = rng.normal(0.0, 5.0, 8)  # what both arms inherit from a seed
    base = seed_effect + rng.normal(0.0, 0.1, 8)
    arm = seed_effect + 0.5 + rng.normal(0.0, 0.1, 8)
    found = statistics.paired(dict(enumerate(arm)), dict(enumerate(base)))
    loose = statistics.unpaired_interval(arm.tolist(), base.tolist())
    assert found.interval.high - found.interval.low < 0.1 * (loose.high - loose.low)
    assert found.interval.low < 0.5 < found.interval.high
    assert found.interval.low > 0.0 > loose.low  # only the paired comparison sees the difference


def test_welch_interval_is_scipys():
    wanted = stats.ttest_ind(VALUES, OTHERS, equal_var=False).confidence_interval(0.95)
    assert statistics.unpaired_interval(VALUES, OTHERS) == pytest.approx(tuple(wanted))


def test_holm_by_hand_and_as_statsmodels():
    # Holm (1979): sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, made increasing.
    assert statistics.holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert statistics.holm([0.2, 0.9, 0.001, 0.04, 0.011]) == pytest.approx(GOLDEN_HOLM)
    assert statistics.holm([]) == []


def test_holm_leaves_out_what_could_not_be_tested():
    found = statistics.holm([0.01, math.nan, 0.02])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.02)


def test_too_few_values_give_no_interval():
    assert math.isnan(statistics.t_interval([1.0]).low)
    assert math.isnan(statistics.bootstrap_interval([1.0]).high)
    one = statistics.paired({0: 1.0}, {0: 3.0, 1: 2.0})
    assert (one.mean, one.pairs) == (-2.0, 1)
    assert math.isnan(one.p)
    assert math.isnan(statistics.mean([]))


def test_equal_arms_show_no_difference():
    same = statistics.paired({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert same == statistics.Difference(0.0, statistics.Interval(0.0, 0.0), 1.0, 2)
