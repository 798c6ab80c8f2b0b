"""Intervals against scipy, statsmodels (golden numbers) and by coverage; classification scores against scikit-learn."""

import math

import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.metrics import classification, intervals

VALUES = [2.1, 2.5, 1.9, 2.2, 2.8]
OTHERS = [2.0, 2.2, 1.7, 2.3, 2.4]
# statsmodels 0.15.0
GOLDEN_P = 0.10453999977837519
GOLDEN_INTERVAL = (-0.05883883880999777, 0.41883883880999784)
GOLDEN_HOLM = [0.4, 0.9, 0.005, 0.12, 0.044]  # multipletests(..., method="holm")


def test_t_interval_agrees_with_scipy():
    values = np.array([3.1, 2.7, 3.6, 3.3, 2.9])
    ours = intervals.t_interval(values, 0.9)
    low, high = stats.t.interval(0.9, 4, loc=values.mean(), scale=stats.sem(values))
    assert ours[:3] == pytest.approx((values.mean(), low, high))
    # By hand: mean 2.3, standard deviation sqrt(0.5 / 4), t(0.975, 4) = 2.776445 from any table.
    half = 2.776445 * math.sqrt(0.5 / 4) / math.sqrt(5)
    np.testing.assert_allclose(intervals.t_interval(VALUES).ends, (2.3 - half, 2.3 + half), rtol=1e-6)


def test_t_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(5, 2, (800, 4))
    hits = [(found := intervals.t_interval(row, 0.8)).low <= 5 <= found.high for row in draws]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_bootstrap_of_a_mean_is_close_to_the_normal_interval(method):
    values = np.random.default_rng(2).normal(1, 1, 500)
    ours = intervals.bootstrap_interval(values, method=method, resamples=2000)
    half = 1.96 * values.std(ddof=1) / np.sqrt(500)
    assert ours.low == pytest.approx(values.mean() - half, abs=0.012)
    assert ours.high == pytest.approx(values.mean() + half, abs=0.012)
    assert intervals.bootstrap_interval(values, method=method, resamples=99) == intervals.bootstrap_interval(
        values, method=method, resamples=99
    )
    assert intervals.bootstrap_interval(np.ones(5), method=method)[:3] == (1, 1, 1)


def test_the_bootstrap_of_two_values_by_hand():
    # The mean of a resample is a, (a + b) / 2 or b with probability 1/4, 1/2, 1/4.
    assert intervals.bootstrap_interval([0.0, 1.0], method="percentile").ends == (0.0, 1.0)


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for correct, count in ((0, 10), (97, 100), (10, 10), (512, 1000)):
        theirs = binomtest(correct, count).proportion_ci(method="wilson")
        ours = intervals.wilson_interval(correct, count)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_intervals_refuse_what_has_none():
    for bad in ([1.0, np.nan], [[1.0, 2.0]]):
        with pytest.raises(UserError):
            intervals.t_interval(bad)


def test_paired_difference_is_scipys_paired_t_test():
    found = intervals.paired(dict(enumerate(VALUES)), dict(enumerate(OTHERS)))
    wanted = stats.ttest_rel(VALUES, OTHERS)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-12)
    np.testing.assert_allclose(found.interval.ends, wanted.confidence_interval(0.95), rtol=1e-12)
    assert found.mean == pytest.approx(np.mean(VALUES) - np.mean(OTHERS))
    # statsmodels 0.15: DescrStatsW(VALUES - OTHERS).ttest_mean() and .tconfint_mean()
    assert found.p == pytest.approx(GOLDEN_P, rel=1e-9)
    np.testing.assert_allclose(found.interval.ends, GOLDEN_INTERVAL, rtol=1e-9)


def test_pairs_are_matched_by_seed_and_not_by_order():
    forward = intervals.paired({0: 1.0, 1: 5.0, 2: 9.0, 7: 4.0}, {2: 8.5, 1: 4.4, 0: 0.2})
    assert forward.pairs == 3
    assert forward.mean == pytest.approx((0.8 + 0.6 + 0.5) / 3)


