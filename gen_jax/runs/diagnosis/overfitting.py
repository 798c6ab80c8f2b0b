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
    least = int(np.argmin(gaps))  # all that is told is of this evaluation
    gap, step = float(gaps[least]), int(found[0].steps[-LEAST:][least])
    saw = (
        f"D's mean logit is {train[least]:.3g} on training and {held_out[least]:.3g} on held-out examples, "
        f"{fake[least]:.3g} on samples: r_v = {gap:.2g}{_sign(metrics.get('logits/real_sign'), step)}"
    )
    return Sight(gap > GAP, gap, last_step(found[0]), saw)


def _sign(series: Series | None, step: int) -> str:
    """r_t beside it, as it was last logged by this step; alone it says only that D is sure of itself."""
    values = np.zeros(0) if series is None else series.values[series.steps <= step]
    return f" (r_t = {values[-1]:.2g}; ADA aims at 0.6)" if len(values) else ""


RULE = Rule(
    "overfitting",
    "overfitting of the discriminator",
    "train/logits/real, held_out/logits/real, held_out/logits/fake: r_v = (train - held out) / (train - samples)",
    f"r_v above {GAP:g} in {LEAST} evaluations in a row",
    "Karras et al. 2020 (arXiv:2006.06676, equation 1); the threshold is measured here",
    (
        Remedy("dcgan.py", "--augment ada --r1-gamma 1 --no-batch-norm", "Karras et al. 2020", clashes=("packing",)),
        Remedy("dcgan.py", "--augment diffaugment", "Zhao et al. 2020", clashes=("packing",)),
        Remedy("dcgan.py", "--dropout 0.3", "a discriminator that remembers less"),
    ),
    look,
)
