"""A branch that is seldom taken, and costs nothing where it is not, under `vmap` as well."""

from collections.abc import Callable

import jax

from gen_jax.core.types import Array, Tree


def once(wanted: Array, function: Callable[[], Tree], otherwise: Tree) -> Tree:
    """`function()` where `wanted`, a boolean scalar, is true, else `otherwise`, a tree of the same shapes.

    `lax.cond` of a batched condition computes both branches of every member at every step: a fit that one step in
    thousands needs would be made in all of them. A loop of one turn is entered where any member asks for it.
    """

    def turn(carry: tuple[Array, Tree]) -> tuple[Array, Tree]:
        return jax.numpy.zeros_like(carry[0]), function()

    return jax.lax.while_loop(lambda carry: carry[0], turn, (wanted, otherwise))[1]
