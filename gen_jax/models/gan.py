"""Generative adversarial networks (Goodfellow et al. 2014): two players, two phases.

The discriminator moves `n_critic` times, each on its own minibatch, then the generator once (`gan_game`). The rules are
an `AdversarialLoss`; what else published GANs differ in comes as terms (`gan_terms`, `gan_heads`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.compose import compose
from gen_jax.core.domains import NonNegative, Share
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase, SharedForward
from gen_jax.core.players import Player, adam, caller
from gen_jax.core.private import Mechanism
from gen_jax.core.types import Algorithm
from gen_jax.models import gan_abilities, gan_game, hypers
from gen_jax.models.conditions import examples_of
from gen_jax.models.gan_checks import refuse_mixing
from gen_jax.models.gan_parts import Latents, Parts, Term, chain
from gen_jax.objectives.adversarial import AdversarialLoss


@dataclass(frozen=True, kw_only=True)
class Hyper:
    """The scalars that every GAN with Adam and an averaged generator reads; a script extends them by its terms'."""

    lr_generator: NonNegative = 2e-4
    lr_discriminator: NonNegative = 2e-4
    b1: Share = 0.5
    b2: Share = 0.999
    ema_decay: Share = 0.99
    """of the generator's average, which samples come from"""


class Turns(NamedTuple):
    """How a round goes."""

    n_critic: int = 1  # steps of the discriminator, each on its own minibatch
    # Both players see one fake batch, made once; otherwise each phase draws its own, as in the paper's algorithm 1.
    share_fakes: bool = False
    fresh_reals: bool = False  # the generator's phase gets real examples of its own (only relativistic losses look)


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    loss: AdversarialLoss,
    shape: tuple[int, ...],
    latents: Latents,
    hyper: Any,
    given: Mapping[str, jax.ShapeDtypeStruct] = {},
    terms: Sequence[Term] = (),
    turns: Turns = Turns(),
    optimizers: Mapping[str, Callable] | None = None,
    average_statistics: bool = False,
    private: Mechanism | None = None,
) -> Algorithm:
    """A GAN as an `Algorithm`.

    generator: (latents [B, latents.size], *given) -> x [B, *shape]. discriminator: (x, *given) -> logits [B]; under a
    head (logits, extra); under packing it sees several examples' channels joined.
    hyper: a mapping or a dataclass such as `Hyper`: what the optimizers read (Adam by default: lr_generator,
    lr_discriminator, b1, b2) and every weight that a term names; with `ema_decay`, samples come from the generator's
    average; with `clip_norm`, each player's gradient has at most that global norm.
    given: what both players are told beside, such as `core.types.LABEL`. terms: in order, see `gan_parts.Term`.
    optimizers: in place of Adam, by player: hyper -> optax transformation.
    average_statistics: the generator's average is of its batch statistics too (see `Player.ema_statistics`).
    private: the discriminator learns by it, and the generator from the discriminator alone, given what `private.given`
    draws. Raises UserError for combinations that cannot work together.
    """
    parts, values = chain(terms, given), hypers.values_of(hyper)
    _check(turns)
    players = _players(generator, discriminator, shape, latents, given, parts, values, optimizers or {})
    players["generator"] = players["generator"]._replace(ema_statistics=average_statistics)
    game = gan_game.Game(players, caller(players), loss, latents, tuple(given), parts)
    phases = (
        Phase(("discriminator",), partial(gan_game.discriminator_objective, game), repeats=turns.n_critic),
        Phase(("generator",), partial(gan_game.generator_objective, game), fresh=turns.fresh_reals),
    )
    if private is not None:
        refuse_mixing(parts, loss, turns.share_fakes)
        phases = private.phase(phases[0]), private.blind(phases[1])
    shared = SharedForward(("generator",), partial(gan_game.generate, game)) if turns.share_fakes else None
    controlled = {controller.name: controller.initial for controller in parts.controllers}
    algorithm = compose(players, phases, values, aux=controlled, shared=shared)
    algorithm = algorithm._replace(**gan_abilities.of(game, shape))
    # Without a probe, which would look at training examples.
    return algorithm if private is None else algorithm._replace(probe=None, privacy=private.record())


def _players(
    generator: nn.Module,
    discriminator: nn.Module,
    shape: tuple[int, ...],
    latents: Latents,
    given: Mapping[str, jax.ShapeDtypeStruct],
    parts: Parts,
    hyper: Mapping[str, float],
    optimizers: Mapping[str, Callable],
) -> dict[str, Player]:
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **optimizers}
    codes = jax.ShapeDtypeStruct((2, latents.size), jnp.float32)
    seen = jax.ShapeDtypeStruct((2, *shape[:-1], shape[-1] * parts.packing), jnp.float32)
    told = examples_of(given)
    critic = hypers.player(discriminator, (seen, *told), chosen["discriminator"], hyper, average=False)
    return {
        "generator": hypers.player(generator, (codes, *told), chosen["generator"], hyper),
        "discriminator": critic._replace(project=parts.projected if parts.projects else None),
    }


def _check(turns: Turns) -> None:
    if turns.n_critic < 1:
        raise UserError(f"n_critic is {turns.n_critic}; the discriminator takes 1 step a round or more")
    if turns.share_fakes and turns.n_critic > 1:
        raise UserError(f"share_fakes makes one fake batch a round, but n_critic is {turns.n_critic}; use n_critic 1")
