"""CTGAN: a conditional GAN of the rows of a table (Xu et al. 2019, arXiv:1907.00503, section 4). Two phases.

Training by sampling: rows come such that rare categories are seen (`data.frequencies`), each with one of its own
categories as the condition, which the generator is told and held to by a cross-entropy, and which the discriminator is
told beside every row. The discriminator judges several rows at once (PacGAN) as a Wasserstein critic with a penalty on
its slope.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, adam_l2, caller
from gen_jax.core.types import Algorithm, Array, Aux, Context, Players, Sampler, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.objectives import penalties, rows
from gen_jax.objectives.packing import pack
from gen_jax.objectives.rows import Layout

TEMPERATURE = 0.2  # of the Gumbel-softmax
STREAM = "weighted"


class Conditions(NamedTuple):
    """Of every category that a condition can name, in the order of `Layout.conditions`: float [C]."""

    counts: np.ndarray  # train rows that have it
    chances: np.ndarray  # how likely training draws it, given its column

    @property
    def size(self) -> int:
        return len(self.counts)


NONE = Conditions(np.zeros(0), np.zeros(0))


def conditions(columns: Sequence[Any]) -> Conditions:
    """Of the columns of categories in order, each with `counts` and `chances` (`data.frequencies.Frequencies`)."""
    if not columns:
        return NONE
    return Conditions(
        *(np.concatenate([np.asarray(getattr(c, part), float) for c in columns]) for part in NONE._fields)
    )


def ctgan(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    layout: Layout,
    shape: tuple[int, ...],
    hyper: Any,
    latent_size: int = 128,
    conditions: Conditions = NONE,
    packing: int = 10,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A CTGAN as an `Algorithm`; x [B, *shape] may have gaps (NaN) and columns of categories.

    generator: z and the condition, side by side [B, latent_size + C], -> raw outputs [B, layout.width]. discriminator:
    `packing` rows with their conditions, side by side, -> logits [B / packing]. hyper: lr_generator, lr_discriminator,
    l2_generator (in the generator's gradient), b1, b2, gradient_penalty; `ema_decay`, `clip_norm` as for `gan`. Rows
    come from the stream "weighted" where there are conditions, from "train" else.
    Samplers: "prior", whose conditions come as often as in the data; "conditional", given "condition", int32 numbers of
    categories in the order of `Layout.conditions`. Raises UserError for packing below 1, and for conditions that do not
    fit the layout.
    """
    check_latent_size(latent_size)
    if packing < 1:
        raise UserError(f"a pack of {packing} rows: give 1 or more")
    places, given = layout.conditions, conditions.size > 0
    if given and len(places) != conditions.size:
        raise UserError(f"{conditions.size} categories to condition on, and the layout has {len(places)}")
    values = hypers.values_of(hyper)
    hypers.need(values, ("gradient_penalty",))
    chosen = {
        "generator": adam_l2("lr_generator", "l2_generator"),
        "discriminator": adam("lr_discriminator"),
        **(optimizers or {}),
    }
    size = conditions.size
    told = jax.ShapeDtypeStruct((2, latent_size + size), jnp.float32)
    judged = jax.ShapeDtypeStruct((2, packing * (layout.width + size)), jnp.float32)
    players = {
        "generator": hypers.player(generator, (told,), chosen["generator"], values),
        "discriminator": hypers.player(discriminator, (judged,), chosen["discriminator"], values, average=False),
    }
    call = caller(players)
    # Of a row that has it, how likely the condition is the one that the row came by, up to a factor a row.
    came_by = np.log(conditions.chances / np.maximum(conditions.counts, 1)) if given else None
    as_often = np.log(np.maximum(conditions.counts, 1e-30)) if given else None

    def seen(context: Context) -> tuple[Array, Array]:
        """(encoded rows [B, width], conditions [B, C]: one category of each row)."""
        x = context.batch["x"]
        row = rows.encode(layout, x.reshape(x.shape[0], -1), keys.named(context.key, "modes"))
        if came_by is None:
            return row, jnp.zeros((row.shape[0], 0))
        scores = jnp.where(row[:, places] > 0, came_by, -jnp.inf)
        scores = scores + rows.gumbel(keys.named(context.key, "condition"), row.shape[0], size)
        return row, jax.nn.one_hot(jnp.argmax(scores, axis=1), size)

    def make(weights: Weights, condition: Array, key: Array, train: bool) -> tuple[Array, Any]:
        """(raw outputs [B, width], the generator's statistics)."""
        z = keys.normal(keys.named(key, "latents"), condition.shape[0], latent_size)
        return call("generator", *weights, jnp.concatenate([z, condition], axis=1), train=train, key=key)

    def packed(row: Array, condition: Array) -> Array:
        return pack(jnp.concatenate([row, condition], axis=1), packing)

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        row, condition = seen(context)
        raw, _ = make(Weights(params, context.stats), condition, context.key, True)
        fake = jax.lax.stop_gradient(rows.soften(layout, raw, keys.named(context.key, "gumbel"), TEMPERATURE))

        def judge(packs: Array, purpose: str) -> Array:
            own = keys.named(context.key, purpose)
            return call("discriminator", params, context.stats, packs, train=True, key=own)[0]

        real, fake = packed(row, condition), packed(fake, condition)
        real_logits, fake_logits = judge(real, "real"), judge(fake, "fake")
        slope = penalties.gradient_penalty(lambda x: judge(x, "slope"), real, fake, keys.named(context.key, "between"))
        loss = fake_logits.mean() - real_logits.mean()
        value = loss + context.hyper["gradient_penalty"] * slope
        return value, Aux({}, {"loss/discriminator": loss, "penalty/gradient_penalty": slope})

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        _, condition = seen(context)
        weights = Weights(params, context.stats)
        raw, stats = make(weights, condition, keys.named(context.key, "made"), True)
        fake = rows.soften(layout, raw, keys.named(context.key, "gumbel"), TEMPERATURE)
        logits, _ = call("discriminator", *weights, packed(fake, condition), train=True, key=context.key)
        loss = -logits.mean()
        kept = -(condition * rows.log_softmax(layout, raw)[:, places]).sum(axis=1).mean()
        return loss + kept, Aux({"generator": stats}, {"loss/generator": loss, "loss/condition": kept})

    def conditional(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        if "condition" not in given:
            raise UserError("a conditional sample needs its condition: the number of a category")
        return draw(weights, key, jax.nn.one_hot(given["condition"], size))

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        if as_often is None:
            return draw(weights, key, jnp.zeros((count, 0)))
        scores = as_often + rows.gumbel(keys.named(key, "condition"), count, size)
        return draw(weights, key, jax.nn.one_hot(jnp.argmax(scores, axis=1), size))

    def draw(weights: Weights, key: Array, condition: Array) -> Array:
        raw, _ = make(weights, condition, key, False)
        alphas, logits = rows.split(layout, raw)
        scores = rows.drawn(layout, logits, keys.named(key, "choices"))
        return rows.decode(layout, jnp.tanh(alphas), scores).reshape(-1, *shape)

    assert prod(shape) == layout.columns, "the layout is of other columns than x"
    stream = STREAM if given else "train"
    phases = (
        Phase(("discriminator",), discriminator_objective, draws=stream),
        Phase(("generator",), generator_objective, draws=stream),
    )
    samplers = {"prior": Sampler(prior)} | ({"conditional": Sampler(conditional, ("condition",))} if given else {})
    return compose(players, phases, values)._replace(samplers=samplers, adversarial=True, gaps=True, mixed=True)
