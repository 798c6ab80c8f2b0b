"""What lets a discriminator compare the examples of a batch: their standard deviation."""

import jax
import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.errors import UserError


def minibatch_stddev(x: jax.Array, group: int = 4, channels: int = 1) -> jax.Array:
    """Append the standard deviation over groups of rows, as `channels` features: Karras et al. 2018, section 3.

    [B, ..., C] -> [B, ..., C + channels]. A group is `group` consecutive rows (the reference takes every B/group-th),
    so the result does not depend on the layout: UserError where a shard is no whole number of groups, or C of
    `channels`. A whole batch smaller than a group is one group, as in StyleGAN2.
    """
    axis.refuse_example("minibatch standard deviation")
    count, features = x.shape[0], x.shape[-1]
    if not axis.bound():
        group = min(group, count)
    if count % group:
        raise UserError(f"minibatch standard deviation over groups of {group} needs a multiple of it: got {count} rows")
    if features % channels:
        raise UserError(f"minibatch standard deviation: {channels} channels do not divide {features} features")
    grouped = x.reshape(count // group, group, -1, channels, features // channels)  # [groups, group, pixels, ...]
    deviation = jnp.sqrt(jnp.var(grouped, axis=1) + 1e-8)
    summary = jnp.repeat(jnp.mean(deviation, axis=(1, 3)), group, axis=0)  # [B, channels]
    summary = summary.reshape(count, *[1] * (x.ndim - 2), channels)
    return jnp.concatenate([x, jnp.broadcast_to(summary, (*x.shape[:-1], channels)).astype(x.dtype)], axis=-1)
