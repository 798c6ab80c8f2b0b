"""Losses and gradients against golden values of pythae 0.1.2 (tests/golden/pythae_vae.py writes them).

Where pythae's value isn't comparable the gradient is: its squared error drops the Gaussian's constant, and its IWAE
family reports Σ w̃ log w, a surrogate. Its MIWAE and PIWAE normalise weights over the axis that it calls gradient
estimates, so its 2 x 4 samples are four groups of two. Its RAE gradient penalty (the gradient of the *summed* output
by x) and stratified weights (a published index slip) are other formulas, and aren't compared.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.objectives import bounds, disentangle, divergences, likelihoods, priors
from gen_jax.objectives import quantize as vq
from gen_jax.objectives.bounds import Bound, Terms
from gen_jax.objectives.divergences import normal_log_prob, normal_sample

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pythae_vae.json").read_text())
A = {name: np.asarray(value) for name, value in GOLDEN["arrays"].items()}
CASES = GOLDEN["cases"]
CONSTANT = 2.5 * np.log(2 * np.pi)  # of a unit Gaussian over 5 pixels
START = {name: A[name] for name in ("mean", "log_variance", "W")}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def decode(z, p):
    return z @ p["W"] + A["b"]


def draw(p):
    return normal_sample(p["mean"], p["log_variance"], jnp.asarray(A["noise"][:, 0, 0]))


def squared(p, z):
    return -likelihoods.sum_event(likelihoods.gaussian(1.0).log_prob(decode(z, p), jnp.asarray(A["x"]))) - CONSTANT


def kl(p):
    return divergences.kl_standard_normal(p["mean"], p["log_variance"]).sum(-1)


def vae_bce(p):
    # pythae's pixels are in [0, 1]; ours in [-1, 1]
    log_prob = likelihoods.bernoulli().log_prob(decode(draw(p), p), jnp.asarray(2 * A["x"] - 1))
    return (kl(p) - likelihoods.sum_event(log_prob)).mean()


def importance(bound, **settings):
    def loss(p):
        samples = 4 if bound in (Bound.IWAE, Bound.CIWAE) else 8
        noise = A["noise"][:, 0] if samples == 4 else np.swapaxes(A["noise"], 1, 2).reshape(6, 8, 3)

        def terms_of(z, q):
            log_likelihood = jax.vmap(lambda zi: -squared(p, zi))(z)
            log_q = normal_log_prob(z, q["mean"], q["log_variance"]).sum(-1)
            return Terms(log_likelihood, normal_log_prob(z).sum(-1), log_q)

        posterior = {n: p[n] for n in ("mean", "log_variance")}
        z = normal_sample(p["mean"], p["log_variance"], jnp.swapaxes(jnp.asarray(noise), 0, 1))
        return -bounds.estimate(terms_of, z, posterior, bound, **settings)[0].mean()

    return loss


def beta_tc(p):
    parts = disentangle.decompose(draw(p), p["mean"], p["log_variance"], 1000, disentangle.Aggregate.WEIGHTED)
    weighted = parts.mutual_information + 6 * parts.total_correlation + 2 * parts.dimension_kl
    return (squared(p, draw(p)) + weighted).mean()


def info(kernel):
    def loss(p):
        discrepancy = divergences.mmd(draw(p), jnp.asarray(A["z_prior"]), kernel)
        # (1 - α) KL + (α + λ - 1) MMD, α .5 and λ 10: the weights that experiments/info_vae.py gives the two
        return (squared(p, draw(p)) + 0.5 * kl(p) + 9.5 * discrepancy).mean()

    return loss


def wae(p):
    discrepancy = divergences.mmd(p["mean"], jnp.asarray(A["z_prior"]), divergences.wae_kernel(3, 1.2))
    return (2 * squared(p, p["mean"])).mean() + 3.0 * discrepancy


def factor(p):
    joint = p["mean"][:, 0] - p["mean"][:, 1]
    return (squared(p, p["mean"]) + kl(p)).mean() + 2.0 * disentangle.density_ratio_tc(joint)


LOSSES = {
    "vae_mse": lambda p: (squared(p, draw(p)) + kl(p)).mean(),
    "vae_bce": vae_bce,
    "beta_tc": beta_tc,
    "info_rbf": info(divergences.rbf([3 * 0.8**2])),
    "info_imq": info(divergences.wae_kernel(3, 0.8)),
    "wae_imq": wae,
    "factor": factor,
}
GRADIENTS = {
    "iwae": (importance(Bound.IWAE), START),
    "ciwae": (importance(Bound.CIWAE, weight=0.3), START),
    "miwae": (importance(Bound.MIWAE, groups=4), START),
    "piwae_encoder": (importance(Bound.PIWAE, groups=4), ("mean", "log_variance")),
    "piwae_decoder": (importance(Bound.PIWAE, groups=4), ("W",)),
}


def assert_gradients(loss, name, which):
    params = {n: jnp.asarray(v) for n, v in START.items()}
    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    for leaf in which:
        if leaf in CASES[name]["gradients"]:
            np.testing.assert_allclose(gradient[leaf], CASES[name]["gradients"][leaf], rtol=1e-8, atol=1e-11)
    return value


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients(name):
    value = assert_gradients(LOSSES[name], name, START)
    np.testing.assert_allclose(value, CASES[name]["loss"], rtol=1e-10)


@pytest.mark.parametrize("name", GRADIENTS)
def test_importance_weighted_gradients(name):
    assert_gradients(GRADIENTS[name][0], name, GRADIENTS[name][1])


def test_factor_discriminator():
    joint, permuted = (jnp.asarray(A[n][:, 0] - A[n][:, 1]) for n in ("mean", "z_prior"))
    np.testing.assert_allclose(
        disentangle.density_ratio_loss(joint, permuted), CASES["factor"]["discriminator"], rtol=1e-10
    )


def test_vamp_prior():
    # pythae's pseudo-inputs are in [0, 1] and its encoder saw them so; ours hands the encoder 2 u - 1.
    def encode(images):
        units = (images + 1) / 2
        return units[:, :3], 0.3 * units[:, 1:4]

    prior = priors.vamp(encode, (5,), components=4)
    actual = prior.log_prob({"pseudo_inputs": jnp.asarray(CASES["vamp"]["pseudo"])}, jnp.asarray(A["mean"]))
    # pythae drops the constant -d/2 log 2π, and takes log K in float32
    np.testing.assert_allclose(actual + 1.5 * np.log(2 * np.pi), CASES["vamp"]["log_p_z"], rtol=1e-7)


def test_vector_quantiser():
    case = CASES["vq"]
    latents, codes = jnp.asarray(case["latents"]), jnp.asarray(case["codes"])
    indices = vq.nearest(latents, codes)
    np.testing.assert_array_equal(indices, case["indices"])
    quantized = vq.lookup(indices, codes)
    # pythae's loss: 1 of the codebook's share and .25 of the commitment, which are equal in value
    np.testing.assert_allclose(1.25 * vq.commitment(latents, quantized).mean(), case["loss"], rtol=1e-6)
    updated = vq.ema_update(vq.Codebook(codes, jnp.ones(4), codes), latents, indices, decay=0.9)
    np.testing.assert_allclose(updated.sums, case["sums"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(updated.embedding, case["embedding"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(updated.counts, case["counts"], rtol=1e-4)  # pythae keeps the smoothed counts
