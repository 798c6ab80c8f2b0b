"""Deterministic autoencoders with a density for their codes: RAE (Ghosh et al. 2020), WAE-MMD (Tolstikhin et al. 2018).

The loss is reconstruction plus regularisers of the codes. What a VAE's prior is, here is either fixed (WAE: N(0, I)) or
a density fitted to the codes (RAE's ex-post estimate) by a second phase from which the encoder gets no gradient, so
the autoencoder is the same as without it.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Weights
from gen_jax.models import vae_parts as parts
from gen_jax.models.vae_parts import Codes, Regularizer
from gen_jax.objectives import priors
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check
from gen_jax.objectives.priors import Prior


def autoencoder(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    regularizers: tuple[Regularizer, ...] = (),
    density: Prior | None = None,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
    density_optimizer: Callable = adam("lr_density"),
) -> Algorithm:
    """A regularised autoencoder as an `Algorithm`.

    encoder: images -> (mean, anything): the mean [B, latent_size] is the code. decoder: codes -> likelihood outputs.
    hyper: lr, b1, b2, the regularisers' weights, with a `density` lr_density; `ema_decay` averages every player.
    density: fitted to the codes in a phase of its own and sampled from; by default N(0, I), as a WAE wants it.
    `evaluate`: log p(x | code), the squared error and, with a density, log p(code). None of them bounds log p(x).
    """
    check(likelihood, shape, binarization)
    parts.check_latent_size(latent_size)
    average = "ema_decay" if "ema_decay" in hyper else None
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    players = {
        "encoder": Player(encoder, (image_example,), optimizer, ema=average),
        "decoder": Player(decoder, (jax.ShapeDtypeStruct((2, latent_size), jnp.float32),), optimizer, ema=average),
    }
    model = priors.standard_normal(latent_size) if density is None else density
    if density is not None:
        players["density"] = parts.tree_player(density.init, density_optimizer, average)

    def code_of(params: Players, stats: Players, image: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, "encoder")
        found, new = apply(players["encoder"], params["encoder"], stats["encoder"], image, train=train, key=own)
        return found[0], new

    def outputs_of(params: Players, stats: Players, codes: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, "decoder")
        return apply(players["decoder"], params["decoder"], stats["decoder"], codes, train=train, key=own)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key, stats = context.key, context.stats
        image = parts.observed(context.batch, key, binarization)
        codes, encoder_stats = code_of(params, stats, image, key, train=True)
        outputs, decoder_stats = outputs_of(params, stats, codes, key, train=True)
        reconstruction = likelihood.log_prob(outputs, image).mean()
        metrics = {"reconstruction": reconstruction, "code_norm": (codes**2).sum(axis=-1).mean()}

        def decode_here(codes: Array) -> Array:
            return likelihood.mean(outputs_of(params, stats, codes, None, train=False)[0])

        seen = Codes(codes, codes, None, decode_here, context.hyper, keys.named(key, "regularizers"))
        loss = parts.add_regularizers(regularizers, seen, metrics) - reconstruction
        return loss, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, metrics)

    def density_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        image = parts.observed(context.batch, context.key, binarization)
        codes, _ = code_of(params, context.stats, image, None, train=False)
        value = model.log_prob(parts.tree_of(params, "density"), codes).mean()
        return -value, Aux(metrics={"log_density": value})

    phases = [Phase(("encoder", "decoder"), objective)]
    if density is not None:
        phases.append(Phase(("density",), density_objective))

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return model.sample(parts.tree_of(weights.params, "density"), keys.named(key, "latents"), count)

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        return likelihood.mean(outputs_of(weights.params, weights.stats, latents, None, train=False)[0])

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count))

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        image = parts.observed(batch, None, binarization)
        return {"mean": code_of(weights.params, weights.stats, image, None, train=False)[0]}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        image = parts.observed(batch, key, binarization)
        codes, _ = code_of(weights.params, weights.stats, image, None, train=False)
        outputs, _ = outputs_of(weights.params, weights.stats, codes, None, train=False)
        values = {
            "reconstruction": likelihood.log_prob(outputs, image),
            "squared_error": ((likelihood.mean(outputs) - image) ** 2).reshape(image.shape[0], -1).sum(axis=-1),
        }
        if density is not None:
            values["log_density"] = model.log_prob(parts.tree_of(weights.params, "density"), codes)
        return values

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of the reconstruction."""
        return evaluate(weights, {}, batch, key)["squared_error"]

    algorithm = compose(players, phases, hyper)
    return algorithm._replace(
        best="reconstruction", prior=prior, decode=decode, sample=sample, encode=encode, evaluate=evaluate, score=score
    )
