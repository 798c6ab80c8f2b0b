"""A model whose functions are programs. Called as they are they run an operation at a time, and each operation of each
shape is compiled by itself, which takes several times longer than all of them together."""

import jax

from gen_jax.core.types import Algorithm

COUNTS = {"prior": 2, "likelihood": 3}  # the argument that is a number and decides shapes


def compiled(algorithm: Algorithm) -> Algorithm:
    """The same model, each of its functions jitted."""
    names = ("init", "update", "encode", "decode", "evaluate", "score", "classify", *COUNTS)
    there = {name: getattr(algorithm, name) for name in names if getattr(algorithm, name) is not None}
    return algorithm._replace(
        **{name: jax.jit(function, static_argnums=COUNTS.get(name, ())) for name, function in there.items()}
    )
