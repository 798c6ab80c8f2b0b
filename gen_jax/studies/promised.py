"""Which metrics a run will have, known before it is trained: so that a misspelt --metric costs nothing."""

from collections.abc import Iterable, Sequence

import jax

from gen_jax.core.errors import UserError
from gen_jax.core.near import near
from gen_jax.core.types import weights
from gen_jax.data.source import Source
from gen_jax.runs import feeding
from gen_jax.runs.config import Config
from gen_jax.runs.rehearsal import Rehearsed
from gen_jax.runs.watching import observe, tracking


def names(run: Rehearsed, config: Config, source: Source) -> set[str]:
    """The metrics of metrics.jsonl: of every round, of the probe, and of evaluations where there are any.

    Of what evaluations see beside the model's own values it is known only which names there are, not whether these
    data and this model have them all; followed scores are left out (see `check`).
    """
    algorithm, found = run.algorithm, set(run.metrics)
    key = jax.random.key(0)
    one = feeding.one(source, config.batch_size, "train")
    if algorithm.probe is not None:
        found |= set(jax.eval_shape(algorithm.probe, run.template, one, key))
    if config.evaluate_every and algorithm.evaluate is not None:
        found |= {f"held_out/{name}" for name in jax.eval_shape(algorithm.evaluate, weights(run.template), one, key)}
    return found | (set(observe.NAMES) if config.evaluate_every else set())


def check(asked: Sequence[str], known: Iterable[str], flag: str = "--metric") -> None:
    """Raises UserError for a metric (NAME, NAME:highest or NAME:lowest) that no run will have; `flag` asked for it."""
    known = sorted(known)
    for text in asked:
        name, _, way = text.partition(":")
        if way not in ("", "highest", "lowest"):
            raise UserError(f"{flag} {text}: write {name}:highest or {name}:lowest")
        if name not in known and not name.startswith(tracking.PREFIX):
            close = near(name, known, 3, 0.5)
            there = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
            raise UserError(f"{flag} {name}: no run of this study will have it; {there}")
