"""Intervals against scipy and by coverage; classification scores against scikit-learn and by hand."""

import jax
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import classification, intervals


def test_t_interval_agrees_with_scipy():
    from scipy import stats

    values = np.array([3.1, 2.7, 3.6, 3.3, 2.9])
    ours = intervals.t_interval(values, 0.9)
    low, high = stats.t.interval(0.9, 4, loc=values.mean(), scale=stats.sem(values))
    assert ours[:3] == pytest.approx((values.mean(), low, high))
    paired = intervals.paired_t_interval(values, values[::-1] + 1)
    theirs = stats.ttest_rel(values, values[::-1] + 1).confidence_interval()
    assert (paired.low, paired.high) == pytest.approx((theirs.low, theirs.high))


def test_t_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(5, 2, (800, 4))
    hits = [(found := intervals.t_interval(row, 0.8)).low <= 5 <= found.high for row in draws]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.045)


def test_pairing_narrows_the_bootstrap():
    rng = np.random.default_rng(1)
    first = rng.normal(0, 5, 200)
    second = first - 1 + 0.1 * rng.standard_normal(200)
    paired = intervals.bootstrap_difference(first, second, resamples=999)
    assert paired.value == pytest.approx((first - second).mean())
    assert paired.low < 1 < paired.high
    assert paired.high - paired.low < 0.06


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


def test_repeated_sampling_uses_a_fresh_key_each_time():
    found = intervals.repeated(lambda key: float(jax.random.normal(key)), jax.random.key(0), 50)
    assert found.number == 50
    assert 0.3 < found.high - found.low < 1


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for correct, count in ((0, 10), (97, 100), (10, 10), (512, 1000)):
        theirs = binomtest(correct, count).proportion_ci(method="wilson")
        ours = intervals.wilson_interval(correct, count)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_intervals_refuse_what_has_none():
    for bad in ([1.0], [1.0, np.nan], [[1.0, 2.0]]):
        with pytest.raises(UserError):
            intervals.t_interval(bad)
    with pytest.raises(UserError, match="paired"):
        intervals.paired_t_interval([1.0, 2.0], [1.0, 2.0, 3.0])


def test_accuracy_takes_labels_or_logits():
    labels = np.array([0, 1, 2, 1])
    assert classification.accuracy([0, 1, 1, 1], labels).value == 0.75
    assert classification.accuracy(np.eye(3)[labels], labels).value == 1
    with pytest.raises(UserError, match="3 predictions for 4"):
        classification.accuracy([0, 1, 1], labels)


def test_ranking_by_hand():
    scores, anomalous = [0.1, 0.4, 0.35, 0.8], [False, False, True, True]
    found = classification.ranking(scores, anomalous)
    assert found.auroc == 0.75  # 3 of 4 pairs are in order
    assert found.auprc == pytest.approx((1 + 2 / 3) / 2)
    with pytest.raises(UserError, match="both"):
        classification.ranking(scores, [True] * 4)


def test_clustering_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    renamed = classification.clustering((labels + 1) % 3 * 7, labels)
    assert renamed == pytest.approx((1, 1, 1))
    split = classification.clustering([0, 0, 3, 1, 1, 1, 1, 2], labels)  # four clusters, one left unmatched
    assert split.accuracy == 6 / 8


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
