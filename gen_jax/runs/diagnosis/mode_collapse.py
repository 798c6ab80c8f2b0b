"""Mode collapse: samples that are far more alike than the data are."""

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step, median, recent, typical

PAIRWISE, NEAREST = 0.5, 0.1
RISE = 1.5  # over the recent probes: a generator that is on its way out of it, as all are at first
LEAST = 6  # probes


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "diversity/pairwise", "diversity/nearest")
    every, closest = (recent(series, LEAST) for series in found) if found else (None, None)
    if every is None or closest is None or len(every.steps) != len(closest.steps):
        return None
    middle = typical(closest.values if median(every) >= PAIRWISE else every.values)  # all that is told is of this probe
    spread, repeat = float(every.values[middle]), float(closest.values[middle])
    saw = (
        f"samples are {spread:.2g} times as far apart as the data, and {repeat:.2g} times as far from the sample next "
        "to them"
    )
    low = [every] * (median(every) < PAIRWISE) + [closest] * (median(closest) < NEAREST)
    stays = any(series.values[-1] <= RISE * series.values[0] for series in low)
    return Sight(stays, min(spread, repeat), last_step(every), saw)


AUGMENT = ("augment",)  # acts on single images, and packs are several
COLLAPSE = (
    Remedy("r3gan.py", "", "Huang et al. 2024: a relativistic game with R1 and R2", multiple=4),
    Remedy("dcgan.py", "--packing 2 --batch-size 128", "Lin et al. 2018: D judges samples together", clashes=AUGMENT),
    Remedy("dcgan.py", "--minibatch-stddev 4", "Karras et al. 2018: D sees how samples vary"),
    Remedy("papers/modes_2d.py", "--arms rpgan", "Huang et al. 2024, for points: finds all modes here", "mixtures"),
    Remedy("gan.py", "--loss relativistic", "Jolicoeur-Martineau 2019: D compares samples with data", "any"),
)

RULE = Rule(
    "mode_collapse",
    "mode collapse",
    "diversity/pairwise and diversity/nearest: distances within a batch of samples over those within the data",
    f"pairwise below {PAIRWISE:g}, or nearest below {NEAREST:g}, and not rising",
    "Salimans et al. 2016 (arXiv:1606.03498, 3.2) on collapse; Arora & Zhang 2018 (arXiv:1706.08224) on repeated "
    "samples as its sign; the thresholds are measured here",
    (*COLLAPSE, Remedy("", "--hyper.lr-generator /4", "a generator that D can follow")),
    look,
)
