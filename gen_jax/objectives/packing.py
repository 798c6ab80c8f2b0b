"""PacGAN (Lin et al. 2018): the discriminator judges m examples at once, stacked along channels, against collapse."""

import jax
import jax.numpy as jnp

from gen_jax.core.errors import UserError


def pack(x: jax.Array, m: int) -> jax.Array:
    """Stack each m consecutive rows along the last axis: [B, ..., C] -> [B / m, ..., m C]; points [B, D] likewise.

    The packs do not depend on the layout as long as every shard holds whole ones: UserError where m does not divide B.
    """
    count = x.shape[0]
    if m < 1 or count % m:
        raise UserError(f"packing by {m} does not divide a batch of {count} rows a device; choose a multiple of {m}")
    groups = jnp.moveaxis(x.reshape(count // m, m, *x.shape[1:]), 1, -2)  # [B / m, ..., m, C]
    return groups.reshape(*groups.shape[:-2], m * x.shape[-1])
