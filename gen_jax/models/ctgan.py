"""CTGAN: a conditional GAN of the rows of a table (Xu et al. 2019, arXiv:1907.00503, section 4). Two phases.

Training by sampling: rows come such that rare categories are seen (`data.frequencies`), each with one of its own
categories as the condition, which the generator is told and held to by a cross-entropy, and which the discriminator is
told beside every row. The discriminator judges several rows at once (PacGAN) as a Wasserstein critic with a penalty on
its slope.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, adam_l2, caller
from gen_jax.core.types import Algorithm, Sampler
from gen_jax.models import ctgan_game, hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.ctgan_game import Conditions, Game
from gen_jax.objectives.rows import Layout

STREAM = "weighted"
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
    places, size, given = layout.conditions, conditions.size, conditions.size > 0
    if given and len(places) != size:
        raise UserError(f"{size} categories to condition on, and the layout has {len(places)}")
    values = hypers.values_of(hyper)
    hypers.need(values, ("gradient_penalty",))
    chosen = {
        "generator": adam_l2("lr_generator", "l2_generator"),
        "discriminator": adam("lr_discriminator"),
        **(optimizers or {}),
    }
    told = jax.ShapeDtypeStruct((2, latent_size + size), jnp.float32)
    judged = jax.ShapeDtypeStruct((2, packing * (layout.width + size)), jnp.float32)
    players = {
        "generator": hypers.player(generator, (told,), chosen["generator"], values),
        "discriminator": hypers.player(discriminator, (judged,), chosen["discriminator"], values, average=False),
    }
    game = Game(caller(players), layout, shape, latent_size, conditions, packing)
    assert prod(shape) == layout.columns, "the layout is of other columns than x"
    stream = STREAM if given else "train"
    phases = (
        Phase(("discriminator",), partial(ctgan_game.discriminator_objective, game), draws=stream),
        Phase(("generator",), partial(ctgan_game.generator_objective, game), draws=stream),
    )
    samplers = {"prior": Sampler(partial(ctgan_game.prior, game))}
    if given:
        samplers["conditional"] = Sampler(partial(ctgan_game.conditional, game), ("condition",))
    return compose(players, phases, values)._replace(samplers=samplers, adversarial=True, gaps=True, mixed=True)
