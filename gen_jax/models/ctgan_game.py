"""The game of CTGAN (Xu et al. 2019, section 4): rows with their conditions, what either player minimises, samples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.players import Call
from gen_jax.core.types import Array, Aux, Context, Players, Weights
from gen_jax.objectives import penalties, rows
from gen_jax.objectives.packing import pack
from gen_jax.objectives.rows import Layout

TEMPERATURE = 0.2  # of the Gumbel-softmax


class Conditions(NamedTuple):
    """Of every category that a condition can name, in the order of `Layout.conditions`: float [C]."""

    counts: np.ndarray  # train rows that have it
    chances: np.ndarray  # how likely training draws it, given its column

    @property
    def size(self) -> int:
        return len(self.counts)


class Game(NamedTuple):
    """Who plays, on rows of which layout, with which conditions."""

    call: Call
    layout: Layout
    shape: tuple[int, ...]
    latent_size: int
    conditions: Conditions
    packing: int

    @property
    def size(self) -> int:
        return self.conditions.size


# ---- rows ------------------------------------------------------------------------------------------------------------


def seen(game: Game, context: Context) -> tuple[Array, Array]:
    """(encoded rows [B, width], conditions [B, C]: one category of each row)."""
    x, of = context.batch["x"], game.conditions
    row = rows.encode(game.layout, x.reshape(x.shape[0], -1), keys.named(context.key, "modes"))
    if not game.size:
        return row, jnp.zeros((row.shape[0], 0))
    # Of a row that has it, how likely the condition is the one that the row came by, up to a factor a row.
    came_by = np.log(of.chances / np.maximum(of.counts, 1))
    scores = jnp.where(row[:, game.layout.conditions] > 0, came_by, -jnp.inf)
    scores = scores + rows.gumbel(keys.named(context.key, "condition"), row.shape[0], game.size)
    return row, jax.nn.one_hot(jnp.argmax(scores, axis=1), game.size)


def make(game: Game, weights: Weights, condition: Array, key: Array, train: bool) -> tuple[Array, Any]:
    """(raw outputs [B, width], the generator's statistics)."""
    z = keys.normal(keys.named(key, "latents"), condition.shape[0], game.latent_size)
    return game.call("generator", *weights, jnp.concatenate([z, condition], axis=1), train=train, key=key)


def packed(game: Game, row: Array, condition: Array) -> Array:
    """As the discriminator judges them: `packing` rows with their conditions, side by side."""
    return pack(jnp.concatenate([row, condition], axis=1), game.packing)


# ---- what is minimised -----------------------------------------------------------------------------------------------


def discriminator_objective(game: Game, params: Players, context: Context) -> tuple[Array, Aux]:
    """Wasserstein's loss of packs of rows, and the penalty on the critic's slope."""
    row, condition = seen(game, context)
    raw, _ = make(game, Weights(params, context.stats), condition, context.key, True)
    fake = jax.lax.stop_gradient(rows.soften(game.layout, raw, keys.named(context.key, "gumbel"), TEMPERATURE))

    def judge(packs: Array, purpose: str) -> Array:
        own = keys.named(context.key, purpose)
        return game.call("discriminator", params, context.stats, packs, train=True, key=own)[0]

    real, fake = packed(game, row, condition), packed(game, fake, condition)
    real_logits, fake_logits = judge(real, "real"), judge(fake, "fake")
    slope = penalties.gradient_penalty(lambda x: judge(x, "slope"), real, fake, keys.named(context.key, "between"))
    loss = fake_logits.mean() - real_logits.mean()
    value = loss + context.hyper["gradient_penalty"] * slope
    return value, Aux({}, {"loss/discriminator": loss, "penalty/gradient_penalty": slope})


def generator_objective(game: Game, params: Players, context: Context) -> tuple[Array, Aux]:
    """What the critic says, and the cross-entropy of the conditions."""
    _, condition = seen(game, context)
    weights = Weights(params, context.stats)
    raw, stats = make(game, weights, condition, keys.named(context.key, "made"), True)
    fake = rows.soften(game.layout, raw, keys.named(context.key, "gumbel"), TEMPERATURE)
    logits, _ = game.call("discriminator", *weights, packed(game, fake, condition), train=True, key=context.key)
    loss = -logits.mean()
    kept = -(condition * rows.log_softmax(game.layout, raw)[:, game.layout.conditions]).sum(axis=1).mean()
    return loss + kept, Aux({"generator": stats}, {"loss/generator": loss, "loss/condition": kept})


# ---- samples ---------------------------------------------------------------------------------------------------------


def conditional(game: Game, weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
    """The sampler "conditional": x [count, *shape], under the categories that are given by number."""
    if "condition" not in given:
        raise UserError("a conditional sample needs its condition: the number of a category")
    return _drawn(game, weights, key, jax.nn.one_hot(given["condition"], game.size))


def prior(game: Game, weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
    """The sampler "prior": x [count, *shape], under conditions as often as in the data."""
    if not game.size:
        return _drawn(game, weights, key, jnp.zeros((count, 0)))
    as_often = np.log(np.maximum(game.conditions.counts, 1e-30))
    scores = as_often + rows.gumbel(keys.named(key, "condition"), count, game.size)
    return _drawn(game, weights, key, jax.nn.one_hot(jnp.argmax(scores, axis=1), game.size))


def _drawn(game: Game, weights: Weights, key: Array, condition: Array) -> Array:
    raw, _ = make(game, weights, condition, key, False)
    alphas, logits = rows.split(game.layout, raw)
    scores = rows.drawn(game.layout, logits, keys.named(key, "choices"))
    return rows.decode(game.layout, jnp.tanh(alphas), scores).reshape(-1, *game.shape)
