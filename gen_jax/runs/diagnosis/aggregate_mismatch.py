"""Aggregate-posterior mismatch: the codes of the data do not lie where the prior draws."""

import numpy as np

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step

LATENTS, WORSE = 0.5, 5.0
LEAST = 2  # evaluations, the latest of which all have to show it


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "latents/distance", "samples/distance", "reconstructions/distance")
    if found is None or len(found[0].steps) < LEAST:
        return None
    latents, samples, again = (series.values[-LEAST:] for series in found)
    times = samples / np.maximum(again, 1e-6)
    least = int(np.argmin(times))  # all that is told is of this evaluation
    saw = (
        f"q(z) is {latents[least]:.2g} of the prior's variance away from the prior; samples are {samples[least]:.3g} "
        f"from the data and reconstructions {again[least]:.3g}, {times[least]:.3g} times nearer"
    )
    fired = bool(latents.min() > LATENTS and times.min() > WORSE)
    return Sight(fired, float(latents[least]), last_step(found[0]), saw)


RULE = Rule(
    "aggregate_mismatch",
    "mismatch of aggregate posterior and prior",
    "latents/distance between q(z) and p(z); samples/distance over reconstructions/distance",
    f"latents above {LATENTS:g} and samples {WORSE:g} times farther than reconstructions, {LEAST} evaluations in a row",
    "Hoffman & Johnson 2016 (ELBO surgery); Dai & Wipf 2019 (arXiv:1903.05789); the thresholds are measured here",
    (
        Remedy("vamp_vae.py", "", "Tomczak & Welling 2018: a prior made of posteriors"),
        Remedy("two_stage_vae.py", "", "Dai & Wipf 2019: a second VAE of the codes"),
        Remedy("flow_vae.py", "--prior maf", "a prior that is learned"),
        Remedy("vae.py", "--hyper.beta 1", "the KL at its full weight"),
    ),
    look,
)
