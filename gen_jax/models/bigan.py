"""BiGAN (Donahue et al. 2017) and ALI (Dumoulin et al. 2017): a GAN on pairs of image and latents, which learns E too.

The discriminator tells (x, E(x)) from (G(z), z); generator and encoder move together to exchange the two. BiGAN's
encoder is a function, ALI's (`stochastic`) a reparameterised Gaussian.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.penultimate import penultimate
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.divergences import normal_sample


def bigan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    *,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Any,
    loss: AdversarialLoss = non_saturating,
    stochastic: bool = False,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A BiGAN, or with `stochastic` ALI, as an `Algorithm`.

    generator: latents [B, d] -> images. encoder: images -> (mean, log_variance), [B, d] each. discriminator: (images,
    latents) -> logits [B], larger for (x, E(x)). hyper: a mapping or a dataclass such as `gan.Hyper`: lr_generator (of
    generator and encoder), lr_discriminator, b1, b2; `ema_decay` averages generator and encoder, `clip_norm` bounds
    each player's gradient norm. Generator and encoder minimise the discriminator's loss with the two kinds exchanged,
    so neither side of the game saturates.
    """
    check_latent_size(latent_size)
    values = hypers.values_of(hyper)
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    code_example = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {
        "generator": hypers.player(generator, (code_example,), chosen["generator"], values),
        "encoder": hypers.player(encoder, (image_example,), chosen["generator"], values),
        "discriminator": hypers.player(
            discriminator, (image_example, code_example), chosen["discriminator"], values, average=False
        ),
    }
    call = caller(players)

    def code_of(params: Players, stats: Players, image: Array, key: Array) -> tuple[Array, Tree]:
        """(codes [B, d] in training, the encoder's new statistics)."""
        (mean, log_variance), new = call("encoder", params, stats, image, train=True, key=key)
        if not stochastic:
            return mean, new
        return normal_sample(mean, log_variance, keys.normal(keys.named(key, "posterior"), *mean.shape)), new

    def play(params: Players, context: Context) -> tuple[Array, Array, Players]:
        """(logits of (x, E(x)), logits of (G(z), z), statistics of all three)."""
        key, stats, image = context.key, context.stats, context.batch["x"]
        latents = keys.normal(keys.named(key, "latents"), image.shape[0], latent_size)
        fake, generator_stats = call("generator", params, stats, latents, train=True, key=key)
        codes, encoder_stats = code_of(params, stats, image, key)
        sides = {"real": (image, codes), "fake": (fake, latents)}
        logits, judged = {}, stats["discriminator"]
        for side, pair in sides.items():
            own = keys.named(key, side)
            logits[side], judged = call("discriminator", params, {"discriminator": judged}, *pair, train=True, key=own)
        new = {"generator": generator_stats, "encoder": encoder_stats, "discriminator": judged}
        return logits["real"], logits["fake"], new

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.discriminator(real, fake)
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fake.mean()}
        return value, Aux({"discriminator": stats["discriminator"]}, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.discriminator(fake, real)
        kept = {name: stats[name] for name in ("generator", "encoder")}
        return value, Aux(kept, {"loss/generator": value})

    phases = Phase(("discriminator",), discriminator_objective), Phase(("generator", "encoder"), generator_objective)
    return compose(players, phases, values)._replace(**_abilities(players, latent_size, stochastic))


def _abilities(players: Mapping[str, Player], latent_size: int, stochastic: bool) -> dict[str, Any]:
    """What it can do beside training, as fields of `Algorithm`."""
    call = caller(players)

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return keys.normal(keys.named(key, "latents"), count, latent_size)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        return call("generator", weights.params, weights.stats, latents, train=False)[0]

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        mean, log_variance = call("encoder", weights.params, weights.stats, batch["x"], train=False)[0]
        return {"mean": mean, "log_variance": log_variance} if stochastic else {"mean": mean}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """Squared errors there and back, x -> E -> G and z -> G -> E, and the game's logits; per example."""
        params, stats, image = weights.params, weights.stats, batch["x"]
        codes = encode(weights, batch)["mean"]
        latents = prior(weights, key, image.shape[0])
        fake = decode(weights, latents)
        again = encode(weights, {"x": fake})["mean"]
        error = (decode(weights, codes) - image) ** 2
        return {
            "squared_error": error.reshape(image.shape[0], -1).sum(axis=-1),
            "latent_error": ((again - latents) ** 2).sum(axis=-1),
            "logits/real": call("discriminator", params, stats, image, codes, train=False)[0],
            "logits/fake": call("discriminator", params, stats, fake, latents, train=False)[0],
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of G(E(x))."""
        return evaluate(weights, batch, key)["squared_error"]

    def features(weights: Weights, batch: Batch, x: Array) -> Array:
        """What the discriminator's last layer sees of the pair (x, E(the batch's x)): Zenati et al. 2018's residual."""
        pair = x, encode(weights, batch)["mean"]
        return penultimate(
            players["discriminator"], weights.params["discriminator"], weights.stats["discriminator"], *pair
        )

    return {
        "samplers": latent_samplers(prior, decode, normal_prior=True),
        "prior": prior,
        "normal_prior": True,
        "decode": decode,
        "encode": encode,
        "point_codes": not stochastic,
        "evaluate": evaluate,
        "score": score,
        "features": features,
        "adversarial": True,
    }
