"""What work needs of memory, at least, before it is begun: asked of its shapes alone, with nothing computed.

Counted are what goes in and comes out, and the largest single matrix product or convolution: these no compiler can do
without. What fits by this account may still run out (see `runs.exits`); what does not fit cannot run, and is refused.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jaxpr_types

from gen_jax.core.errors import UserError
from gen_jax.core.lines import in_bytes

GIB = 2**30
_HEAVY = ("dot_general", "conv_general_dilated", "ragged_dot_general")
_OWN = "gen_jax_"  # how this project's own convolutions begin (`nets.conv`)
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine() -> float:
    """Bytes of the first device, or of this machine (or of what a container may take of it) where that is a CPU."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if jax.local_devices()[0].platform != "cpu" and "bytes_limit" in stats:
        return float(stats["bytes_limit"])
    return host()


def host() -> float:
    """Bytes of this machine's memory, or of what a container may take of it."""
    found = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMITS:
        try:
            found = min(found, float(path.read_text()))
        except (OSError, ValueError):  # none, or "max"
            continue
    return found


def of(tree: Any) -> float:
    """Bytes of arrays, or of their shapes."""
    return float(sum(_bytes(leaf) for leaf in jax.tree.leaves(tree)))


def at_work(closed: jaxpr_types.ClosedJaxpr) -> float:
    """Bytes of the largest single matrix product or convolution of a traced function, with what goes into it."""
    return max(
        (_moved(equation) for equation in _equations(closed.jaxpr) if _heavy(equation.primitive.name)), default=0
    )


def _heavy(primitive: str) -> bool:
    return primitive in _HEAVY or primitive.startswith(_OWN)


def of_call(function: Callable[..., Any], *arguments: Any) -> float:
    """Bytes that a call needs, at least. Arguments are arrays or their shapes."""
    closed = jax.make_jaxpr(function)(*arguments)
    return of(arguments) + of([v.aval for v in closed.jaxpr.outvars]) + at_work(closed)


def refuse(flag: str, count: int, function: Callable[..., Any], *arguments: Any) -> None:
    """Raises UserError where a call that is asked `count` of something does not fit, with a number that would."""
    need, most = of_call(function, *arguments), machine()
    if need > most:
        enough = rounded(count * most / need)
        hint = f"try {flag} {enough}" if enough >= 1 else "not even one fits"
        room = f"and this machine has {in_bytes(most)}"
        raise UserError(f"{flag} {count} needs at least {in_bytes(need)}, {room}; {hint}")


def rounded(number: float) -> int:
    """Down to two digits: 12345 -> 12000."""
    whole = int(number)
    unit = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _bytes(leaf: Any) -> int:
    itemsize = 8 if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.dtype(leaf.dtype).itemsize
    count = 1
    for axis in leaf.shape:  # Python's whole numbers: NumPy's product would overflow in silence
        count *= axis
    return count * itemsize


def _moved(equation: Any) -> int:
    return sum(_bytes(v.aval) for v in (*equation.invars, *equation.outvars) if hasattr(v.aval, "shape"))


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                if isinstance(inner, jaxpr_types.ClosedJaxpr):
                    yield from _equations(inner.jaxpr)
                elif isinstance(inner, jaxpr_types.Jaxpr):
                    yield from _equations(inner)
