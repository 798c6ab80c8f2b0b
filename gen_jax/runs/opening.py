"""The first line of a run: where it is, on what it runs, how large it is, and how long it will be silent."""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gen_jax.core import platform
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.parallel import Layout
from gen_jax.runs import folder, identity, manifest
from gen_jax.runs.files import atomic_write_json, clear_unfinished, read_bytes
from gen_jax.runs.progress import waiting

FILE = "compiling.json"  # beside the cache of compiled programs: seconds by program, first and last
MOST = 500  # programs in it
LARGEST = 1 << 20  # bytes
# Seconds from this line to the first round, an equation of the round's jaxpr: of six models on two cores, and of three
# on an H100 (7 to 15 s at 2,000 equations, 26 to 35 at 7,600).
AN_EQUATION = 4e-3
NOTICED = 5e7  # operations a round in Flax's convolutions, from which on they are spoken of
SLOW = (
    "its convolutions are Flax's nn.Conv, which a CPU computes up to ten times as slowly as Conv and ConvTranspose of "
    "gen_jax.nets.layers, which take the same arguments"
)
KEPT = 0.25  # of that where the programs are in the cache


class Opening:
    """What a run says before its first round. `traced`: the round, as a rehearsal traced it; None: nothing is said."""

    def __init__(self, traced: Any | None, where: Layout) -> None:
        self._where = f"{where.backend} on {where.size} × {where.mesh.devices.flat[0].device_kind}"
        self._quiet, self._seconds = traced is None, 0.0
        self._program, self._equations = ("", 0) if traced is None else program_of(traced.jaxpr.jaxpr, self._where)
        self._plain = traced is not None and plain_convolutions(traced.jaxpr.jaxpr) > NOTICED

    def tell(self, run_dir: Path, parameters: Mapping[str, int], start: int) -> None:
        """The line; and one where a run goes on by other versions of packages than before (a study says it under its
        table)."""
        if not self._quiet:
            if start:
                identity.tell_packages(folder.record(run_dir), manifest.versions(), run_dir)
            resumed = f", from step {start:,}" if start else ""
            words = f"{self._where}, {sizes(parameters)}; compiling ({expected(self._program, self._equations)})"
            say(f"{run_dir}{resumed}: {words}")
            if self._plain and not platform.accelerated():
                say(SLOW)

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """A block that compiles, with a clock on a terminal; what blocks took together is what is remembered."""
        began = time.monotonic()
        with contextlib.nullcontext() if self._quiet else waiting("compiling"):
            yield
        self._seconds += time.monotonic() - began

    def remember(self) -> None:
        """Keep how long it took, for the next run of its kind."""
        if self._quiet:
            return
        with contextlib.suppress(UserError, OSError):  # a cache that cannot be written costs an estimate
            known, seconds = _read(), round(self._seconds, 2)
            first = known.pop(self._program, [seconds])[0]
            kept = dict(list(known.items())[-MOST + 1 :]) | {self._program: [first, seconds]}
            cache = platform.user_cache()
            for place in (cache, *filter(Path.is_dir, cache.glob("*"))):
                clear_unfinished(place)
            atomic_write_json(cache / FILE, kept)


def sizes(parameters: Mapping[str, int]) -> str:
    """ "generator 1,234 and discriminator 5,678 parameters"."""
    each = [f"{name} {count:,}" for name, count in parameters.items()]
    listed = f"{', '.join(each[:-1])} and {each[-1]}" if len(each) > 1 else "".join(each)
    return f"{listed} parameters"


def expected(program: str, equations: int) -> str:
    """How long compiling takes: what it took here, or else by the size of the program."""
    seen = _read().get(program)
    if seen is None:
        first = AN_EQUATION * equations
        return f"usually {_coarse(first)}, {_coarse(KEPT * first)} next time"
    first, last = seen
    return f"{_coarse(last)} last time" if last < first else f"{_coarse(first)} the first time, less now"


def program_of(jaxpr: Any, *of: str) -> tuple[str, int]:
    """(a name for what is compiled, how many equations it has): of a round's jaxpr, and of where it will run."""
    shapes = [str(getattr(each, "aval", each)) for each in (*jaxpr.invars, *jaxpr.outvars)]
    count = _equations(jaxpr)
    return hashlib.sha256("\n".join([str(count), *shapes, *of]).encode()).hexdigest()[:16], count


def _equations(jaxpr: Any) -> int:
    return len(jaxpr.eqns) + sum(_equations(each) for equation in jaxpr.eqns for each in _inner(equation))


def _inner(equation: Any) -> list[Any]:
    """The jaxprs that an equation calls."""
    parts = (
        getattr(part, "jaxpr", part)
        for value in equation.params.values()
        for part in (value if isinstance(value, tuple | list) else (value,))
    )
    return [each for each in parts if hasattr(each, "eqns")]


def plain_convolutions(jaxpr: Any) -> float:
    """Multiplications and additions of a round in convolutions that are Flax's own (`nn.Conv`, `nn.ConvTranspose`)."""
    total = 0.0
    for equation in jaxpr.eqns:
        total += sum(plain_convolutions(each) for each in _inner(equation))
        if equation.primitive.name == "conv_general_dilated" and _is_of_flax(equation):
            kernel, out = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
            features = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
            total += 2.0 * math.prod(out) * math.prod(kernel) / max(features, 1)
    return total


def _is_of_flax(equation: Any) -> bool:
    traceback = equation.source_info.traceback
    frames = traceback.frames if traceback is not None else ()
    return any(frame.file_name.replace("\\", "/").endswith("flax/linen/linear.py") for frame in frames)


def _read() -> dict[str, list[float]]:
    """What is remembered; nothing of a file that is not as it was written."""
    with contextlib.suppress(UserError, OSError, ValueError, AttributeError):
        found = json.loads(read_bytes(platform.user_cache() / FILE, LARGEST))
        return {
            name: pair
            for name, pair in found.items()
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, int | float) and x >= 0 for x in pair)
        }
    return {}


def _coarse(seconds: float) -> str:
    """Seconds in steps that no one takes for a promise: 1, 2, 3, 5, 10, 15, 20, 30 s; then minutes."""
    for step in (1, 2, 3, 5, 10, 15, 20, 30, 45):
        if seconds <= step * 1.2:
            return f"{step} s"
    return f"{max(1, round(seconds / 60))} min"
