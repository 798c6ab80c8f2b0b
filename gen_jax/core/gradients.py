"""How a phase learns from its objective: the gradient of the mean, or one of single examples, clipped and noised.

A `Gradient` gives (loss, gradients by player, Aux), already reduced over the data axis, so that every instance of the
program takes the same step.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core import axis, keys
from gen_jax.core.norms import euclidean
from gen_jax.core.types import Array, Aux, Context, Objective, Players, Tree


class Pullback(NamedTuple):
    """The way back through a forward pass that phases share: cotangents of its outputs -> gradients by player."""

    players: tuple[str, ...]
    function: Callable[[Tree], tuple[Players]]


# (objective, all parameters, players to move, context, pullback of a shared forward pass or None) -> ...
Gradient: TypeAlias = Callable[
    [Objective, Players, tuple[str, ...], Context, Pullback | None], tuple[Array, dict[str, Tree], Aux]
]


def of_the_mean(
    objective: Objective, params: Players, moving: tuple[str, ...], context: Context, pullback: Pullback | None
) -> tuple[Array, dict[str, Tree], Aux]:
    """The gradient of the objective as it stands, a mean over rows; averaged over the data axis."""

    def value(own: Players, outputs: Tree) -> tuple[Array, Aux]:
        return objective({**params, **own}, context._replace(shared=outputs))

    own = {name: params[name] for name in moving}
    through = set(moving) & set(pullback.players) if pullback else set()
    if pullback is not None and through:
        differentiate = jax.value_and_grad(value, argnums=(0, 1), has_aux=True)
        (loss, aux), (grads, cotangents) = differentiate(own, context.shared)
        (pulled,) = pullback.function(cotangents)
        for name in through:
            grads[name] = jax.tree.map(jnp.add, grads[name], pulled[name])
    else:
        (loss, aux), grads = jax.value_and_grad(value, has_aux=True)(own, context.shared)
    # One reduction for everything: the loss travels along so that all instances judge finiteness alike.
    return mean_of((loss, grads, aux))


def private(clip: str, noise: str) -> Gradient:
    """The Gaussian mechanism (Abadi et al. 2016, algorithm 1): a gradient an example, each of a global norm of at most
    hyper[clip], summed, with noise of standard deviation hyper[noise] · hyper[clip] a coordinate, over the batch size.

    The norm is that of all moving players together. An objective whose value of one example depends on others is
    refused (ValueError, as the program is traced): a mean over the batch, new statistics, a shared forward pass. The
    metrics it logs are means over the batch as they are: they are not private.
    """

    def gradient(
        objective: Objective, params: Players, moving: tuple[str, ...], context: Context, pullback: Pullback | None
    ) -> tuple[Array, dict[str, Tree], Aux]:
        if pullback is not None:
            raise ValueError("a shared forward pass is one of the whole batch; a private phase needs its own")
        if context.beside:
            raise ValueError("a private phase sees one stream: what is beside has no example of its own")
        bound, own = context.hyper[clip], {name: params[name] for name in moving}

        def one(row: dict[str, Array]) -> tuple[Array, Players, dict[str, Array]]:
            alone = context._replace(batch={name: leaf[None] for name, leaf in row.items()})
            value = jax.value_and_grad(lambda mine: objective({**params, **mine}, alone), has_aux=True)
            (loss, aux), grads = value(own)
            if jax.tree.leaves((aux.stats, aux.aux)):
                raise ValueError("a private phase moves no statistics and no controllers: they are of the whole batch")
            scale = jnp.minimum(1.0, bound / jnp.maximum(euclidean(grads), 1e-12))
            return loss, jax.tree.map(lambda g: g * scale, grads), dict(aux.metrics)

        losses, clipped, metrics = jax.vmap(one, axis_name=axis.EXAMPLE_AXIS)(dict(context.batch))
        count = losses.shape[0] * (lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)
        total = jax.tree.map(lambda g: g.sum(axis=0), clipped)
        total = lax.psum(total, axis.DATA_AXIS) if axis.bound() else total
        leaves, structure = jax.tree.flatten(total)
        root = keys.named(context.key, "private noise")
        scale = context.hyper[noise] * bound

        def noisy(number: int, leaf: Array) -> Array:
            return (leaf + scale * jax.random.normal(jax.random.fold_in(root, number), leaf.shape)) / count

        noised = [noisy(number, leaf) for number, leaf in enumerate(leaves)]
        loss, metrics = mean_of((losses.mean(), {name: value.mean() for name, value in metrics.items()}))
        return loss, jax.tree.unflatten(structure, noised), Aux(metrics=metrics)

    return gradient


def mean_of(tree: Tree) -> Tree:
    """The mean over the data axis of floating leaves; counters are the same everywhere already."""
    return jax.tree.map(lambda x: axis.pmean(x) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x, tree)
