"""The discriminator overfits: it knows its training examples from held-out ones."""

import numpy as np

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step
from gen_jax.runs.log import Series

GAP = 0.5
LEAST = 2  # evaluations, the latest of which all have to show it


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "train/logits/real", "held_out/logits/real", "held_out/logits/fake")
    if found is None or len(found[0].steps) < LEAST:
        return None
    train, held_out, fake = (series.values[-LEAST:] for series in found)
    margin = train - fake
    # A discriminator that cannot tell samples from data has learnt nothing to overfit with.
    gaps = np.where(margin > 0, (train - held_out) / np.where(margin > 0, margin, 1.0), 0.0)
    gap = float(gaps.min())
    step = last_step(found[0])
    saw = (
        f"D's mean logit is {train[-1]:.3g} on training and {held_out[-1]:.3g} on held-out examples, {fake[-1]:.3g} on "
        f"samples: r_v = {gap:.2g}{_sign(metrics.get('logits/real_sign'))}"
    )
    return Sight(gap > GAP, gap, step, saw)


def _sign(series: Series | None) -> str:
    """r_t beside it, which alone says only that D is sure of itself."""
    return "" if series is None else f" (r_t = {float(np.median(series.values[-5:])):.2g}; ADA aims at 0.6)"


RULE = Rule(
    "overfitting",
    "overfitting of the discriminator",
    "train/logits/real, held_out/logits/real, held_out/logits/fake: r_v = (train - held out) / (train - samples)",
    f"r_v above {GAP:g} in {LEAST} evaluations in a row",
    "Karras et al. 2020 (arXiv:2006.06676, equation 1); the threshold is measured here",
    (
        Remedy("dcgan.py", "--augment ada --r1-gamma 1 --no-batch-norm", "Karras et al. 2020"),
        Remedy("dcgan.py", "--augment diffaugment", "Zhao et al. 2020"),
        Remedy("dcgan.py", "--dropout 0.3", "a discriminator that remembers less"),
    ),
    look,
)
