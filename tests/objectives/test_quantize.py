"""Vector quantisation against brute force and scikit-style k-means by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import quantize as vq

RNG = np.random.default_rng(0)
LATENTS = jnp.asarray(RNG.normal(size=(6, 4, 4, 3)), jnp.float32)
CODES = jnp.asarray(RNG.normal(size=(8, 3)), jnp.float32)


def test_nearest_is_brute_force():
    distances = ((np.asarray(LATENTS)[..., None, :] - np.asarray(CODES)) ** 2).sum(-1)
    indices = vq.nearest(LATENTS, CODES)
    np.testing.assert_array_equal(indices, distances.argmin(-1))
    np.testing.assert_allclose(((vq.lookup(indices, CODES) - LATENTS) ** 2).sum(-1), distances.min(-1), rtol=1e-5)


def test_straight_through_and_who_learns_from_the_commitment():
    quantized = vq.lookup(vq.nearest(LATENTS, CODES), CODES)
    np.testing.assert_allclose(vq.straight_through(LATENTS, quantized), quantized, atol=1e-6)
    weights = jnp.asarray(RNG.normal(size=LATENTS.shape), jnp.float32)
    passed = jax.grad(lambda z: (vq.straight_through(z, quantized) * weights).sum())(LATENTS)
    np.testing.assert_allclose(passed, weights)
    assert vq.commitment(LATENTS, quantized).shape == (6,)
    gradients = jax.grad(lambda z, q: vq.commitment(z, q).sum(), (0, 1))(LATENTS, quantized)
    assert [bool(jnp.any(g != 0)) for g in gradients] == [True, False]


def test_perplexity_of_even_and_collapsed_usage():
    assert float(vq.perplexity(jnp.arange(16).reshape(4, 4), 16)) == pytest.approx(16.0, rel=1e-5)
    assert float(vq.perplexity(jnp.zeros((4, 4), jnp.int32), 16)) == pytest.approx(1.0)
    assert float(vq.perplexity(jnp.asarray([[0, 1, 1, 1]]), 4)) == pytest.approx(
        np.exp(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))
    )


def test_repeated_ema_updates_find_the_cluster_means():
    centres = np.array([[3.0, 0], [-3.0, 0], [0, 4.0]])
    points = (centres[:, None] + 0.1 * RNG.normal(size=(3, 50, 2))).reshape(-1, 2)
    latents = jnp.asarray(points, jnp.float32)
    book = vq.Codebook(jnp.asarray(centres * 0.3, jnp.float32), jnp.ones(3), jnp.asarray(centres * 0.3, jnp.float32))
    for _ in range(80):
        book = vq.ema_update(book, latents, vq.nearest(latents, book.embedding), decay=0.8)
    np.testing.assert_allclose(book.embedding, points.reshape(3, 50, 2).mean(1), atol=1e-3)
    np.testing.assert_allclose(book.counts, 50.0, rtol=1e-4)


def test_dead_codes_restart_at_latents_and_live_codes_stay():
    book = vq.codebook_init(jax.random.key(0), 8, 3)
    assert float(jnp.abs(book.embedding).max()) <= 1 / 8
    book = book._replace(counts=jnp.asarray([5.0, 0.1, 5, 5, 0.0, 5, 5, 0.2]))
    fresh = vq.revive(book, LATENTS, jax.random.key(1), threshold=1.0)
    flat = np.asarray(LATENTS).reshape(-1, 3)
    for code in range(8):
        if code in (1, 4, 7):
            assert (np.asarray(fresh.embedding)[code] == flat).all(-1).any()
            assert float(fresh.counts[code]) == 1.0
        else:
            np.testing.assert_array_equal(fresh.embedding[code], book.embedding[code])
    assert len(np.unique(np.asarray(fresh.embedding)[[1, 4, 7]], axis=0)) == 3
    np.testing.assert_array_equal(fresh.embedding, vq.revive(book, LATENTS, jax.random.key(1)).embedding)
