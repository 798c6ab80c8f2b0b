"""Gradient penalties of critics whose slopes are known, their layout, and lazy regularisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from scipy import stats

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.objectives import penalties

KEY = jax.random.key(3)
RNG = np.random.default_rng(1)
REAL, FAKE = RNG.normal(size=(2, 8, 2, 3)).astype(np.float32)


def linear(w):
    return lambda x: jnp.tensordot(x, w, axes=2) + 0.7


def quadratic(x):
    return 0.5 * jnp.sum(x**2, axis=(1, 2))  # slope x: |grad| = |x|


@pytest.mark.parametrize("length", [0.25, 1.0, 2.0])
def test_linear_critic(length):
    w = RNG.normal(size=(2, 3))
    w = jnp.asarray(w / np.linalg.norm(w) * length, jnp.float32)
    critic = linear(w)
    np.testing.assert_allclose(penalties.r1(critic, REAL), length**2, rtol=1e-5)
    np.testing.assert_allclose(penalties.r2(critic, FAKE), length**2, rtol=1e-5)
    zero_centered = penalties.gradient_penalty(critic, REAL, FAKE, KEY, center=0.0)  # Thanh-Tung et al. 2019
    np.testing.assert_allclose(zero_centered, length**2, rtol=1e-5)
    for penalty in (
        lambda **kw: penalties.gradient_penalty(critic, REAL, FAKE, KEY, **kw),
        lambda **kw: penalties.dragan(critic, REAL, KEY, **kw),
    ):
        np.testing.assert_allclose(penalty(), (length - 1) ** 2, atol=1e-6)
        np.testing.assert_allclose(penalty(center=0.5), (length - 0.5) ** 2, atol=1e-6)
        np.testing.assert_allclose(penalty(one_sided=True), max(length - 1, 0) ** 2, atol=1e-6)


def test_parameter_gradients_of_a_linear_critic():
    """d|w|^2 = 2 w; d(|w| - 1)^2 = 2 (|w| - 1) w / |w|; and 0, not NaN, at w = 0."""
    w = jnp.asarray(RNG.normal(size=(2, 3)), jnp.float32)
    length = jnp.linalg.norm(w)
    np.testing.assert_allclose(jax.grad(lambda w: penalties.r1(linear(w), REAL))(w), 2 * w, rtol=1e-5)
    slope = jax.grad(lambda w: penalties.gradient_penalty(linear(w), REAL, FAKE, KEY))
    np.testing.assert_allclose(slope(w), 2 * (length - 1) * w / length, rtol=1e-4)
    np.testing.assert_array_equal(slope(jnp.zeros((2, 3))), np.zeros((2, 3)))


def test_points_where_slopes_are_taken():
    """The quadratic critic's slope is the point itself, so the penalties show where they looked."""
    np.testing.assert_allclose(penalties.r1(quadratic, REAL), (REAL**2).sum((1, 2)).mean(), rtol=1e-5)
    np.testing.assert_allclose(penalties.r2(quadratic, FAKE), (FAKE**2).sum((1, 2)).mean(), rtol=1e-5)
    points = np.asarray(penalties.interpolate(REAL, FAKE, KEY))
    mix = (points - FAKE) / (REAL - FAKE)
    np.testing.assert_allclose(mix, np.broadcast_to(mix[:, :1, :1], mix.shape), atol=1e-3)  # one mix an example
    assert len(np.unique(mix[:, 0, 0].round(3))) == 8
    lengths = np.sqrt((points**2).sum((1, 2)))
    found = penalties.gradient_penalty(quadratic, REAL, FAKE, KEY)
    np.testing.assert_allclose(found, ((lengths - 1) ** 2).mean(), rtol=1e-5)


def test_interpolation_weights_are_uniform():
    many = penalties.interpolate(jnp.ones((4000, 1)), jnp.zeros((4000, 1)), KEY)
    assert stats.kstest(np.asarray(many).ravel(), "uniform").pvalue > 1e-3


def test_dragan_perturbation():
    """(x' - x) / (.5 std) is a product of two uniforms: mean 1/4, second moment 1/9, one factor shared by a row."""
    real = jnp.asarray(3 + 2 * RNG.normal(size=(2000, 4, 5)), jnp.float32)
    change = np.asarray(penalties.dragan_points(real, KEY) - real) / (0.5 * np.std(np.asarray(real)))
    assert change.min() >= -1e-5
    assert change.max() <= 1 + 1e-5
    np.testing.assert_allclose(change.mean(), 1 / 4, atol=0.01)
    np.testing.assert_allclose((change**2).mean(), 1 / 9, atol=0.01)
    # Within a row, two pixels have the covariance of the shared factor: E a^2 E u E u - 1/16 = 1/12 - 1/16.
    np.testing.assert_allclose(np.cov(change[:, 0, 0], change[:, 1, 1])[0, 1], 1 / 12 - 1 / 16, atol=0.008)
    # A row's largest change is close to a, which is uniform.
    assert abs(change.max(axis=(1, 2)).mean() * 21 / 20 - 0.5) < 0.02


