"""Random bits of many keys at once: Threefry-2x32 (Salmon et al. 2011), bit for bit JAX's own, written for fusion.

On CPU JAX runs the rounds of Threefry as a loop of small programs over arrays in memory. Written out, they fuse with
whatever uses the bits: half the time for a batch of noise, and one program in place of dozens, which is what a small
model's step is made of. `write_out` has JAX's own functions do the same: two million normal numbers took 42 ms of a
core and take 13, and their program compiles in .08 s of processor time in place of 1.2, which a model's initial state
costs for every array of weights.
"""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p
from jax.interpreters import mlir

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def available(key: jax.Array) -> bool:
    """Whether `streams` gives JAX's own bits for this key: its default generator, with 32-bit numbers."""
    return (
        str(jax.random.key_impl(key)) == "threefry2x32"
        and jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
        and not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    )


def write_out() -> None:
    """From now on `jax.random` writes Threefry's rounds out in the CPU programs that this process compiles, as it does
    on a GPU anyway. The bits are the same."""
    mlir.register_lowering(threefry2x32_p, mlir.lower_fun(block, multiple_results=True), platform="cpu")


def streams(key: jax.Array, rows: jax.Array, *shape: int) -> jax.Array:
    """uint32 [len(rows), prod(shape)]: for each row, `jax.random.bits(fold_in(key, row), shape)`, flat."""
    words = jax.random.key_data(key)
    rows = rows.astype(jnp.uint32)
    first, second = block(words[0], words[1], jnp.zeros_like(rows), rows)
    counter = jnp.arange(prod(shape), dtype=jnp.uint32)[None, :]
    a, b = block(first[:, None], second[:, None], jnp.zeros_like(counter), counter)
    return a ^ b


def block(k0: jax.Array, k1: jax.Array, x0: jax.Array, x1: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The 20 rounds on two words under a key of two words; all uint32, broadcast together."""
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA))
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation)))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def unit_floats(bits: jax.Array) -> jax.Array:
    """uint32 -> float32 in [0, 1): the 23 highest bits as a mantissa, as `jax.random.uniform` does."""
    return lax.bitcast_convert_type((bits >> np.uint32(9)) | np.uint32(0x3F800000), jnp.float32) - np.float32(1.0)
