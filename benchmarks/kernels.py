"""What a GPU does in a round, by JAX's own profiler: launches, how long it is busy, the dearest kernels."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

DEAREST = 12


def of(run: Callable[[int], float], count: int) -> dict[str, Any]:
    """`run(count)` traced, a round: {"kernels": launches, "busy_ms", "dearest": [[name, launches, microseconds], ...]}.

    Empty where no GPU was seen. A traced run is slower, so the busy share is taken over an untraced one's time.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run(count)
        launches, nanoseconds = Counter(), Counter()
        for path in Path(folder).rglob("*.xplane.pb"):
            for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
                if not plane.name.startswith("/device:GPU"):
                    continue
                for event in (e for line in plane.lines if line.name.startswith("Stream") for e in line.events):
                    launches[event.name] += 1
                    nanoseconds[event.name] += event.duration_ns
    if not launches:
        return {}
    dearest = [
        [name[:80], round(launches[name] / count, 2), round(spent / count / 1e3, 2)]
        for name, spent in nanoseconds.most_common(DEAREST)
    ]
    return {
        "kernels": launches.total() / count,
        "busy_ms": nanoseconds.total() / count / 1e6,
        "dearest": dearest,
    }
