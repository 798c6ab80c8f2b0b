"""What a compiled call's metrics become: lines of metrics.jsonl, what a person sees, and the end of a run that broke
down."""

from typing import NamedTuple

import jax
import numpy as np

from gen_jax.core import parallel
from gen_jax.runs import log
from gen_jax.runs.config import Config
from gen_jax.runs.exits import Diverged

PROBE_STEPS = 50  # between two probes, at least: one costs about half a round


class Call(NamedTuple):
    """One compiled call whose metrics have not been read yet."""

    start: int
    rounds: int
    metrics: dict[str, jax.Array]


def probe_every(config: Config) -> int:
    """Steps between two probes: every logged one, but not so many that they show in the run's time."""
    return -(-PROBE_STEPS // config.log_every) * config.log_every


def record(call: Call | None, config: Config, lines: log.Log | None) -> None:
    """Write the lines that fall into a call, and raise Diverged where too many steps in a row were not finite. `lines`:
    None in a process that does not write."""
    if call is None:
        return
    metrics = {name: np.asarray(values) for name, values in call.metrics.items()}
    probed = {name: metrics.pop(name) for name in list(metrics) if name.startswith(parallel.PROBED)}
    for position in range(call.rounds if lines is not None else 0):
        step = call.start + position + 1
        if step % config.log_every == 0 or step == config.steps:
            seen = {name: float(values[position]) for name, values in metrics.items()}
            if step % probe_every(config) == 0:
                seen |= {name.removeprefix(parallel.PROBED): float(v[position]) for name, v in probed.items()}
            lines.write(step, seen)  # pyright: ignore[reportOptionalMemberAccess]
    if lines is not None:
        lines.advance(call.start + call.rounds, {name: float(v[call.rounds - 1]) for name, v in metrics.items()})
    row = metrics["nonfinite/in_a_row"][: call.rounds]
    if row.max() >= config.max_nonfinite:
        worst = [name for name, values in metrics.items() if not np.isfinite(values[: call.rounds]).all()]
        raise Diverged(
            f"{int(row.max())} steps in a row were not finite by step {call.start + call.rounds} "
            f"(not finite: {', '.join(worst)})"
        )
