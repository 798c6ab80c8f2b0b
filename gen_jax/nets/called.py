"""Functions that a CPU program holds once for each shape, however often it calls them."""

import functools
from collections.abc import Callable

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def called(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`function` of arrays as a call that XLA leaves a call, where it would copy the body to every place.

    A training step meets the same convolution several times (of real images, of generated ones, for the generator), and
    what is written out takes long to compile. Nothing is fused across the border of a call.
    """

    @jax.jit
    def compiled(*arrays: jax.Array) -> jax.Array:
        with set_xla_metadata(inlineable="true"):  # the calls within, such as jax.numpy's own
            return function(*arrays)

    @functools.wraps(function)
    def call(*arrays: jax.Array) -> jax.Array:
        with set_xla_metadata(inlineable="false"):
            return compiled(*arrays)

    return call