def test_pairing_narrows_the_interval_where_seeds_matter_more_than_arms():
    rng = np.random.default_rng(2)
    seed_effect = rng.normal(0.0, 5.0, 8)  # what both arms inherit from a seed
    base = seed_effect + rng.normal(0.0, 0.1, 8)
    arm = seed_effect + 0.5 + rng.normal(0.0, 0.1, 8)
    found = intervals.paired(dict(enumerate(arm)), dict(enumerate(base)))
    loose = stats.ttest_ind(arm, base, equal_var=False).confidence_interval(0.95)
    assert found.interval.high - found.interval.low < 0.1 * (loose.high - loose.low)
    assert found.interval.low < 0.5 < found.interval.high
    assert found.interval.low > 0.0 > loose.low  # only the paired comparison sees the difference


def test_holm_by_hand_and_as_statsmodels():
    # Holm (1979): sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, made increasing.
    assert intervals.holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert intervals.holm([0.2, 0.9, 0.001, 0.04, 0.011]) == pytest.approx(GOLDEN_HOLM)
    assert intervals.holm([]) == []


def test_holm_leaves_out_what_could_not_be_tested():
    found = intervals.holm([0.01, math.nan, 0.02])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.02)


def test_too_few_values_give_no_interval():
    assert math.isnan(intervals.t_interval([1.0]).low)
    assert math.isnan(intervals.bootstrap_interval([1.0]).high)
    one = intervals.paired({0: 1.0}, {0: 3.0, 1: 2.0})
    assert (one.mean, one.pairs) == (-2.0, 1)
    assert math.isnan(one.p)
    assert math.isnan(intervals.mean([]))


def test_equal_arms_show_no_difference():
    same = intervals.paired({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert same == intervals.Difference(0.0, intervals.Interval(0.0, 0.0, 0.0, 2), 1.0, 2)


def test_accuracy_takes_labels_or_logits():
    labels = np.array([0, 1, 2, 1])
    assert classification.accuracy([0, 1, 1, 1], labels).value == 0.75
    assert classification.accuracy(np.eye(3)[labels], labels).value == 1
    with pytest.raises(UserError, match="3 predictions for 4"):
        classification.accuracy([0, 1, 1], labels)


def test_ranking_by_hand():
    scores, anomalous = [0.1, 0.4, 0.35, 0.8], [False, False, True, True]
    assert classification.auroc(scores, anomalous).value == 0.75  # 3 of 4 pairs are in order
    assert classification.auprc(scores, anomalous) == pytest.approx((1 + 2 / 3) / 2)
    for ranking in (classification.auroc, classification.auprc):
        with pytest.raises(UserError, match="both"):
            ranking(scores, [True] * 4)


def test_area_under_the_curve_is_scikit_learn_s_with_ties():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    scores, anomalous = rng.integers(0, 12, 300), rng.random(300) < 0.3
    assert classification.auroc(scores, anomalous).value == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
    apart = classification.auroc([1, 2, 3, 4], [False, False, True, True])
    assert apart.value == 1
    assert math.isnan(apart.low)


def test_de_long_s_interval_covers_as_often_as_it_says():
    rng, truth = np.random.default_rng(4), stats.norm.cdf(1 / np.sqrt(2))  # normal scores one apart
    anomalous = np.arange(200) >= 120
    hits = []
    for _ in range(600):
        found = classification.auroc(rng.normal(size=200) + anomalous, anomalous)
        hits.append(found.low <= truth <= found.high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


def test_classification_scores_tell_missing_classes_from_wrong_ones():
    def train(images, labels):
        means = {label: images[labels == label].mean(axis=0) for label in np.unique(labels)}
        names, table = np.array(list(means)), np.stack(list(means.values()))
        return lambda x: names[((x[:, None] - table) ** 2).sum(axis=-1).argmin(axis=1)]

    rng = np.random.default_rng(0)
    centres = 10 * np.eye(4)

    def draw(classes):
        labels = rng.choice(classes, 200)
        return centres[labels] + rng.standard_normal((200, 4)), labels

    real_train, real_test = draw(4), draw(4)
    found = classification.classification_scores(train, real_train, real_test, draw([0, 1]))
    assert found.reference.value == 1
    assert found.train_real.value == 1  # what it makes is right
    assert found.train_generated.value == pytest.approx(0.5, abs=0.12)  # but half of the classes are missing
