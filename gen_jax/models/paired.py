"""Paired images: one picture wanted, given another (pix2pix, Isola et al. 2017, arXiv:1611.07004). The generator
minimises the mean absolute error, alone (one phase) or beside a game against a discriminator of patches (two).

The wanted picture is "x" of a batch, the given one "input", enlarged by the bicubic filter where it is smaller. What is
made of a picture depends on nothing else: networks are asked without dropout, and the sampler's key is not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.domains import NonNegative
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import gan, hypers
from gen_jax.models.conditions import values_of
from gen_jax.objectives.adversarial import AdversarialLoss

GIVEN = ("input",)


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    """The scalars of paired images with Adam; without a discriminator its learning rate and `adversarial` are none."""

    l1: NonNegative = 100.0
    """weight of the mean absolute error"""


def enlarged(given: Array, factor: int) -> Array:
    """Pictures [B, h, w, C] `factor` times as large, by the bicubic filter (a = -1/2, borders renormalised)."""
    if factor == 1:
        return given
    count, height, width, channels = given.shape
    return jax.image.resize(given, (count, height * factor, width * factor, channels), "cubic")


def paired(
    generator: nn.Module,
    discriminator: nn.Module | None,
    *,
    shape: tuple[int, ...],
    input_shape: tuple[int, ...],
    hyper: Any,
    loss: AdversarialLoss | None = None,
    optimizers: Mapping[str, Any] | None = None,
) -> Algorithm:
    """Paired images as an `Algorithm`.

    generator: (given picture, enlarged [B, H, W, K]) -> x [B, *shape]. discriminator: (x, given picture) -> logits, of
    any shape; None, with `loss` None: the absolute error alone. hyper: a mapping or a dataclass: lr_generator, b1, b2,
    l1, with a discriminator lr_discriminator; `ema_decay` and `clip_norm` as for `gan`.
    The sampler "prior" is given "input" and clips to [-1, 1]; pictures of other sizes than those of training do, too.
    `evaluate` gives "l1" (of the range [-1, 1]) and "psnr" in dB of each example, over all channels, borders included.
    Raises UserError where the wanted size is no whole multiple of the given one.
    """
    factor = _factor(shape, input_shape)
    values = hypers.values_of(hyper)
    hypers.need(values, ("l1",))
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    given = jax.ShapeDtypeStruct((2, *shape[:2], input_shape[-1]), jnp.float32)
    wanted = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    players = {"generator": hypers.player(generator, (given,), chosen["generator"], values)}
    if discriminator is not None:
        found = hypers.player(discriminator, (wanted, given), chosen["discriminator"], values, average=False)
        players["discriminator"] = found
    call = caller(players)

    def made(params: Players, context: Context) -> tuple[Array, Array, Any]:
        """(given picture, what is made of it, the generator's new statistics)."""
        seen = enlarged(context.batch["input"], factor)
        x, stats = call("generator", params, context.stats, seen, train=True, key=keys.named(context.key, "made"))
        return seen, x, stats

    def judged(params: Players, context: Context, seen: Array, fake: Array) -> tuple[Array, Array, Any]:
        """(logits of the wanted pictures, of those made, the discriminator's new statistics)."""
        real, stats = call("discriminator", params, context.stats, context.batch["x"], seen, train=True)
        between = {**context.stats, "discriminator": stats}
        fakes, stats = call("discriminator", params, between, fake, seen, train=True)
        return real, fakes, stats

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        assert loss is not None
        seen, fake, _ = made(params, context)
        real, fakes, stats = judged(params, context, seen, jax.lax.stop_gradient(fake))
        value = loss.discriminator(real, fakes)
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fakes.mean()}
        return value, Aux({"discriminator": stats}, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        seen, fake, stats = made(params, context)
        error = jnp.abs(fake - context.batch["x"]).mean()
        value, metrics = context.hyper["l1"] * error, {"l1": error}
        if loss is not None:
            real, fakes, _ = judged(params, context, seen, fake)
            metrics["loss/generator"] = loss.generator(real, fakes)
            value += metrics["loss/generator"]
        return value, Aux({"generator": stats}, metrics)

    phases = [Phase(("generator",), generator_objective)]
    if discriminator is not None:
        phases.insert(0, Phase(("discriminator",), discriminator_objective))

    def draw(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        (picture,) = values_of(given, GIVEN)
        x = call("generator", *weights, enlarged(picture, factor), train=False)[0]
        return jnp.clip(x, -1.0, 1.0)

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        error = draw(weights, key, batch["x"].shape[0], batch) - batch["x"]
        square = jnp.mean(error**2, axis=(1, 2, 3))
        return {"l1": jnp.abs(error).mean(axis=(1, 2, 3)), "psnr": 10 * jnp.log10(4.0 / jnp.maximum(square, 4e-10))}

    return compose(players, phases, values)._replace(
        given=GIVEN,
        samplers={"prior": Sampler(draw, GIVEN)},
        evaluate=evaluate,
        best="psnr",
        adversarial=discriminator is not None,
    )


def _factor(shape: tuple[int, ...], given: tuple[int, ...]) -> int:
    if len(shape) == len(given) == 3 and not (shape[0] % given[0] or shape[1] % given[1]):
        factor = shape[0] // given[0]
        if factor == shape[1] // given[1]:
            return factor
    raise UserError(
        f"wanted pictures are {list(shape)} and given ones {list(given)}; the wanted size has to be the given one, or "
        "a whole number of times as large"
    )
