"""A branch that is seldom taken, and costs nothing where it is not, under `vmap` as well."""

from collections.abc import Callable

import jax

from gen_jax.core.types import Array, Aux, Context, Objective, Players, Tree


def once(wanted: Array, function: Callable[[], Tree], otherwise: Tree) -> Tree:
    """`function()` where `wanted`, a boolean scalar, is true, else `otherwise`, a tree of the same shapes.

    `lax.cond` of a batched condition computes both branches of every member at every step: a fit that one step in
    thousands needs would be made in all of them. A loop of one turn is entered where any member asks for it.
    """

    def turn(carry: tuple[Array, Tree]) -> tuple[Array, Tree]:
        return jax.numpy.zeros_like(carry[0]), function()

    return jax.lax.while_loop(lambda carry: carry[0], turn, (wanted, otherwise))[1]


def at_rest(objective: Objective, rests: Callable[[Context], Array]) -> Objective:
    """`objective`, without a backward pass in the rounds for which `rests(context)` is true: its value and metrics are
    still told, its gradient is 0. The optimizers of its players should rest by the same count (`players.during`, whose
    steps `players.turns` tells): rounds go on counting where a step is skipped as not finite."""

    def either(params: Players, context: Context) -> tuple[Array, Aux]:
        def told(params: Players) -> tuple[Array, Aux]:
            return objective(jax.lax.stop_gradient(params), context)

        return jax.lax.cond(rests(context), told, lambda params: objective(params, context), params)

    return either
