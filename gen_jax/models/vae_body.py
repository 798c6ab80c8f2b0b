"""The one body of every VAE here: posterior, prior, decoder, bound and rate, as closures that models put into phases.

Bounds and estimators (ELBO to CIWAE; reparameterised, STL, DReG) differ in `objectives.bounds.estimate` alone. The
plain ELBO keeps the analytic KL where there is one, so that free bits, capacity and GECO can hold it by dimension.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis, keys
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import vae_parts as parts
from gen_jax.models.vae_parts import Codes, FlowStack, Regularizer
from gen_jax.models.vae_probe import vae_probe
from gen_jax.objectives import bounds, divergences, priors, rate
from gen_jax.objectives.bounds import Bound, Estimator, Terms
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, sum_event
from gen_jax.objectives.priors import Prior
from gen_jax.objectives.rate import FreeBits


class Posterior(NamedTuple):
    """q(z|x) before any flow, each [B, d]; `context` [B, c] is what the flow sees of x."""

    mean: Array
    log_variance: Array
    context: Array


class Body(NamedTuple):
    """A VAE in parts. `objective` is the loss of its players; the rest are an `Algorithm`'s functions."""

    players: dict[str, Player]
    aux: dict[str, Tree]
    objective: Callable[..., tuple[Array, Aux]]  # (params, context, regularizers=()) -> (loss, Aux)
    sample_posterior: Callable[..., tuple[Array, Posterior]]  # (params, stats, batch, key) -> latents [B, d]; eval mode
    outputs: Callable[..., tuple[Array, Tree]]  # (params, stats, latents [B, d], label, key, train) -> raw, stats
    prior: Callable[..., Array]
    decode: Callable[..., Array]
    encode: Callable[..., dict[str, Array]]
    evaluate: Callable[..., dict[str, Array]]
    log_likelihood_details: Callable[..., dict[str, Array]]
    levels: int | None  # as in `Algorithm`
    probe: Callable[..., dict[str, Array]]
    best: str


def finish(algorithm: Algorithm, body: Body) -> Algorithm:
    """The algorithm with all that a VAE can do."""

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        """Means of p(x|z) at latents from the prior, as papers show them (not draws of pixel noise)."""
        return body.decode(weights, body.prior(weights, key, count), label)

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -body.evaluate(weights, {}, batch, key)[body.best]

    def log_likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> Array:
        return body.log_likelihood_details(weights, batch, key, samples)["value"]

    return algorithm._replace(
        best=body.best,
        prior=body.prior,
        decode=body.decode,
        sample=sample,
        encode=body.encode,
        evaluate=body.evaluate,
        score=score,
        log_likelihood=log_likelihood,
        log_likelihood_details=body.log_likelihood_details,
        levels=body.levels,
        probe=body.probe,
    )