def batch_norm(x):
    mean = axis.batch_mean(x)
    variance = axis.batch_mean((x - mean) ** 2)
    return (x - mean) / jnp.sqrt(variance + 1e-3)


def normalised_critic(w):
    def critic(x):
        hidden = jnp.tanh(batch_norm(x.reshape(x.shape[0], -1) @ w))
        return jnp.sum(hidden, axis=-1)

    return critic


W = jnp.asarray(RNG.normal(size=(6, 4)), jnp.float32)


def test_row_gradients_hold_other_rows_still():
    critic = normalised_critic(W)
    jacobian = jax.jacobian(critic)(REAL)  # [B, B, 2, 3]
    rows = np.stack([jacobian[i, i] for i in range(8)])
    np.testing.assert_allclose(penalties.row_gradients(critic, REAL), rows, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(penalties.input_gradients(critic, REAL), jacobian.sum(0), rtol=1e-4, atol=1e-5)
    assert np.abs(rows - jacobian.sum(0)).max() > 0.05  # and BatchNorm makes them differ
    ends_in_norm = lambda x: batch_norm(x.reshape(8, -1) @ W[:, 0])  # noqa: E731
    assert penalties.r1(ends_in_norm, REAL) < 1e-8 < 1e-2 < penalties.r1(ends_in_norm, REAL, penalties.row_gradients)


def test_row_gradients_agree_where_rows_are_independent():
    np.testing.assert_allclose(
        penalties.row_gradients(quadratic, REAL), penalties.input_gradients(quadratic, REAL), rtol=1e-6
    )


@pytest.mark.parametrize("gradients", [penalties.input_gradients, penalties.row_gradients])
@pytest.mark.parametrize(
    "penalty",
    [
        lambda critic, real, fake, gradients: penalties.gradient_penalty(critic, real, fake, KEY, gradients=gradients),
        lambda critic, real, fake, gradients: penalties.dragan(critic, real, KEY, gradients=gradients),
        lambda critic, real, fake, gradients: (
            penalties.r1(critic, real, gradients) + penalties.r2(critic, fake, gradients)
        ),
    ],
    ids=["wgan_gp", "dragan", "r1_r2"],
)
def test_four_shards_are_the_whole_batch(penalty, gradients):
    """With BatchNorm in the critic, on every statistic of the global batch: values and parameters' gradients."""

    def step(real, fake):
        return jax.value_and_grad(lambda w: penalty(normalised_critic(w), real, fake, gradients))(W)

    whole = jax.jit(step)(REAL, FAKE)
    shard = lambda real, fake: axis.pmean(step(real, fake))  # noqa: E731
    mapped = jax.jit(jax.vmap(shard, axis_name="data"))(REAL.reshape(4, 2, 2, 3), FAKE.reshape(4, 2, 2, 3))
    for one, many in zip(jax.tree.leaves(whole), jax.tree.leaves(mapped), strict=True):
        assert np.abs(one).max() > 1e-3
        np.testing.assert_allclose(many, np.broadcast_to(one, many.shape), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("gradients", [penalties.input_gradients, penalties.row_gradients])
@pytest.mark.parametrize("backend", ["pmap", "shard_map"])
def test_devices_are_the_whole_batch(backend, gradients):
    """The second derivative passes through collectives; every backend has to transpose them alike."""

    def step(real):
        return axis.pmean(jax.value_and_grad(lambda w: penalties.r1(normalised_critic(w), real, gradients))(W))

    whole = jax.jit(step)(REAL)
    if backend == "pmap":
        mapped = jax.pmap(step, "data", out_axes=None, devices=jax.devices()[:4])(REAL.reshape(4, 2, 2, 3))
    else:
        mesh = Mesh(np.array(jax.devices()[:4]), ("data",))
        spread = jax.shard_map(step, mesh=mesh, in_specs=P("data"), out_specs=P(), check_vma=False)
        mapped = jax.jit(spread)(REAL)
    for one, many in zip(jax.tree.leaves(whole), jax.tree.leaves(mapped), strict=True):
        np.testing.assert_allclose(many, one, rtol=2e-4, atol=2e-5)


def test_lazy_is_unbiased_and_skips():
    calls = []

    def penalty():
        jax.debug.callback(lambda: calls.append(1))
        return jnp.float32(0.5)

    step = jax.jit(lambda s: penalties.lazy(penalty, s, 4))
    values = [float(step(s)) for s in range(8)]
    jax.effects_barrier()
    assert values == [2.0, 0, 0, 0, 2.0, 0, 0, 0]
    assert len(calls) == 2
    assert float(jnp.mean(jnp.array(values))) == 0.5


def test_mistakes_are_named():
    with pytest.raises(UserError, match="one logit a row"):
        penalties.r1(lambda x: x.reshape(8, -1)[:, :1], REAL)
    with pytest.raises(UserError, match="as many fakes"):
        penalties.gradient_penalty(quadratic, REAL, FAKE[:4], KEY)
