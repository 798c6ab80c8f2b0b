"""How a phase learns from its objective: the gradient of the mean, or one of single examples, clipped and noised.

A `Gradient` gives (loss, gradients by player, Aux), already reduced over the data axis, so that every instance of the
program takes the same step.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.core import axis, keys, returned
from gen_jax.core.errors import UserError
from gen_jax.core.norms import euclidean
from gen_jax.core.types import PRESENT, Array, Aux, Context, Objective, Players, Tree


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
        return returned.by_objective(objective({**params, **own}, context._replace(shared=outputs)), moving)

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


def private(
    clip: str | float, noise: str | float, expected: float | None = None, spent: Callable[[Array], Array] | None = None
) -> Gradient:
    """The Gaussian mechanism (Abadi et al. 2016, algorithm 1): a gradient an example, each of a global norm of at most
    `clip`, summed, with noise of standard deviation noise · clip a coordinate, over the batch size. Both are numbers
    or names of hypers.

    Of a Poisson batch (`PRESENT`), rows that hold no example count nothing, and the sum is divided by how many are
    `expected`: the number that there are would give away who was drawn. Metrics of such a batch are left out, for they
    are not private; in their place stands epsilon, `spent(rounds)`, where that is given. Of other batches the metrics
    are means over the batch as they are.

    The norm is that of all moving players together. An objective whose value of one example depends on others is
    refused (UserError, as the program is traced): a mean over the batch, new statistics, a shared forward pass.
    """

    def gradient(
        objective: Objective, params: Players, moving: tuple[str, ...], context: Context, pullback: Pullback | None
    ) -> tuple[Array, dict[str, Tree], Aux]:
        if pullback is not None:
            raise UserError("a shared forward pass is one of the whole batch; a private phase needs its own")
        if context.beside:
            raise ValueError("a private phase sees one stream: what is beside has no example of its own")
        bound, own = _number(clip, context), {name: params[name] for name in moving}

        def one(row: dict[str, Array]) -> tuple[Array, Players, dict[str, Array]]:
            alone = context._replace(batch={name: leaf[None] for name, leaf in row.items()})

            def value(mine: Players) -> tuple[Array, Aux]:
                return returned.by_objective(objective({**params, **mine}, alone), moving)

            (loss, aux), grads = jax.value_and_grad(value, has_aux=True)(own)
            if jax.tree.leaves((aux.stats, aux.aux)):
                raise UserError(
                    "a private phase moves no statistics and no controllers, which are of the whole batch; use "
                    "networks without batch norm and spectral norm, and no ADA, GECO or BEGAN"
                )
            scale = jnp.minimum(1.0, bound / jnp.maximum(euclidean(grads), 1e-12))
            return loss, jax.tree.map(lambda g: g * scale, grads), dict(aux.metrics)

        losses, clipped, metrics = jax.vmap(one, axis_name=axis.EXAMPLE_AXIS)(dict(context.batch))
        count = losses.shape[0] * (lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1)
        if (present := context.batch.get(PRESENT)) is not None:
            # Not by a product: a row that holds none shows an example all the same, whose gradient may be infinite.
            clipped = jax.tree.map(lambda g: jnp.where(_along(present, g) > 0, g, 0.0), clipped)
            losses = jnp.where(present > 0, losses, 0.0)
            count, metrics = expected or count, {}
        total = jax.tree.map(lambda g: g.sum(axis=0), clipped)
        total = lax.psum(total, axis.DATA_AXIS) if axis.bound() else total
        leaves, structure = jax.tree.flatten(total)
        root = keys.named(context.key, "private noise")
        scale = _number(noise, context) * bound

        def noisy(number: int, leaf: Array) -> Array:
            return (leaf + scale * jax.random.normal(jax.random.fold_in(root, number), leaf.shape)) / count

        noised = [noisy(number, leaf) for number, leaf in enumerate(leaves)]
        loss, metrics = mean_of((losses.mean(), {name: value.mean() for name, value in metrics.items()}))
        if spent is not None:
            metrics["epsilon"] = spent(context.step + 1)
        return loss, jax.tree.unflatten(structure, noised), Aux(metrics=metrics)

    return gradient


def _number(value: str | float, context: Context) -> Array:
    return context.hyper[value] if isinstance(value, str) else jnp.float32(value)


def _along(rows: Array, leaf: Array) -> Array:
    """[B] as [B, 1, ...], to stand beside a leaf [B, ...]."""
    return rows.reshape(-1, *[1] * (leaf.ndim - 1))


def mean_of(tree: Tree) -> Tree:
    """The mean over the data axis of floating leaves; counters are the same everywhere already."""
    return jax.tree.map(lambda x: axis.pmean(x) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x, tree)
