"""What a model is conditioned on: values for its networks, and examples to initialise them with."""

from collections.abc import Iterable

import jax

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Given, GivenShapes


def values_of(given: Given, names: Iterable[str]) -> tuple[Array, ...]:
    """What networks get beside their input, in the order of `names`. UserError in one line where a value lacks."""
    names = tuple(names)
    if missing := [name for name in names if name not in given]:
        raise UserError(f"this model is conditional: give {', '.join(missing)} with every latent or x")
    return tuple(given[name] for name in names)


def examples_of(given: GivenShapes) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Two examples of each, as `Player.inputs` takes them: [2, ...]."""
    return tuple(jax.ShapeDtypeStruct((2, *one.shape), one.dtype) for one in given.values())
