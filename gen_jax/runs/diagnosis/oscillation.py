"""Oscillation: the players circle each other; the average of the weights is far better than any of them."""

import numpy as np

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step, typical

WORSE = 3.0
FLOOR = 0.02  # distances below this are the noise of a few hundred samples
LEAST = 3  # evaluations


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "samples/distance", "samples/distance_raw")
    if found is None or "gradient_norm/discriminator" not in metrics or len(found[0].steps) < LEAST:
        return None
    averaged, raw = (series.values[-LEAST:] for series in found)
    ratios = np.maximum(raw, FLOOR) / np.maximum(averaged, FLOOR)
    middle = typical(ratios)  # all that is told is of this evaluation
    ratio = float(ratios[middle])
    saw = (
        f"samples of the raw weights are {ratio:.3g} times as far from the data as those of the averaged weights "
        f"({raw[middle]:.3g} against {averaged[middle]:.3g})"
    )
    return Sight(ratio > WORSE, ratio, last_step(found[0]), saw)


RULE = Rule(
    "oscillation",
    "oscillation",
    "samples/distance_raw over samples/distance: raw against averaged weights (needs --hyper.ema-decay)",
    f"median of {LEAST} evaluations above {WORSE:g}",
    "Yazıcı et al. 2019 (arXiv:1806.04498): averages of weights against cycling; Mescheder et al. 2018 "
    "(arXiv:1801.04406) on its cause; the threshold is measured here",
    (
        Remedy("dcgan.py", "--r1-gamma 1 --no-batch-norm", "Mescheder et al. 2018: R1 makes the game converge"),
        Remedy("r3gan.py", "", "Huang et al. 2024: R1 and R2", multiple=4),
        Remedy("", "--hyper.b1 0", "momentum drives circles on: Gidel et al. 2019"),
        Remedy("", "--hyper.ema-decay 0.999", "Yazıcı et al. 2019: sample from the average"),
    ),
    look,
)
