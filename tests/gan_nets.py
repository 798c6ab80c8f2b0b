"""What the tests of the GAN networks share: counting parameters without making them, and calling a network."""

from functools import partial

import jax
import jax.numpy as jnp


def parameters(module, *shapes, label: bool = False) -> int:
    """Trainable scalars of a network for inputs of these shapes (and a label); nothing is computed."""
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    inputs += [jax.ShapeDtypeStruct(shapes[0][:1], jnp.int32)] * label
    made = jax.eval_shape(lambda *a: module.init(jax.random.key(0), *a, train=False), *inputs)
    return sum(leaf.size for leaf in jax.tree.leaves(made["params"]))


def pair(generator, discriminator, latents: int, size: int, channels: int = 3, label: bool = False) -> tuple[int, int]:
    """(generator's, discriminator's) parameters."""
    return (
        parameters(generator, (2, latents), label=label),
        parameters(discriminator, (2, size, size, channels), label=label),
    )


def start(module, *inputs, train: bool = False):
    """(params, stats) of a network."""
    variables = dict(_begin(module, train, jax.random.key(0), *inputs))
    return variables.pop("params"), variables


def call(module, params, stats, *inputs, train: bool):
    """(outputs, new stats)."""
    return _apply(module, train, {"params": params, **stats}, *inputs)


# Programs, not an operation at a time, each of which would be a program: networks are hashable, so one a network.
@partial(jax.jit, static_argnums=(0, 1))
def _begin(module, train, key, *inputs):
    return module.init(key, *inputs, train=train)


@partial(jax.jit, static_argnums=(0, 1))
def _apply(module, train, variables, *inputs):
    return module.apply(variables, *inputs, train=train, mutable=[name for name in variables if name != "params"])
