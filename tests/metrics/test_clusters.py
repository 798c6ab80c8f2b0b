"""Clusters, maps and probes against scikit-learn and values known by hand."""

import itertools

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.neighbors import KNeighborsClassifier

from gen_jax.core.errors import UserError
from gen_jax.metrics import clusters, maps, probes


def drawn(seed, groups, classes, count=60):
    generator = np.random.default_rng(seed)
    return generator.integers(groups, size=count), generator.integers(classes, size=count)


@pytest.mark.parametrize(("groups", "classes"), [(4, 4), (3, 4), (4, 3), (1, 3), (4, 1)])
def test_accuracy_is_that_of_the_best_matching_of_all(groups, classes):
    """Against every injective matching there is."""
    for seed in range(5):
        found, labels = drawn(seed, groups, classes)
        wide = max(found.max(), labels.max()) + 1
        best = max((np.take(p, found) == labels).mean() for p in itertools.permutations(range(wide)))
        assert clusters.accuracy(found, labels).value == pytest.approx(best)


def test_a_renamed_partition_is_perfect_and_more_clusters_than_classes_are_matched_to_none():
    labels = np.arange(30) % 3
    renamed = np.array([2, 0, 1])[labels]
    assert clusters.accuracy(renamed, labels).value == 1.0
    assert clusters.normalised_mutual_information(renamed, labels) == pytest.approx(1.0)
    assert clusters.adjusted_rand_index(renamed, labels) == pytest.approx(1.0)
    split = np.where(np.arange(30) < 6, 3, renamed)  # two of each class in a cluster of their own
    assert clusters.accuracy(split, labels).value == pytest.approx(24 / 30)
    assert clusters.matching(split, labels)[3] == -1


def test_nmi_and_ari_are_scikit_learns():
    found, labels = drawn(0, 5, 3)
    nmi, ari = oracle.normalized_mutual_info_score(labels, found), oracle.adjusted_rand_score(labels, found)
    assert clusters.normalised_mutual_information(found, labels) == pytest.approx(nmi)
    assert clusters.adjusted_rand_index(found, labels) == pytest.approx(ari)


@pytest.mark.parametrize(
    ("found", "labels", "match"),
    [([0, 1], [0], "2,.*1,"), ([], [], "example by example"), ([0, -1], [0, 1], "from 0 on")],
)
def test_what_is_not_a_pair_of_partitions_is_refused(found, labels, match):
    with pytest.raises(UserError, match=match):
        clusters.accuracy(np.array(found, int), np.array(labels, int))


def test_votes_of_neighbours_are_scikit_learns_and_ties_go_to_the_nearer():
    generator = np.random.default_rng(1)
    train, labels, asked = (
        generator.normal(size=(200, 3)),
        generator.integers(4, size=200),
        generator.normal(size=(50, 3)),
    )
    one = KNeighborsClassifier(1).fit(train, labels).predict(asked)
    np.testing.assert_array_equal(maps.neighbour_labels(asked, train, labels, 1), one)
    line = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert maps.neighbour_labels([[-0.1]], line, [7, 5, 5, 7], 4).tolist() == [7]  # two each: the nearest's
    assert maps.neighbour_labels([[-0.1]], line, [7, 5, 5, 6], 4).tolist() == [5]


def test_a_map_that_keeps_all_is_trusted_and_a_shuffled_one_is_not():
    generator = np.random.default_rng(2)
    points = generator.normal(size=(80, 2))
    assert maps.trustworthiness(points, 3 * points + 1) == pytest.approx(1.0)
    assert maps.shepard_correlation(points, 3 * points + 1) == pytest.approx(1.0)
    shuffled = generator.permutation(points)
    assert maps.trustworthiness(points, shuffled) < 0.7
    assert abs(maps.shepard_correlation(points, shuffled)) < 0.2
    with pytest.raises(UserError, match="needs more than 24 examples, got 20"):
        maps.trustworthiness(points[:20], points[:20])
    with pytest.raises(UserError, match="3 examples"):
        maps.shepard_correlation(points[:2], points[:2])


def test_probes_find_what_is_linear_and_what_is_near():
    generator = np.random.default_rng(3)
    labels, asked = np.arange(120) % 3, np.arange(60) % 3
    centres = np.array([[0, 0, 9.0], [8, 0, 9.0], [0, 8, 9.0]])  # the third never changes: no division by 0
    train, test = (centres[y] + generator.normal(size=(len(y), 3)) * [1, 1, 0] for y in (labels, asked))
    assert (probes.linear_probe(train, labels, test) == asked).mean() > 0.95
    assert (probes.nearest_neighbour(train, labels, test) == asked).mean() > 0.95
    with pytest.raises(UserError, match="of one"):
        probes.linear_probe(train, np.zeros(120), test)
