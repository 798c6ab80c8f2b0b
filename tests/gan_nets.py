"""What the tests of the GAN networks share: counting parameters without making them, and calling a network."""

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
    variables = dict(jax.jit(lambda key, *a: module.init(key, *a, train=train))(jax.random.key(0), *inputs))
    return variables.pop("params"), variables


def call(module, params, stats, *inputs, train: bool):
    """(outputs, new stats)."""
    return module.apply({"params": params, **stats}, *inputs, train=train, mutable=list(stats))
