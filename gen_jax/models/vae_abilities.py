"""What a VAE can do beside learning: encode, decode, sample, and say how probable x is."""

from collections.abc import Callable, Mapping

import jax

from gen_jax.core import keys
from gen_jax.core.types import Algorithm, Array, Batch, Weights, given_of
from gen_jax.models.memory import chunk_size
from gen_jax.models.samplers import latent_samplers
from gen_jax.models.tree_players import tree_of
from gen_jax.models.vae_densities import Densities
from gen_jax.models.vae_probe import vae_probe
from gen_jax.objectives import bounds
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.bounds import Bound, Estimate
from gen_jax.objectives.likelihoods import Binarization, levels_of


def with_abilities(algorithm: Algorithm, model: Densities, estimate: Estimate, binarization: Binarization) -> Algorithm:
    """The algorithm with all that a VAE can do."""
    best = "elbo" if estimate.bound is Bound.ELBO else "bound"
    encode, evaluate = encoder_of(model, binarization), evaluation_of(model, estimate, binarization)

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return model.sample_prior(weights.params, weights.stats, key, count)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """The mean of p(x|z), as papers show it (not a draw with pixel noise)."""
        return model.likelihood.mean(model.outputs(weights.params, weights.stats, latents, given, train=False)[0])

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)[best]

    return algorithm._replace(
        given=model.given,
        samplers=latent_samplers(prior, decode, model.given, model.normal_prior),
        prior=prior,
        normal_prior=model.normal_prior,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best=best,
        likelihood=likelihood_of(model, binarization),
        levels=levels_of(model.likelihood, binarization),
        score=score,
        elbo_under=elbo_under_of(model, binarization),
        probe=vae_probe(encode, decode, model.given, model.analytic, model.shape),
    )


def encoder_of(model: Densities, binarization: Binarization) -> Callable[..., dict[str, Array]]:
    """`Algorithm.encode`: mean and log-variance of q(z|x); after a flow, the image of the mean alone."""

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        x = observed(batch, None, binarization)
        posterior, _ = model.posterior(weights.params, weights.stats, x, batch, train=False)
        if model.flow is None:
            return {"mean": posterior.mean, "log_variance": posterior.log_variance}
        flow = model.flow.build(tree_of(weights.params, "posterior_flow"), posterior.context)
        return {"mean": flow.forward(posterior.mean)[0]}

    return encode


def evaluation_of(model: Densities, estimate: Estimate, binarization: Binarization) -> Callable[..., dict[str, Array]]:
    """`Algorithm.evaluate`: the ELBO (beta = 1) and its parts for every example, in nats; with a tighter bound, that
    too ("bound")."""

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        params, stats, given = weights.params, weights.stats, given_of(batch, model.given)
        x = observed(batch, key, binarization)
        posterior, _ = model.posterior(params, stats, x, given, train=False)
        latents = model.draw(params, posterior, key, estimate.samples)
        log_prob, _, _ = model.render(params, stats, x, latents.z, given, train=False)  # [k, B]
        kl = model.divergence(params, stats, latents, posterior).sum(axis=-1)  # [B]
        values = {"elbo": log_prob.mean(axis=0) - kl, "reconstruction": log_prob.mean(axis=0), "kl": kl}
        if estimate.bound is Bound.ELBO:
            return values
        log_p = model.log_prior(params, stats, latents.z)
        return {**values, "bound": bounds.iwae(log_prob + log_p - model.log_posterior(latents, posterior))}

    return evaluate


def elbo_under_of(model: Densities, binarization: Binarization) -> Callable[..., Array]:
    """`Algorithm.elbo_under`: the ELBO under a q(z|x) that is given; what a flow sees of x stays the encoder's."""

    def elbo_under(weights: Weights, batch: Batch, q: Mapping[str, Array], key: Array, samples: int) -> Array:
        params, stats, given = weights.params, weights.stats, given_of(batch, model.given)
        x = observed(batch, key, binarization)
        posterior, _ = model.posterior(params, stats, x, given, train=False)
        asked = posterior._replace(mean=q["mean"], log_variance=q["log_variance"])
        latents = model.draw(params, asked, key, samples)
        log_prob, _, _ = model.render(params, stats, x, latents.z, given, train=False)  # [k, B]
        return log_prob.mean(axis=0) - model.divergence(params, stats, latents, asked).sum(axis=-1)

    return elbo_under


def likelihood_of(model: Densities, binarization: Binarization) -> Callable[..., dict[str, Array]]:
    """`Algorithm.likelihood`: the importance-weighted bound at k = samples, its standard error and effective sample
    size, in the memory of one chunk. The chunk divides k, so a prime k goes sample by sample: correct, and slow."""

    def likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        params, stats, given = weights.params, weights.stats, given_of(batch, model.given)
        x = observed(batch, key, binarization)
        posterior, _ = model.posterior(params, stats, x, given, train=False)
        chunk = chunk_size(samples, x.size // model.shape[-1] * model.likelihood.parameters(model.shape[-1]))

        def log_weights(index: Array) -> Array:
            own = jax.random.fold_in(keys.named(key, "importance"), index)
            latents = model.draw(params, posterior, own, chunk)
            return model.log_weights(params, stats, x, latents, posterior, given)  # [chunk, B]

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    return likelihood
