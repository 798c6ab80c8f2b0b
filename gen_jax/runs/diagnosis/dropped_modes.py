"""Dropped modes: samples that vary, but leave out a part of the data."""

from gen_jax.runs.diagnosis.mode_collapse import COLLAPSE
from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, last_step, recent
from gen_jax.runs.log import Series

RAREST, COVERED = 0.1, 0.3
RISE = 1.5  # from the first to the last of them: a generator that is still on its way
LEAST = 3  # evaluations, the latest of which all have to show it


def look(metrics: Metrics) -> Sight | None:
    found = [sight for sight in (_modes(metrics), _classes(metrics), _coverage(metrics)) if sight is not None]
    return max(found, key=lambda sight: sight.fired, default=None)


def _modes(metrics: Metrics) -> Sight | None:
    modes = recent(metrics.get("samples/modes"), LEAST, 0.0)
    if modes is None:
        return None
    most = float(modes.values.max())
    saw = f"the samples of the last {LEAST} evaluations reach at most {most:.0%} of the modes"
    return Sight(most < 1, most, last_step(modes), saw)


def _classes(metrics: Metrics) -> Sight | None:
    rarest = recent(metrics.get("samples/rarest_class"), LEAST, 0.0)
    if rarest is None:
        return None
    most = float(rarest.values.max())
    saw = f"a class of the data has at most {most:.2g} of its share among the samples of the last {LEAST} evaluations"
    return Sight(most < RAREST and not _rises(rarest), most, last_step(rarest), saw)


def _coverage(metrics: Metrics) -> Sight | None:
    cover = recent(metrics.get("samples/coverage"), LEAST, 0.0)
    if cover is None:
        return None
    most = float(cover.values.max())
    saw = f"samples cover at most {most:.2g} times as many held-out examples as training examples do"
    return Sight(most < COVERED and not _rises(cover), most, last_step(cover), saw)


def _rises(series: Series) -> bool:
    return bool(series.values[-1] > RISE * series.values[0])


RULE = Rule(
    "dropped_modes",
    "dropped modes",
    "samples/modes of a known mixture; samples/rarest_class by the nearest training example; samples/coverage",
    f"in {LEAST} evaluations in a row: a mode missing, a class below {RAREST:g} of its share, or coverage below "
    f"{COVERED:g} of a training set's; the last two only where they do not rise",
    "Lin et al. 2018 (arXiv:1712.04086, 4.1) for modes; Santurkar et al. 2018 (arXiv:1711.00970) for classes; Naeem et "
    "al. 2020 (arXiv:2002.09797) for coverage; the thresholds on classes and coverage are measured here",
    (
        *COLLAPSE,
        Remedy("papers/modes_2d.py", "--arms unrolled", "Metz et al. 2017: G looks ahead of D", "mixtures"),
        Remedy("vae_points.py", "", "a likelihood, which a missing mode costs most", "points"),
    ),
    look,
)
