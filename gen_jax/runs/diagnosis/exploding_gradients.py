"""Exploding gradients: norms that grow by orders of magnitude, or steps that were skipped as not finite."""

import numpy as np

from gen_jax.core.lines import counted
from gen_jax.runs.diagnosis.rule import LEAST, Metrics, Remedy, Rule, Sight, last_step, median, recent
from gen_jax.runs.log import Series

GROWTH, GAME = 100.0, "hyper.lr_generator"


def look(metrics: Metrics) -> Sight | None:
    sights = [
        sight
        for name, series in metrics.items()
        if name.startswith("gradient_norm/") and (sight := _growth(name.removeprefix("gradient_norm/"), series))
    ]
    skipped = metrics.get("nonfinite/total")
    if skipped is not None and (bad := np.nan_to_num(skipped.values) > 0).any():
        step, count = int(skipped.steps[bad.argmax()]), int(np.nanmax(skipped.values))
        before = max(sights, key=lambda sight: sight.value).saw if sights else "no gradient norm was logged before"
        return Sight(
            True, float(count), step, f"{counted(count, 'step')} skipped as not finite, first by step {step}; {before}"
        )
    return max(sights, key=lambda sight: sight.value, default=None)


def _growth(player: str, series: Series) -> Sight | None:
    now = recent(series)
    if now is None:
        return None
    moving = series.values[np.isfinite(series.values) & (series.values > 0)]  # a player may rest for its first rounds
    first = float(np.median(moving[:LEAST])) if len(moving) else 1.0
    growth = median(now) / first
    saw = f"the gradient norm of the {player} is {median(now):.3g}, {growth:.3g} times what it was at first"
    return Sight(growth > GROWTH, growth, last_step(now), saw)


RULE = Rule(
    "exploding_gradients",
    "exploding gradients",
    "gradient_norm/*: the recent median over the median of the first 5 logged values above 0; nonfinite/total",
    f"above {GROWTH:g}, or any step skipped as not finite",
    "Pascanu et al. 2013 (arXiv:1211.5063); Mescheder et al. 2018 (arXiv:1801.04406) for GANs without a penalty; "
    "the threshold is measured here",
    (
        Remedy("dcgan.py", "--clip-norm 1", "Pascanu et al. 2013", needs=GAME),
        Remedy("", "--hyper.lr /10", "smaller steps"),
        Remedy("", "--hyper.lr-second /10", "smaller steps of the second model, where it is the one that grows"),
        Remedy("", "--hyper.lr-generator /10 --hyper.lr-discriminator /10", "smaller steps"),
        Remedy("wgan_gp.py", "", "Gulrajani et al. 2017: an unbounded critic needs a penalty", needs=GAME),
        Remedy("dcgan.py", "--r1-gamma 1 --no-batch-norm", "Mescheder et al. 2018: R1 bounds D's slope", needs=GAME),
    ),
    look,
)
