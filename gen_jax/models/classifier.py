"""A classifier of the labelled examples alone: what methods that learn from few labels are measured against."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Weights
from gen_jax.models import hypers
from gen_jax.models.few_labels import STREAM, cross_entropy, right

Augment = Callable[[Array, Array], Array]  # (x [B, *shape], key) -> x: what is learnt from


def classifier(
    network: nn.Module,
    *,
    shape: tuple[int, ...],
    hyper: Any,
    augment: Augment | None = None,
    optimizer: Callable = adam("lr"),
    draws: str = STREAM,
) -> Algorithm:
    """A supervised classifier as an `Algorithm`.

    network: x [B, *shape] -> class logits [B, K]. hyper: lr, b1, b2; `ema_decay` and `clip_norm` as for `vae`.
    augment: of the images of each step, none of those that are classified. draws: the stream whose labels it learns
    ("train": all of them).
    """
    values = hypers.values_of(hyper)
    players = {
        "classifier": hypers.player(network, (jax.ShapeDtypeStruct((2, *shape), jnp.float32),), optimizer, values)
    }
    call = caller(players)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        x, label = context.batch["x"], context.batch["label"]
        x = x if augment is None else augment(x, keys.named(context.key, "augment"))
        logits, stats = call("classifier", params, context.stats, x, train=True, key=context.key)
        value = cross_entropy(logits, label).mean()
        return value, Aux({"classifier": stats}, {"loss/labelled": value, "accuracy/labelled": right(logits, label)})

    def classify(weights: Weights, batch: Batch) -> Array:
        return call("classifier", weights.params, weights.stats, batch["x"], train=False)[0]

    return compose(players, (Phase(("classifier",), objective, draws=draws),), values)._replace(classify=classify)
