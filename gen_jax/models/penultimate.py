"""What a network's last layer sees: features of a discriminator, whatever its architecture."""

from typing import Any

import jax
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.players import Player, apply
from gen_jax.core.types import Array, Tree


def penultimate(player: Player, params: Tree, stats: Tree, *inputs: Array) -> Array:
    """[B, n]: what goes into the last layer that makes one number a row, [B, n] -> [B, 1], as in evaluation.

    Raises UserError where the network has no such layer (BEGAN's discriminator is an autoencoder).
    """
    seen: list[Array] = []

    def note(following: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        found = following(*args, **kwargs)
        x = args[0] if args else None
        if isinstance(x, jax.Array) and isinstance(found, jax.Array) and x.ndim == 2 and found.shape[1:] == (1,):
            seen.append(x)
        return found

    with nn.intercept_methods(note):
        apply(player, params, stats, *inputs, train=False)
    if not seen:
        raise UserError(
            f"{type(player.module).__name__} has no last layer of one output, so there are no features of it; choose "
            "another score"
        )
    return seen[-1]
