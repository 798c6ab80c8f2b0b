"""TVAE: a VAE of the rows of a table (Xu et al. 2019, arXiv:1907.00503, section 4.5). One phase.

p(row | z) is a normal about tanh of each number's output, with a deviation a column that is learned, and a categorical
over each column's choices; q(z | row) and p(z) are normal. The reconstruction counts `factor` times.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam_l2, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Hyper, Players, Sampler, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.objectives import divergences, rows
from gen_jax.objectives.likelihoods import LOG_2PI
from gen_jax.objectives.rows import Layout

NARROWEST, WIDEST = 0.01, 1.0  # of the learned deviations


def tvae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    layout: Layout,
    shape: tuple[int, ...],
    hyper: Any,
    optimizer: Callable = adam_l2("lr", "l2"),
) -> Algorithm:
    """A TVAE as an `Algorithm`; x [B, *shape] may have gaps (NaN) and columns of categories.

    encoder: encoded rows [B, layout.width] -> (mean, log variance) of q(z|x), each [B, d]. decoder: z [B, d] -> (raw
    outputs [B, layout.width], deviations [numbers]), such as `rows.Decoder`. layout: `rows.layout` of the table's
    columns. hyper: lr, b1, b2, l2 (the weight of half the squared parameters, in the gradient), factor; `ema_decay`,
    `clip_norm` as for `vae`.
    Samplers: "prior" draws z, then the row: numbers about their means and each column's choice by its
    probability; with `choice` 0 the likeliest one. `evaluate` and `score` are of encoded rows, in nats.
    """
    check_latent_size(getattr(encoder, "latent_size", 1))
    values = hypers.values_of(hyper)
    hypers.need(values, ("factor",))
    one = jax.ShapeDtypeStruct((2, layout.width), jnp.float32)
    mean, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0], one)
    latent_size = mean.shape[-1]
    players = {
        "encoder": hypers.player(encoder, (one,), optimizer, values),
        "decoder": hypers.player(decoder, (jax.ShapeDtypeStruct(mean.shape, jnp.float32),), optimizer, values)._replace(
            project=_within
        ),
    }
    call = caller(players)

    def pass_through(weights: Weights, row: Array, noise: Array, key: Array | None, train: bool):
        """(log p(row|z) [B], KL [B], statistics) at one z of q(z|row)."""
        (mean, log_variance), encoder_stats = call("encoder", *weights, row, train=train, key=key)
        z = divergences.normal_sample(mean, log_variance, noise)
        (raw, spread), decoder_stats = call("decoder", *weights, z, train=train, key=key)
        kl = divergences.kl_standard_normal(mean, log_variance).sum(axis=-1)
        return log_prob(layout, raw, spread, row), kl, {"encoder": encoder_stats, "decoder": decoder_stats}

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        row = encode_rows(context.batch, keys.named(context.key, "modes"))
        noise = keys.normal(keys.named(context.key, "posterior"), row.shape[0], latent_size)
        likely, kl, stats = pass_through(Weights(params, context.stats), row, noise, context.key, True)
        told = {"elbo": (likely - kl).mean(), "reconstruction": likely.mean(), "kl": kl.mean()}
        return (kl - context.hyper["factor"] * likely).mean(), Aux(stats, told)

    def encode_rows(batch: Batch, key: Array | None = None) -> Array:
        return rows.encode(layout, batch["x"].reshape(batch["x"].shape[0], -1), key)

    def draw(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, choice: float = 1.0):
        z = keys.normal(keys.named(key, "latents"), count, latent_size)
        (raw, spread), _ = call("decoder", *weights, z, train=False)
        alphas, logits = rows.split(layout, raw)
        noise = keys.normal(keys.named(key, "numbers"), count, len(layout.numbers))
        scores = rows.drawn(layout, logits, keys.named(key, "choices")) if choice else logits
        return rows.decode(layout, jnp.tanh(alphas) + spread * noise, scores).reshape(count, *shape)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """The likeliest row."""
        (raw, _), _ = call("decoder", *weights, latents, train=False)
        alphas, logits = rows.split(layout, raw)
        return rows.decode(layout, jnp.tanh(alphas), logits).reshape(-1, *shape)

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        (mean, log_variance), _ = call("encoder", *weights, encode_rows(batch), train=False)
        return {"mean": mean, "log_variance": log_variance}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        row = encode_rows(batch)
        noise = keys.normal(keys.named(key, "posterior"), row.shape[0], latent_size)
        likely, kl, _ = pass_through(weights, row, noise, None, False)
        return {"elbo": likely - kl, "reconstruction": likely, "kl": kl}

    assert prod(shape) == layout.columns, "the layout is of other columns than x"
    return compose(players, (Phase(tuple(players), objective),), values)._replace(
        samplers={"prior": Sampler(draw, options={"choice": 1.0})},
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="elbo",
        score=lambda weights, batch, key: -evaluate(weights, batch, key)["elbo"],
        gaps=True,
        mixed=True,
    )


def log_prob(layout: Layout, raw: Array, spread: Array, row: Array) -> Array:
    """log p(row | outputs) in nats [B]: normals about tanh of the numbers' outputs, where they lie in a mode, and the
    choices' log-probabilities. raw, row: [B, width]; spread: [numbers]."""
    alphas, _ = rows.split(layout, raw)
    wanted, choices = rows.split(layout, row)
    each = -0.5 * (((wanted - jnp.tanh(alphas)) / spread) ** 2 + LOG_2PI) - jnp.log(spread)
    chosen = row.at[:, : wanted.shape[1]].set(0.0)
    return (each * rows.moving(layout, choices)).sum(axis=1) + (chosen * rows.log_softmax(layout, raw)).sum(axis=1)


def _within(params: Tree, hyper: Hyper) -> Tree:
    return {**params, "spread": jnp.clip(params["spread"], NARROWEST, WIDEST)}
