"""A state with a leaf of every kind that a checkpoint has to keep, and whether two are the same to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gen_jax.core.types import State

OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))  # holds an empty state inside


def make(key, width=3) -> State:
    weights = {"Dense_0": {"kernel": jax.random.normal(key, (4, width)), "bias": jnp.zeros(width, jnp.bfloat16)}}
    return State(
        step=jnp.zeros((), jnp.int32),
        key=key,
        params={"generator": weights},
        stats={"generator": {}},
        opt={"generator": OPTIMIZER.init(weights)},
        ema={},
        hyper={"lr": jnp.asarray(0.1)},  # weakly typed
        aux={"keys": jax.random.split(key, 2), "nothing": jnp.zeros((0, 3)), "flags": jnp.array([True, False])},
    )


def leaves_equal(a, b) -> bool:
    def host(leaf):
        return np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)

    same = jax.tree.map(lambda x, y: x.dtype == y.dtype and host(x).tobytes() == host(y).tobytes(), a, b)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(jax.tree.leaves(same))
