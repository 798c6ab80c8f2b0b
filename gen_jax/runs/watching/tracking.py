"""Scores that a run follows while it trains (`--track fd`), and what their curves say: final, best, collapse.

They are the scores of `evaluate` on one small sample set, always from the same noise, written to metrics.jsonl as
`tracked/FD-LeNet` at each evaluation step: functions of the state alone, so a resumed run writes the same ones.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core import processes, turns
from gen_jax.core.errors import UserError
from gen_jax.core.near import meant
from gen_jax.core.types import Algorithm, State, weights
from gen_jax.data.source import Source
from gen_jax.runs.abilities import need_sampler
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation import extractors, scores
from gen_jax.runs.evaluation.subject import Options, Subject

PREFIX = "tracked/"
LOWER = ("fd", "kid")
KNOWN = (*LOWER, *scores.NEIGHBOURS)
COLLAPSE = 2.0  # DCGAN, LSGAN and ACGAN on CIFAR-10 ended 2.8, 4.9 and 4.4 times above their best FID
HINTS = {"set of features": "give all of them the same GEN_JAX_CACHE, on a disk that they share"}
RULE = (
    f"Collapsed: the final value is more than {COLLAPSE:g} times as bad as the best (where lower is better, a best "
    f"under 1 % of the largest value counts as that 1 %)"
)


class Tracker(NamedTuple):
    """`measure(state) -> {name: value}`; `best` is the first metric's name and whether lower is better."""

    measure: Callable[[State], dict[str, float]]
    best: tuple[str, bool] | None


def tracker(config: Config, algorithm: Algorithm, source: Source) -> Tracker:
    """What `--track` of a run's settings asks for; with "" it measures nothing.

    Raises UserError for a metric that cannot be tracked, or features that these data cannot have: before anything is
    written. A LeNet that is not in the cache yet is trained here. Of several processes, whose settings are the same,
    all have to ask: each embeds its share, so they have to have the same features.
    """
    names = [name.strip() for name in config.track.split(",") if name.strip()]
    if not names:
        return Tracker(lambda state: {}, None)
    if unknown := [name for name in names if name not in KNOWN]:
        raise UserError(
            f"--track {unknown[0]}: cannot be tracked; {meant(unknown[0], KNOWN)}there are {', '.join(KNOWN)}"
        )
    need_sampler(algorithm, f"--track {config.track}")
    if not 10 <= config.track_samples <= 50_000:
        raise UserError(f"--track-samples {config.track_samples}: 10 to 50000 can be followed; 1000 is usual")
    for name in names:
        least = scores.NEIGHBOURS.get(name, 1) + 1
        if source.test.size < least:
            raise UserError(
                f"--track {name} needs {least} held-out examples, and {source.name} has {source.test.size}; drop it"
            )
    extractor = turns.after_leader(lambda: extractors.make(config.track_features, source, config))
    processes.agree("features", {"set of features": extractor.stamp}, HINTS)
    if "fd" in names and extractor.dimension > extractors.LARGEST:
        raise UserError(f"--track fd on {extractor.dimension} features is too much; use --track-features pca")
    chosen = {_title(name, extractor): scores.quick(name, extractor)[1] for name in names}
    options = Options(config.track_features, config.track_samples, "test", "prior", config.seed, 1)
    held: list[Subject] = []  # made at the first measurement, which has weights to look at

    def measure(state: State) -> dict[str, float]:
        view = weights(state)
        if not held:
            held.append(Subject(algorithm, view, source, config, options))
            held[0].extractor = extractor
        subject = held[0].at(view)
        reference, fakes = subject.reference(), _finite_fakes(subject)
        if fakes is None:
            return dict.fromkeys(chosen, float("nan"))
        # Six digits: the last bits of a sum may depend on how many threads the host had for it.
        return turns.by_leader(
            lambda: {name: float(f"{score(reference, fakes):.6g}") for name, score in chosen.items()}
        )

    first = names[0]
    return Tracker(measure, (_title(first, extractor), first in LOWER))


def _title(name: str, extractor: Any) -> str:
    return f"{PREFIX}{scores.quick(name, extractor)[0] if name in LOWER else f'{name}/{extractor.name}'}"


def _finite_fakes(subject: Subject) -> Any:
    """The sample set, or None where the model makes what is no image: training goes on, and the curve has a gap."""
    try:
        return subject.fakes(0)
    except UserError:
        return None


class Row(NamedTuple):
    """One followed score of a run: where it ended, where it was best."""

    name: str
    final: float
    final_step: int
    best: float
    best_step: int
    collapsed: bool


def summary(metrics: Mapping[str, Any]) -> list[Row]:
    """What the followed scores of a run amount to; `metrics` as `log.read_metrics` gives them. See `RULE`."""
    rows = []
    for name, series in metrics.items():
        finite = np.flatnonzero(np.isfinite(series.values))
        if not name.startswith(PREFIX) or not finite.size:
            continue
        values, steps = series.values[finite], series.steps[finite]
        bare = name.removeprefix(PREFIX)
        lower = bare.split("/")[0] not in scores.NEIGHBOURS
        place = int(values.argmin() if lower else values.argmax())
        final, best = float(values[-1]), float(values[place])
        limit = COLLAPSE * max(best, 0.01 * float(values.max())) if lower else best / COLLAPSE
        # A run that ends in samples that are no images has lost more than any number says.
        ended = bool(np.isfinite(series.values[-1]))
        collapsed = not ended or (final > limit if lower else final < limit)
        rows.append(
            Row(bare, final if ended else float("nan"), int(series.steps[-1]), best, int(steps[place]), collapsed)
        )
    return rows
