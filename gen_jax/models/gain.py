"""GAIN: generative adversarial imputation (Yoon et al. 2018, arXiv:1806.02920). Two phases. Written from the paper.

The generator fills the gaps of what it is shown; the discriminator says of every cell whether it was observed, and is
helped by a hint that tells it the truth about most cells. It learns on the cells that the hint leaves open. (The
released code's hint is another: it keeps nine tenths of the ones, and says nothing of what is open.)
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import gaps, hypers
from gen_jax.models.gaps import Seen
from gen_jax.objectives.likelihoods import softplus

NOISE = 0.01  # the gaps hold U(0, NOISE), in units of the range of the data
DRAWS = 10.0


class _Range(NamedTuple):
    """Of the data: a number or one a column."""

    low: Array
    span: Array


def gain(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    shape: tuple[int, ...],
    hyper: Any,
    low: Any = -1.0,
    high: Any = 1.0,
    hide: gaps.Masks | None = None,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A GAIN as an `Algorithm`; x may have gaps (NaN).

    generator: x with noise in its gaps, scaled to [0, 1], and the mask, side by side ([B, 2D], or [B, H, W, C + 1] of
    images) -> raw x [B, *shape], of which the sigmoid is taken. discriminator: filled x and the hint, likewise ->
    logits of "this cell was observed", [B, *cells]. low, high: the range of x, numbers or one a column; it must be of
    values that training may see. hide: masks that hide more at every step, so that complete data have gaps. hyper:
    lr_generator, lr_discriminator, b1, b2; `hint`: the share of cells that the discriminator is told of; `alpha`: the
    weight of the squared error on what is observed; `ema_decay` averages the generator, `clip_norm` bounds gradients.
    Samplers: "complete", given "x" and "mask"; "expected": the mean over `samples` draws of the noise; "prior": nothing
    observed. It has no likelihood.
    """
    values = hypers.values_of(hyper)
    hypers.need(values, ("hint", "alpha"))
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    pair = jax.eval_shape(lambda: gaps.nothing(2, shape).condition)
    players = {
        "generator": hypers.player(generator, (pair,), chosen["generator"], values),
        "discriminator": hypers.player(discriminator, (pair,), chosen["discriminator"], values, average=False),
    }
    call = caller(players)
    low, span = jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32) - jnp.asarray(low, jnp.float32)
    span = jnp.where(span > 0, span, 1.0)  # of a column of one value

    def fill(weights: Weights, seen: Seen, key: Array, *, train: bool) -> tuple[Array, Array, Any]:
        """(the generator's x, x with its gaps filled, both scaled to [0, 1]; its statistics)."""
        unit = (seen.x - low) / span
        noise = keys.uniform(keys.named(key, "noise"), *unit.shape, maxval=NOISE)
        holed = jnp.where(seen.shown != 0, unit, noise)
        own = key if train else None
        raw, stats = call("generator", *weights, jnp.concatenate([holed, seen.shown], -1), train=train, key=own)
        made = jax.nn.sigmoid(raw)
        return made, jnp.where(seen.shown != 0, unit, made), stats

    def look(context: Context) -> Seen:
        seen = gaps.look(context.batch)
        if hide is None:
            return seen
        return gaps.look(context.batch, seen.shown * hide(keys.named(context.key, "hide"), context.batch["x"]))

    def judge(params: Players, context: Context, seen: Seen, full: Array) -> tuple[Array, Array, Any]:
        """(logits, which cells the hint left open, the discriminator's statistics)."""
        uniform = keys.uniform(keys.named(context.key, "hint"), *seen.shown.shape)
        told = (uniform < context.hyper["hint"]).astype(jnp.float32)
        hint = told * seen.shown + 0.5 * (1.0 - told)
        logits, stats = call(
            "discriminator", params, context.stats, jnp.concatenate([full, hint], -1), train=True, key=context.key
        )
        return logits, 1.0 - told, stats

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        seen = look(context)
        _, full, made_stats = fill(Weights(params, context.stats), seen, context.key, train=True)
        logits, open_, stats = judge(params, context, seen, jax.lax.stop_gradient(full))
        loss = seen.shown * softplus(-logits) + (1.0 - seen.shown) * softplus(logits)
        value = _share(loss, open_, context.hyper["hint"]).mean()
        return value, Aux({"discriminator": stats, "generator": made_stats}, {"loss/discriminator": value})

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        seen = look(context)
        made, full, stats = fill(Weights(params, context.stats), seen, context.key, train=True)
        logits, open_, _ = judge(params, context, seen, full)
        fooling = _share(softplus(-logits), open_ * (1.0 - seen.shown), context.hyper["hint"]).mean()
        error = _of_shown((made - (seen.x - low) / span) ** 2, seen.shown).mean()
        told = {"loss/generator": fooling, "squared_error": error}
        return fooling + context.hyper["alpha"] * error, Aux({"generator": stats}, told)

    phases = (Phase(("discriminator",), discriminator_objective), Phase(("generator",), generator_objective))
    return _finish(compose(players, phases, values), fill, _Range(low, span), shape)


def _finish(algorithm: Algorithm, fill: Callable[..., Any], units: _Range, shape: tuple[int, ...]) -> Algorithm:
    """The algorithm with what a GAIN can do."""

    def draw(weights: Weights, seen: Seen, key: Array) -> Array:
        made, _, _ = fill(weights, seen, key, train=False)
        return gaps.filled(seen, units.low + units.span * made)

    def complete(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return draw(weights, gaps.asked(given), key)

    def expected(
        weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, samples: float = DRAWS
    ) -> Array:
        seen = gaps.asked(given)
        mean = gaps.mean_over(int(samples), lambda number: draw(weights, seen, jax.random.fold_in(key, number)))
        return gaps.filled(seen, mean)  # a mean of equal numbers is rounded

    def sample(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return draw(weights, gaps.nothing(count, shape), key)

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """Mean squared error of a tenth of the known cells, hidden at random: of each example, in the data's units."""
        seen = gaps.look(batch)
        hidden = seen.known * (keys.uniform(keys.named(key, "hidden"), *seen.known.shape) < 0.1)
        guess = draw(weights, seen._replace(shown=seen.shown * (1.0 - hidden)), key)
        return {"squared_error": _of_shown((guess - seen.x) ** 2, hidden)}

    return algorithm._replace(
        samplers={
            "prior": Sampler(sample),
            "complete": Sampler(complete, gaps.GIVEN),
            "expected": Sampler(expected, gaps.GIVEN, {"samples": DRAWS}),
        },
        evaluate=evaluate,
        adversarial=True,
        gaps=True,
    )


def _share(losses: Array, open_: Array, hint: Array) -> Array:
    """The mean of losses [B, *cells] over the cells that are open, of whose number the expectation is taken: [B]."""
    return (losses * open_).reshape(losses.shape[0], -1).mean(axis=1) / (1.0 - hint)


def _of_shown(values: Array, shown: Array) -> Array:
    """The mean of values [B, *event] over the cells that are shown, 0 where there is none: [B]."""
    chosen = jnp.broadcast_to(shown, values.shape).reshape(values.shape[0], -1)
    total = jnp.where(chosen != 0, values.reshape(values.shape[0], -1), 0.0).sum(axis=1)
    return total / jnp.maximum(chosen.sum(axis=1), 1.0)
