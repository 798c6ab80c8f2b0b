"""Floating-point operations of a round, counted from its program: matrix products and convolutions, no other.

Counted before any platform's lowering, after dead code is gone: what the model asks for, so that a lowering that
multiplies zeros does not look busy. The same count serves the peer, which has the same arithmetic to do.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
from jax.interpreters import partial_eval


def count(function: Callable[..., Any], *arguments: Any) -> float:
    """FLOPs of `function(*arguments)`; a multiply-add is two. Of branches, the dearest counts; of a loop with an
    unknown number of rounds, one."""
    closed = jax.make_jaxpr(function)(*arguments)
    live, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return _of(live)


def _of(jaxpr: Any) -> float:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: Any) -> float:
    name, parameters = equation.primitive.name, equation.params
    shapes = [v.aval.shape for v in equation.invars if hasattr(v.aval, "shape")]
    out = equation.outvars[0].aval.shape if equation.outvars else ()
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        return 2.0 * prod(out) * prod(shapes[0][axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = shapes[1]
        outputs = kernel[parameters["dimension_numbers"].rhs_spec[0]]
        return 2.0 * prod(out) * prod(kernel) / outputs
    if name in OURS:
        return 2.0 * OURS[name](shapes, out)
    inner = [j for value in parameters.values() for j in _programs(value)]
    if name == "cond":
        return max(map(_of, inner), default=0.0)
    return sum(map(_of, inner)) * (parameters["length"] if name == "scan" else 1)


# Multiply-adds of the three faces of a convolution: every position of the small side, times the kernel.
OURS = {
    "gen_jax_conv": lambda shapes, out: prod(out[:3]) * prod(shapes[1]),
    "gen_jax_conv_input_grad": lambda shapes, out: prod(shapes[0][:3]) * prod(shapes[1]),
    "gen_jax_conv_weight_grad": lambda shapes, out: prod(shapes[1][:3]) * prod(out),
}


def _programs(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [j for item in value for j in _programs(item)]
    inner = getattr(value, "jaxpr", value)
    return [inner] if hasattr(inner, "eqns") else []
