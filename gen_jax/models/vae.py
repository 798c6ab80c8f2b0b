"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014): encoder and decoder, one phase.

Maximises the evidence lower bound E_q[log p(x|z)] - beta * KL(q(z|x) || p(z)) with the analytic KL of diagonal
Gaussians against N(0, I). `beta` is a hyper (beta-VAE, Higgins et al. 2017); `warm_up` scales it by the step.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Weights
from gen_jax.objectives import divergences
from gen_jax.objectives.binarize import binarize
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check


def vae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    warm_up: Callable[[Array], Array] | None = None,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """A VAE as an `Algorithm`.

    encoder: images [B, *shape] -> (mean, log_variance), each [B, latent_size]. decoder: latents -> likelihood outputs.
    hyper: lr, b1, b2, beta; with `ema_decay` in it, both players are averaged for sampling and evaluation.
    warm_up: step -> factor of beta (an optax schedule). binarization: what is done to pixels before they are scored, in
    training and evaluation alike. Raises UserError for latent_size < 1 and for a likelihood that does not fit the data.
    """
    check(likelihood, shape, binarization)
    if latent_size < 1:
        raise UserError(f"a latent size of {latent_size} leaves nothing to encode into; use 1 or more")
    average = "ema_decay" if "ema_decay" in hyper else None
    example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    codes = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {
        "encoder": Player(encoder, (example,), optimizer, ema=average),
        "decoder": Player(decoder, (codes,), optimizer, ema=average),
    }

    def target(batch: Batch, key: Array) -> Array:
        return binarize(batch["image"], key, binarization)

    def posterior(params: Players, stats: Players, image: Array, key: Array | None, train: bool):
        given = keys.named(key, "encoder") if key is not None else None
        return apply(players["encoder"], params["encoder"], stats["encoder"], image, train=train, key=given)

    def likelihood_outputs(params: Players, stats: Players, latents: Array, key: Array | None, train: bool):
        given = keys.named(key, "decoder") if key is not None else None
        return apply(players["decoder"], params["decoder"], stats["decoder"], latents, train=train, key=given)

    def terms(params: Players, stats: Players, batch: Batch, key: Array, train: bool):
        """(log p(x|z) [B] at one reparameterised z, KL by dimension [B, d], new statistics)."""
        image = target(batch, key)
        (mean, log_variance), encoder_stats = posterior(params, stats, image, key, train)
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], latent_size)
        latents = mean + jnp.exp(0.5 * log_variance) * noise
        outputs, decoder_stats = likelihood_outputs(params, stats, latents, key, train)
        kl = divergences.kl_standard_normal(mean, log_variance)
        return likelihood.log_prob(outputs, image), kl, {"encoder": encoder_stats, "decoder": decoder_stats}

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        log_prob, kl, stats = terms(params, context.stats, context.batch, context.key, train=True)
        reconstruction, rate = log_prob.mean(), kl.sum(axis=-1).mean()
        beta = context.hyper["beta"] * (warm_up(context.step) if warm_up else 1.0)
        metrics = {"elbo": reconstruction - rate, "reconstruction": reconstruction, "kl": rate, "beta": beta}
        return beta * rate - reconstruction, Aux(stats, metrics)

    algorithm = compose(players, (Phase(("encoder", "decoder"), objective),), hyper)

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return keys.normal(keys.named(key, "latents"), count, latent_size)

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        return likelihood.mean(likelihood_outputs(weights.params, weights.stats, latents, None, train=False)[0])

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        """Means of p(x|z) at latents from the prior, as papers show them (not draws of pixel noise)."""
        return decode(weights, prior(weights, key, count), label)

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        (mean, log_variance), _ = posterior(weights.params, weights.stats, batch["image"], None, train=False)
        return {"mean": mean, "log_variance": log_variance}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The bound (beta = 1) and its parts for every example, in nats, at one sample of the posterior."""
        log_prob, kl, _ = terms(weights.params, weights.stats, batch, key, train=False)
        rate = kl.sum(axis=-1)
        return {"elbo": log_prob - rate, "reconstruction": log_prob, "kl": rate}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, {}, batch, key)["elbo"]

    return algorithm._replace(
        best="elbo", prior=prior, decode=decode, sample=sample, encode=encode, evaluate=evaluate, score=score
    )
