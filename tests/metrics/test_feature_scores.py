"""KID, inception score and PRDC against other packages; blocks, duplicates and planted cases."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import inception_score, kernel, memorization, neighbours, prdc

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_metrics  # noqa: E402

GOLDEN = json.loads((FOLDER / "metrics.json").read_text())
GIVEN = make_metrics.inputs()
REAL, GENERATED = GIVEN["real"], GIVEN["generated"]


def test_kid_agrees_with_torch_fidelity_on_the_same_subsets():
    ours = kernel.kernel_distance(GENERATED, REAL, subsets=20, size=200, seed=7)
    assert ours.mean == pytest.approx(GOLDEN["kid"]["kernel_inception_distance_mean"], rel=1e-10)
    assert ours.std == pytest.approx(GOLDEN["kid"]["kernel_inception_distance_std"], rel=1e-9)
    assert ours.values.dtype == np.float64


def test_kid_is_the_unbiased_estimator_written_out():
    x, y = REAL[:6, :3], GENERATED[:5, :3]
    k = [[(a @ b / 3 + 1) ** 3 for b in np.concatenate([x, y])] for a in np.concatenate([x, y])]
    k = np.array(k)
    within = [sum(k[i, j] for i in rows for j in rows if i != j) for rows in (range(6), range(6, 11))]
    expected = within[0] / 30 + within[1] / 20 - 2 * k[:6, 6:].mean()
    assert float(kernel.mmd_squared(x, y)) == pytest.approx(expected, rel=1e-12)


def test_kid_of_one_distribution_is_around_zero_with_both_signs():
    x, y = np.random.default_rng(3).standard_normal((2, 2000, 8))
    result = kernel.kernel_distance(x, y, subsets=30, size=200)
    assert result.values.min() < 0 < result.values.max()
    assert abs(result.mean) < 0.02
    with pytest.raises(UserError, match="3000"):
        kernel.kernel_distance(x, y, size=3000)


def test_given_indices_are_the_subsets():
    rows = np.arange(200)[None]
    result = kernel.kernel_distance(REAL, GENERATED, indices=(rows, rows + 3))
    assert result.mean == pytest.approx(float(kernel.mmd_squared(REAL[:200], GENERATED[3:203])), rel=1e-12)


def test_inception_score_agrees_with_torch_fidelity():
    ours = inception_score.inception_score(GIVEN["logits"])
    assert ours.mean == pytest.approx(GOLDEN["inception_score"]["inception_score_mean"], rel=1e-12)
    assert ours.std == pytest.approx(GOLDEN["inception_score"]["inception_score_std"], rel=1e-10)


def test_inception_score_runs_from_one_to_the_number_of_classes():
    sure = 1e3 * np.eye(5)[np.arange(100) % 5]
    assert inception_score.inception_score(sure, splits=2, seed=None).mean == pytest.approx(5)
    assert inception_score.inception_score(np.ones((100, 5))).mean == pytest.approx(1)
    with pytest.raises(UserError, match="splits"):
        inception_score.inception_score(np.ones((3, 5)))


@pytest.mark.parametrize("block", [10_000, 1000, 77])
def test_prdc_agrees_with_the_package_at_any_block(block):
    ours = prdc.prdc(REAL, GENERATED, 5, block)
    for name, value in ours._asdict().items():
        assert value == pytest.approx(GOLDEN["prdc_k5"][name], rel=1e-12), name


def test_k3_agrees_with_torch_fidelity_too():
    ours = prdc.prdc(REAL, GENERATED, 3)[:2]
    theirs = GOLDEN["prc_torch_fidelity"]
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-6)
    single = prdc.prdc(REAL.astype(np.float32), GENERATED.astype(np.float32), 3)
    assert single == pytest.approx(tuple(GOLDEN["prdc_k3"].values()), abs=2e-3)


def test_prdc_of_disjoint_and_of_collapsed_sets():
    rng = np.random.default_rng(0)
    real = rng.standard_normal((200, 4))
    assert prdc.prdc(real, real + 100) == (0, 0, 0, 0)
    collapsed = real[:1] + 1e-3 * rng.standard_normal((150, 4))
    scores = prdc.prdc(real, collapsed)
    assert scores.precision == 1
    assert scores.recall < 0.02
    assert scores.coverage < 0.2


def test_neighbours_agree_with_brute_force_and_planted_copies_are_at_zero():
    queries = np.concatenate([GENERATED[:100], REAL[40:43]]).astype(np.float32)
    distances, rows = map(np.asarray, neighbours.nearest(queries, REAL.astype(np.float32), 4, block=64))
    table = np.linalg.norm(queries[:, None].astype(float) - REAL.astype(np.float32)[None].astype(float), axis=-1)
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :4], rtol=1e-5, atol=1e-6)
    assert rows[100:, 0].tolist() == [40, 41, 42]
    assert (distances[100:, 0] == 0).all()


def test_own_radius_counts_duplicates_but_not_itself():
    points = np.array([[0.0], [0.0], [1.0], [3.0]])
    assert np.asarray(neighbours.radii(points, 1)).tolist() == [0, 0, 1, 2]
    with pytest.raises(UserError, match="4 points"):
        neighbours.radii(points, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_point_is_near_to_what_is_not_finite(value):
    sound, broken = np.zeros((4, 2)), np.where(np.eye(4, 2) == 1, value, 0.0)
    with pytest.raises(UserError, match="non-finite"):
        neighbours.nearest(sound, broken)
    distances = np.asarray(neighbours.nearest(broken, sound)[0])
    assert (np.isfinite(distances) == np.isfinite(broken).all(axis=1, keepdims=True)).all()


def test_authenticity_falls_with_planted_copies():
    rng = np.random.default_rng(5)
    train, held_out, fresh = rng.standard_normal((3, 500, 6))
    honest, null = (memorization.authentic_percent(train, each) for each in (fresh, held_out))
    assert honest == pytest.approx(null, abs=8)
    copies = np.concatenate([fresh[:250], train[:250] + 1e-3])
    planted = memorization.authentic_percent(train, copies)
    assert planted == pytest.approx(memorization.authentic_percent(train, fresh[:250]) / 2, abs=1e-9)


def test_authentic_by_hand():
    train = np.array([[0.0, 0], [1, 0], [10, 0], [14, 0]])
    generated = np.array([[0.4, 0], [-1.5, 0], [11, 0], [20, 0]])  # copy, authentic, copy, authentic
    assert memorization.authentic_percent(train, generated) == 50


def test_copy_statistic_is_calm_for_fresh_samples_and_fires_on_copies():
    rng = np.random.default_rng(6)
    train, held_out, fresh = (rng.standard_normal((n, 5)) for n in (900, 400, 400))
    calm = memorization.copy_test(train, held_out, fresh)
    copied = memorization.copy_test(train, held_out, train[:400] + 0.05 * fresh)
    far = memorization.copy_test(train, held_out, 2 * fresh)
    assert abs(calm.statistic) < 3
    assert copied.statistic < -8
    assert far.statistic > 5
    assert calm.cells.sum() == 800


def test_copy_statistic_may_look_in_the_same_cell_alone():
    """The authors' C_T, cell by cell, by scikit-learn's neighbours and SciPy's U; they add 1/2 to U for continuity."""
    from scipy.stats import mannwhitneyu
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(8)
    train, held_out, fresh = (rng.standard_normal((n, 2)) for n in (60, 90, 80))
    found = memorization.copy_test(train, held_out, fresh, cells=4, same_cell=True)
    clusters = KMeans(4, n_init="auto", random_state=0).fit(train)
    for cell in range(4):
        own = [features[clusters.predict(features) == cell] for features in (train, held_out, fresh)]
        near = NearestNeighbors(n_neighbors=1).fit(own[0])
        held, made = (near.kneighbors(features)[0][:, 0] for features in own[1:])
        n, m = len(held), len(made)
        u = mannwhitneyu(made, held, alternative="less").statistic
        assert found.z[cell] == pytest.approx((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12), rel=1e-4)
    elsewhere = memorization.copy_test(train, held_out, fresh, cells=4)
    assert elsewhere.statistic != pytest.approx(found.statistic, rel=1e-3)


def test_mann_whitney_agrees_with_scipy():
    from scipy.stats import mannwhitneyu, norm

    rng = np.random.default_rng(7)
    held_out, generated = rng.exponential(1, 80), rng.exponential(1.3, 60)
    test = mannwhitneyu(generated, held_out, alternative="greater", use_continuity=False, method="asymptotic")
    assert memorization.mann_whitney_z(held_out, generated) == pytest.approx(norm.isf(test.pvalue), rel=1e-9)
