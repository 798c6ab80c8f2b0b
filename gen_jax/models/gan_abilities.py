"""What a GAN can do beside training: draw, judge held-out examples, and tell how the game stands."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.types import Array, Batch, State, Weights
from gen_jax.models.conditions import values_of
from gen_jax.models.gan_game import Game
from gen_jax.models.penultimate import penultimate
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import statistics
from gen_jax.objectives.logits import need_logits, with_extra


def of(game: Game, shape: tuple[int, ...]) -> dict[str, Any]:
    """The fields of `Algorithm` beside those of training, for x of this shape."""
    draw, normal = partial(prior, game), game.latents.normal
    make = partial(decode, game)
    return {
        "given": game.given,
        "samplers": latent_samplers(draw, make, game.given, normal),
        "prior": draw,
        "normal_prior": normal,
        "codes": game.latents.codes,
        "decode": make,
        "evaluate": partial(evaluate, game),
        "score": partial(score, game),
        "features": partial(features, game),
        "cluster": partial(cluster, game) if game.parts.head and game.parts.head.groups else None,
        "probe": partial(probe, game, shape),
        "adversarial": True,
    }


def prior(game: Game, weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
    """Latents [count, size]."""
    return game.latents.draw(keys.named(key, "latents"), count)


def decode(game: Game, weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
    """The generator's x [B, *shape] of latents [B, size]."""
    told = values_of(given, game.given)
    return game.call("generator", weights.params, weights.stats, latents, *told, train=False)[0]


def logits(game: Game, weights: Weights, x: Array, given: Mapping[str, Array]) -> Array:
    """The discriminator's logits [B] of x [B, *shape]; one that packs sees the example as often over."""
    told, seen = values_of(given, game.given), jnp.concatenate([x] * game.parts.packing, axis=-1)
    found = game.call("discriminator", weights.params, weights.stats, seen, *told, train=False)[0]
    return with_extra(found, seen)[0] if game.parts.head else need_logits(found, seen)


def evaluate(game: Game, weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
    """The game on held-out data, an example at a time: losses, logits, and how often D calls each side right.

    Under a loss of whole batches (RaGAN's, `loss.of_batch`) an example has no loss of its own, so there is none here.
    """
    fake = decode(game, weights, prior(game, weights, key, batch["x"].shape[0]), batch)
    real_logits, fake_logits = logits(game, weights, batch["x"], batch), logits(game, weights, fake, batch)
    found = {
        "logits/real": real_logits,
        "logits/fake": fake_logits,
        "accuracy/real": (real_logits > 0).astype(jnp.float32),
        "accuracy/fake": (fake_logits < 0).astype(jnp.float32),
    }
    if game.loss.of_batch:
        return found
    pairs = real_logits[:, None], fake_logits[:, None]
    return {
        "loss/discriminator": jax.vmap(game.loss.discriminator)(*pairs),
        "loss/generator": jax.vmap(game.loss.generator)(*pairs),
        **found,
    }


def score(game: Game, weights: Weights, batch: Batch, key: Array) -> Array:
    """Anomaly score [B]: the negative logit of the discriminator."""
    return -logits(game, weights, batch["x"], batch)


def cluster(game: Game, weights: Weights, batch: Batch) -> Array:
    """The head's logits of the first of its codes, [B, groups]."""
    assert game.parts.head is not None
    told = values_of(batch, game.given)
    (_, found), _ = game.call("discriminator", weights.params, weights.stats, batch["x"], *told, train=False)
    return found[:, : game.parts.head.groups]


def features(game: Game, weights: Weights, batch: Batch, x: Array) -> Array:
    """What the discriminator's last layer sees of x [B, *shape], given what the batch is: [B, n]."""
    told, seen = values_of(batch, game.given), jnp.concatenate([x] * game.parts.packing, axis=-1)
    player = game.players["discriminator"]
    return penultimate(player, weights.params["discriminator"], weights.stats["discriminator"], seen, *told)


def probe(game: Game, shape: tuple[int, ...], state: State, batch: Batch, key: Array) -> dict[str, Array]:
    """The discriminator's slope at real and fake examples, and how the fakes vary, with the raw weights.

    The fakes are those of training (batch statistics); the slopes are under running statistics, where rows do not
    answer for one another.
    """
    now, real = Weights(state.params, state.stats), batch["x"]
    codes = game.latents.draw(keys.named(key, "latents"), real.shape[0])
    told = values_of(batch, game.given)
    fake, _ = game.call("generator", state.params, state.stats, codes, *told, train=True, key=key)

    def critic(x: Array) -> Array:
        return logits(game, now, x, batch)

    found = {"slope/real": statistics.slope(critic, real), "slope/fake": statistics.slope(critic, fake)}
    found |= statistics.diversity(real, fake)
    if len(shape) == 3:
        found["high_frequency/samples"] = statistics.high_frequency_ratio(fake, real)
    return found
