"""Penalties on weights and their clipping. A kernel is a leaf named "kernel", [..., in, out] as Linen stores it.

Biases, embeddings and the gains of normalisation layers are no kernels and are not charged.
"""

from typing import Any

import jax
import jax.numpy as jnp


def kernels(params: Any) -> list[jax.Array]:
    """Every leaf of `params` whose last key is "kernel", in tree order."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if path and getattr(path[-1], "key", None) == "kernel"]


def orthogonal(params: Any, full: bool = False) -> jax.Array:
    """Sum over kernels of |W'W * (1 - 1I)|^2, W = kernel as [-1, out]: Brock et al. 2019, eq. 3, weight 1e-4.

    Only angles between filters are charged; `full` charges lengths too, |W'W - I|^2 (Brock et al. 2017). The authors'
    code adds s * 2 (WW' * (1 - I)) W to the gradient, which is the gradient of s / 2 times this.
    """

    def one(kernel: jax.Array) -> jax.Array:
        matrix = kernel.reshape(-1, kernel.shape[-1])
        gram = matrix.T @ matrix
        identity = jnp.eye(gram.shape[0], dtype=gram.dtype)
        return jnp.sum((gram - identity if full else gram * (1.0 - identity)) ** 2)

    return sum((one(kernel) for kernel in kernels(params)), start=jnp.zeros(()))


def clip(params: Any, bound: float | jax.Array) -> Any:
    """Every parameter clipped to [-bound, bound], biases too: WGAN's algorithm 1 (Arjovsky et al. 2017), c = .01."""
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -bound, bound), params)
