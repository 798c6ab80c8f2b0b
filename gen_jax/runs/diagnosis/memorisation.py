"""Memorisation: samples that are copies of training examples."""

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step

COPIES = 0.1  # of the samples, beyond what held-out examples show
LEAST = 2  # evaluations, the latest of which all have to show it


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "samples/copied", "samples/copied_held_out")
    if found is None or len(found[0].steps) < LEAST:
        return None
    copies, null = (series.values[-LEAST:] for series in found)
    beyond = float((copies - null).min())
    saw = (
        f"{copies[-1]:.1%} of the samples are three times nearer to one training example than to any other "
        f"({null[-1]:.1%} of held-out examples are)"
    )
    return Sight(beyond > COPIES, beyond, last_step(found[0]), saw)


RULE = Rule(
    "memorisation",
    "memorisation",
    "samples/copied: samples whose nearest training example is three times nearer than the second; samples/"
    "copied_held_out is its null value",
    f"more than {COPIES:.0%} of the samples beyond the null value, {LEAST} evaluations in a row",
    "Yoon et al. 2023 and Gu et al. 2023 (arXiv:2310.02664) for the factor of 3; the share is measured here",
    (
        Remedy(
            "dcgan.py",
            "--augment ada --r1-gamma 1 --no-batch-norm",
            "Karras et al. 2020: for little data",
            clashes=("packing",),
        ),
        Remedy("dcgan.py", "--augment diffaugment", "Zhao et al. 2020", clashes=("packing",)),
        Remedy("", "--steps /2", "fewer: stop before the samples turn into copies"),
        Remedy("vae.py", "--latent-size 8 --hyper.beta 2", "a code that cannot hold every example"),
    ),
    look,
)
