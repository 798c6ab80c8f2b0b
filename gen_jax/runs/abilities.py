"""What a tool needs of a model: the function it asks for, or one line that says that this model cannot."""

from collections.abc import Callable

from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Sampler


def need(algorithm: Algorithm, name: str, tool: str) -> Callable:
    """The algorithm's function `name`, for `tool`. Raises UserError where the model cannot do it."""
    function = getattr(algorithm, name)
    if function is None:
        raise UserError(f"{tool} needs a model that has `{name}`, and this one has not")
    return function


def need_sampler(algorithm: Algorithm, tool: str, name: str = "prior") -> Sampler:
    """One of the model's samplers, for `tool`. UserError where it has none of that name: with those it has."""
    if name not in algorithm.samplers:
        there = f"it has {', '.join(algorithm.samplers)}" if algorithm.samplers else "it has none at all"
        raise UserError(f"{tool} needs a model with a sampler {name!r}, and this one has not; {there}")
    return algorithm.samplers[name]
