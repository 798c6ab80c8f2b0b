"""Vanishing generator gradient: a discriminator that is always right leaves the generator nothing to follow."""

import numpy as np

from gen_jax.runs.diagnosis.rule import LEAST, Metrics, Remedy, Rule, Sight, last_step, median, recent

FALL = 0.01  # of the largest median over any stretch of the run so far


def look(metrics: Metrics) -> Sight | None:
    now = recent(metrics.get("gradient_norm/generator"))
    if now is None:
        return None
    values = metrics["gradient_norm/generator"].values
    values = values[np.isfinite(values)]
    best = float(np.median(np.lib.stride_tricks.sliding_window_view(values, LEAST), axis=1).max())
    fall = median(now) / best if best > 0 else 0.0
    saw = f"the generator's gradient norm is {median(now):.3g}, {fall:.2g} of what it was at its largest ({best:.3g})"
    return Sight(fall < FALL, fall, last_step(now), saw)


RULE = Rule(
    "vanishing_gradient",
    "vanishing generator gradient",
    "gradient_norm/generator: its recent median over the largest median of any 5 logged values",
    f"below {FALL:g}",
    "Arjovsky & Bottou 2017 (arXiv:1701.04862, theorem 2.4, figure 2: orders of magnitude as D nears its optimum); "
    "the threshold is measured here",
    (
        Remedy("gan.py", "--loss non_saturating", "Goodfellow et al. 2014, section 3", "any"),
        Remedy("dcgan.py", "--instance-noise 0.1", "Sønderby et al. 2017: supports that overlap"),
        Remedy("wgan_gp.py", "", "Gulrajani et al. 2017: a critic whose slope is bounded does not saturate"),
        Remedy("", "--hyper.lr-discriminator /4", "a discriminator that learns more slowly"),
    ),
    look,
)
