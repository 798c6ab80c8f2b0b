"""Four shards of a batch give the whole batch's value and gradient, for every VAE objective with batch statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core import axis
from gen_jax.objectives import autoencoder, binarize, discretized, disentangle, divergences, likelihoods, priors, rate
from gen_jax.objectives import quantize as vq

B, D = 16, 3
IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(B, D)), jnp.float32)
PARAMS = jnp.asarray(np.random.default_rng(1).normal(size=(D, 2 * D)) * 0.7, jnp.float32)
KEY = jax.random.key(7)
OPTIMAL = likelihoods.gaussian_optimal()
CODES = jnp.asarray(np.random.default_rng(2).normal(size=(5, D)), jnp.float32)


def posterior(params, x):
    return jnp.split(jnp.tanh(x @ params), 2, axis=-1)


def latents(params, x):
    mean, log_variance = posterior(params, x)
    return divergences.normal_sample(mean, log_variance, axis.gather(x)[axis.rows(x.shape[0])] * 0.3)


def tc(params, x):
    parts = disentangle.decompose(latents(params, x), *posterior(params, x), 100)
    return (parts.mutual_information + 6 * parts.total_correlation + 2 * parts.dimension_kl).mean()


def geco(params, x):
    error = (x**2).sum(-1) + posterior(params, x)[0].sum(-1)
    weighted, state = rate.geco(error, 1.0, rate.geco_init(2.0))
    return weighted.mean() + state.log_multiplier


def free(how):
    return lambda params, x: rate.free_bits(divergences.kl_standard_normal(*posterior(params, x)), 0.15, how).mean()


SCALARS = {
    "gaussian_optimal": lambda p, x: OPTIMAL.log_prob(posterior(p, x)[0], x).sum(axis=-1).mean(),
    "mmd": lambda p, x: divergences.mmd(latents(p, x), x, divergences.wae_kernel(D)),
    "mmd_biased": lambda p, x: divergences.mmd(latents(p, x), x, divergences.rbf([1.0]), unbiased=False),
    "beta_tc": tc,
    "dip_i": lambda p, x: disentangle.dip_vae(*posterior(p, x), 1.0, 10.0, disentangle.Dip.I),
    "dip_ii": lambda p, x: disentangle.dip_vae(*posterior(p, x), 1.0, 1.0, disentangle.Dip.II),
    "permute_dims": lambda p, x: (disentangle.permute_dims(latents(p, x), KEY) ** 3 * x).mean(),
    "capacity": lambda p, x: rate.capacity_penalty(axis.batch_mean(latents(p, x).sum(-1)), 0.1, 2.0),
    "free_bits_dimension": free(rate.FreeBits.PER_DIMENSION),
    "free_bits_layer": free(rate.FreeBits.PER_LAYER),
    "free_bits_sample": free(rate.FreeBits.PER_SAMPLE),
    "geco": geco,
    "rae_penalty": lambda p, x: autoencoder.decoder_gradient_penalty(lambda z: jnp.sin(z @ p), x, KEY).mean(),
}


def shards(values):
    return values.reshape(4, -1, *values.shape[1:])


@pytest.mark.parametrize("name", SCALARS)
def test_value_and_gradient_do_not_depend_on_the_layout(name):
    with_gradient = jax.value_and_grad(SCALARS[name])
    whole = jax.jit(with_gradient)(PARAMS, IMAGES)
    sharded = jax.vmap(lambda x: axis.pmean(with_gradient(PARAMS, x)), axis_name=axis.DATA_AXIS)
    mapped = jax.jit(sharded)(shards(IMAGES))
    for expected, actual in zip(whole, mapped, strict=True):
        assert float(jnp.abs(expected).max()) > 1e-4
        for shard in range(4):
            np.testing.assert_allclose(actual[shard], expected, rtol=1e-4, atol=2e-5)


GREY = discretized.discretized_logistic_mixture(2)
ROWS = {
    "binarize_dynamic": lambda x: binarize.binarize_dynamic(x, KEY),
    "binarize_fixed": lambda x: binarize.binarize_fixed(jnp.clip(x, -1, 1)),
    "permute_dims": lambda x: disentangle.permute_dims(x, KEY),
    "bernoulli_sample": lambda x: likelihoods.bernoulli().sample(x, KEY),
    "continuous_bernoulli_sample": lambda x: likelihoods.continuous_bernoulli().sample(x, KEY),
    "gaussian_sample": lambda x: likelihoods.gaussian(0.3).sample(x, KEY),
    "logistic_mixture_sample": lambda x: GREY.sample(jnp.tile(x, (1, 2)), KEY),
    "categorical_sample": lambda x: discretized.categorical256().sample(jnp.tile(x[:, :1], (1, 256)), KEY),
    "prior_sample": lambda x: priors.standard_normal(2).sample({}, KEY, x.shape[0]),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_do_not_depend_on_the_layout(name):
    mapped = jax.jit(jax.vmap(ROWS[name], axis_name=axis.DATA_AXIS))(shards(IMAGES))
    np.testing.assert_allclose(mapped.reshape(B, *mapped.shape[2:]), jax.jit(ROWS[name])(IMAGES), rtol=1e-6)


def test_the_codebook_does_not_depend_on_the_layout():
    book = vq.Codebook(CODES, jnp.asarray([2.0, 0.1, 3.0, 1.5, 0.0]), CODES * 2)

    def step(x):
        indices = vq.nearest(x, book.embedding)
        updated = vq.ema_update(book, x, indices, decay=0.9)
        return vq.revive(updated, x, KEY, threshold=1.0), vq.perplexity(indices, 5)

    whole = step(IMAGES)
    mapped = jax.vmap(step, axis_name=axis.DATA_AXIS)(shards(IMAGES))
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a[2], e, rtol=1e-5, atol=1e-6), mapped, whole)
    assert not np.allclose(
        whole[0].embedding, vq.ema_update(book, IMAGES[:4], vq.nearest(IMAGES[:4], CODES), 0.9).embedding
    )