def vae_body(
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
    bound: Bound = Bound.ELBO,
    estimator: Estimator = Estimator.REPARAMETERISED,
    samples: int = 1,
    groups: int = 1,
    prior: Prior | Callable[[parts.Encode], Prior] | None = None,
    posterior_flow: FlowStack | None = None,
    free_bits: FreeBits = FreeBits.NONE,
    capacity: Callable[[Array], Array] | None = None,
    geco: bool = False,
    classes: int | None = None,
) -> Body:
    """The parts of a VAE; the arguments are those of `vae`."""
    check(likelihood, shape, binarization)
    parts.check_latent_size(latent_size)
    bounds.check(bound, estimator, samples, groups)
    plain = bound is Bound.ELBO and estimator is Estimator.REPARAMETERISED
    analytic = prior is None and posterior_flow is None
    parts.check_options(plain, analytic, estimator, posterior_flow, free_bits, capacity, geco, prior, classes)

    # ---- players -------------------------------------------------------------------------------------------------
    average, clip = ("ema_decay" if "ema_decay" in hyper else None), ("clip" if "clip" in hyper else None)
    label = () if classes is None else (jax.ShapeDtypeStruct((2,), jnp.int32),)
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    code_example = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {
        "encoder": Player(encoder, (image_example, *label), optimizer, ema=average, clip=clip),
        "decoder": Player(decoder, (code_example, *label), optimizer, ema=average, clip=clip),
    }
    if prior is None:
        prior = priors.standard_normal(latent_size)
    example_prior = prior if isinstance(prior, Prior) else prior(lambda images: (images, images))
    if parts.has_parameters(example_prior):
        players["prior"] = parts.tree_player(example_prior.init, optimizer, average)._replace(clip=clip)
    if posterior_flow is not None:
        players["posterior_flow"] = parts.tree_player(posterior_flow.init, optimizer, average)._replace(clip=clip)

    # ---- densities -------------------------------------------------------------------------------------------------
    def posterior_of(
        params: Players, stats: Players, image: Array, label: Array | None, key: Array | None, train: bool
    ):
        given = parts.labels_of(classes, label)
        own = None if key is None else keys.named(key, "encoder")
        result, new = apply(
            players["encoder"], params["encoder"], stats["encoder"], image, *given, train=train, key=own
        )
        mean, log_variance = result[:2]
        context = result[2] if len(result) > 2 else jnp.concatenate([mean, log_variance], axis=-1)
        return Posterior(mean, log_variance, context), new

    def prior_of(params: Players, stats: Players) -> Prior:
        # A VampPrior's pseudo-inputs are encoded as in evaluation: no dropout, running statistics.
        if isinstance(prior, Prior):
            return prior
        return prior(lambda images: posterior_of(params, stats, images, None, None, train=False)[0][:2])

    def draw(params: Players, posterior: Posterior, key: Array, count: int) -> dict[str, Array]:
        """{"z" [k, B, d]}, and with a flow {"log_q" [k, B]}: k = count reparameterised samples."""
        noise = keys.normal(keys.named(key, "posterior"), posterior.mean.shape[0], count, latent_size)
        base = divergences.normal_sample(posterior.mean, posterior.log_variance, jnp.swapaxes(noise, 0, 1))
        if posterior_flow is None:
            return {"z": base}
        flow = posterior_flow.build(parts.tree_of(params, "posterior_flow"), parts.repeat(posterior.context, count))
        latents, log_det = flow.forward(parts.fold(base))
        log_base = divergences.normal_log_prob(base, posterior.mean, posterior.log_variance).sum(axis=-1)
        return {"z": parts.unfold(latents, count), "log_q": log_base - parts.unfold(log_det, count)}

    def log_posterior(latents: dict[str, Array], posterior: Posterior) -> Array:
        if "log_q" in latents:
            return latents["log_q"]
        return divergences.normal_log_prob(latents["z"], posterior.mean, posterior.log_variance).sum(axis=-1)

    def outputs_of(
        params: Players, stats: Players, latents: Array, label: Array | None, key: Array | None, train: bool
    ):
        given = parts.labels_of(classes, label)
        own = None if key is None else keys.named(key, "decoder")
        return apply(players["decoder"], params["decoder"], stats["decoder"], latents, *given, train=train, key=own)

    def render(params: Players, stats: Players, image: Array, latents: Array, label, key: Array | None, train: bool):
        """(log p(x|z) [k, B], mean images [B·k, ...], decoder statistics) at latents [k, B, d]."""
        count = latents.shape[0]
        parts.check_samples_fit(count, image.shape[0], (*shape[:-1], likelihood.parameters(shape[-1])))
        repeated = None if label is None else parts.repeat(label, count)
        outputs, new = outputs_of(params, stats, parts.fold(latents), repeated, key, train)
        log_prob = likelihood.log_prob(outputs, parts.repeat(image, count))
        return parts.unfold(log_prob, count), outputs, new

    def log_prior(params: Players, stats: Players, latents: Array) -> Array:
        return prior_of(params, stats).log_prob(parts.tree_of(params, "prior"), latents)

    def divergence(params: Players, stats: Players, latents: dict[str, Array], posterior: Posterior) -> Array:
        """The KL for every example: by dimension [B, d] where it is analytic, else sampled, [B, 1]."""
        if analytic:
            return divergences.kl_standard_normal(posterior.mean, posterior.log_variance)
        log_q, log_p = log_posterior(latents, posterior), log_prior(params, stats, latents["z"])
        return divergences.monte_carlo_kl(log_q, log_p)[:, None]

    # ---- the loss --------------------------------------------------------------------------------------------------
    def plain_loss(params, context, image, latents, posterior, beta, metrics):
        log_prob, outputs, decoder_stats = render(
            params, context.stats, image, latents["z"], context.batch.get("label"), context.key, train=True
        )
        log_prob = log_prob.mean(axis=0)
        kl = divergence(params, context.stats, latents, posterior)
        reconstruction, total = log_prob.mean(), kl.sum(axis=-1)
        metrics |= {"elbo": reconstruction - total.mean(), "reconstruction": reconstruction, "kl": total.mean()}
        held = rate.free_bits(kl, context.hyper.get("free_bits", jnp.float32(0.0)), free_bits)
        if capacity is not None:
            excess = rate.capacity_penalty(axis.batch_mean(total), capacity(context.step), context.hyper["gamma"])
            return excess - reconstruction, decoder_stats, {}
        if geco:
            pictures = likelihood.mean(outputs)
            error = sum_event((pictures - parts.repeat(image, samples)) ** 2).reshape(-1, samples).mean(axis=1)
            constraint, controller = rate.geco(error, context.hyper["tolerance"], context.aux["geco"])
            metrics |= {"squared_error": error.mean(), "multiplier": jnp.exp(controller.log_multiplier)}
            return held.mean() + constraint.mean(), decoder_stats, {"geco": controller}
        return beta * held.mean() - reconstruction, decoder_stats, {}

    def bound_loss(params, context, image, latents, posterior, beta, metrics):
        found = {}

        def terms_of(latents: dict[str, Array], posterior: Posterior) -> Terms:
            log_prob, _, found["stats"] = render(
                params, context.stats, image, latents["z"], context.batch.get("label"), context.key, train=True
            )
            return Terms(log_prob, log_prior(params, context.stats, latents["z"]), log_posterior(latents, posterior))

        settings = {"groups": groups, "weight": context.hyper.get("elbo_weight", 0.5), "beta": beta}
        value, terms = bounds.estimate(terms_of, latents, posterior, bound, estimator, **settings)
        elbo = bounds.log_weights(terms).mean()
        reconstruction = terms.log_likelihood.mean()
        metrics |= {"bound": value.mean(), "elbo": elbo, "reconstruction": reconstruction, "kl": reconstruction - elbo}
        return -value.mean(), found["stats"], {}

    def objective(params: Players, context: Context, regularizers: tuple[Regularizer, ...] = ()) -> tuple[Array, Aux]:
        batch, key = context.batch, context.key
        image = parts.observed(batch, key, binarization)
        posterior, encoder_stats = posterior_of(params, context.stats, image, batch.get("label"), key, train=True)
        latents = draw(params, posterior, key, samples)
        beta = context.hyper["beta"] * (warm_up(context.step) if warm_up else 1.0)
        metrics = {"beta": beta}
        loss_of = plain_loss if plain else bound_loss
        loss, decoder_stats, aux = loss_of(params, context, image, latents, posterior, beta, metrics)
        if regularizers:

            def decode_here(codes: Array) -> Array:
                raw = outputs_of(params, context.stats, codes, batch.get("label"), None, train=False)[0]
                return likelihood.mean(raw)

            seen = Codes(
                latents["z"][0],
                posterior.mean,
                posterior.log_variance,
                decode_here,
                context.hyper,
                keys.named(key, "regularizers"),
            )
            loss = loss + parts.add_regularizers(regularizers, seen, metrics)
        return loss, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, metrics, aux)

    # ---- what it can do ----------------------------------------------------------------------------------------------
    def sample_posterior(params: Players, stats: Players, batch: Batch, key: Array) -> tuple[Array, Posterior]:
        image = parts.observed(batch, key, binarization)
        posterior, _ = posterior_of(params, stats, image, batch.get("label"), None, train=False)
        return draw(params, posterior, key, 1)["z"][0], posterior

    def sample_prior(weights: Weights, key: Array, count: int) -> Array:
        model = prior_of(weights.params, weights.stats)
        return model.sample(parts.tree_of(weights.params, "prior"), keys.named(key, "latents"), count)

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        return likelihood.mean(outputs_of(weights.params, weights.stats, latents, label, None, train=False)[0])

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        """Mean and log-variance of q(z|x); after a flow, the image of the mean alone."""
        image = parts.observed(batch, None, binarization)
        posterior, _ = posterior_of(weights.params, weights.stats, image, batch.get("label"), None, train=False)
        if posterior_flow is None:
            return {"mean": posterior.mean, "log_variance": posterior.log_variance}
        flow = posterior_flow.build(parts.tree_of(weights.params, "posterior_flow"), posterior.context)
        return {"mean": flow.forward(posterior.mean)[0]}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The ELBO (beta = 1) and its parts for every example, in nats; with a tighter bound, that too ("bound")."""
        params, stats, label = weights.params, weights.stats, batch.get("label")
        image = parts.observed(batch, key, binarization)
        posterior, _ = posterior_of(params, stats, image, label, None, train=False)
        latents = draw(params, posterior, key, samples)
        log_prob, _, _ = render(params, stats, image, latents["z"], label, None, train=False)
        kl = divergence(params, stats, latents, posterior).sum(axis=-1)
        values = {"elbo": log_prob.mean(axis=0) - kl, "reconstruction": log_prob.mean(axis=0), "kl": kl}
        if bound is Bound.ELBO:
            return values
        log_p = log_prior(params, stats, latents["z"])
        return {**values, "bound": bounds.iwae(log_prob + log_p - log_posterior(latents, posterior))}

    def log_likelihood_details(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        """The importance-weighted bound at k = samples, its standard error and effective sample size, in the memory of
        one chunk. The chunk is a divisor of k, so a prime k goes sample by sample: correct, and slow."""
        params, stats, label = weights.params, weights.stats, batch.get("label")
        image = parts.observed(batch, key, binarization)
        posterior, _ = posterior_of(params, stats, image, label, None, train=False)
        chunk = parts.chunk_size(samples, image.size // shape[-1] * likelihood.parameters(shape[-1]))

        def log_weights(index: Array) -> Array:
            latents = draw(params, posterior, jax.random.fold_in(keys.named(key, "importance"), index), chunk)
            log_prob, _, _ = render(params, stats, image, latents["z"], label, None, train=False)
            return log_prob + log_prior(params, stats, latents["z"]) - log_posterior(latents, posterior)

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    return Body(
        players=players,
        aux={"geco": rate.geco_init()} if geco else {},
        objective=objective,
        sample_posterior=sample_posterior,
        outputs=outputs_of,
        prior=sample_prior,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        log_likelihood_details=log_likelihood_details,
        levels=parts.levels_of(likelihood, binarization),
        probe=vae_probe(encode, decode, analytic, shape),
        best="elbo" if bound is Bound.ELBO else "bound",
    )
