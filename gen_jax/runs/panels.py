"""The panels of a report: which metrics share one, what its axis measures, and a sentence on how it is read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gen_jax.runs.watching import tracking

APART = 20.0  # times: lines whose spreads differ by more do not share a scale


class Panel(NamedTuple):
    """A chart. `names` of metrics that have one unit; `unit` is what its axis says."""

    title: str
    unit: str
    sentence: str
    names: tuple[str, ...] = ()

    @property
    def is_of_logits(self) -> bool:
        return self.unit == "logit" and any(name.endswith(("/real", "/fake")) for name in self.names)


# A pattern of names without their split, and what they share. In this order they are shown.
_KINDS: tuple[tuple[str, Panel], ...] = (
    (
        r"elbo",
        Panel(
            "ELBO",
            "nats an example",
            "A lower bound on log p(x): higher is better, and what generalises shows in the held-out line.",
        ),
    ),
    (r"bound", Panel("bound", "nats an example", "The bound that is trained, on log p(x): higher is better.")),
    (
        r"reconstruction",
        Panel("reconstruction", "nats an example", "log p(x | z) at the codes of x itself: higher is better."),
    ),
    (
        r"kl(/.*)?",
        Panel("KL", "nats an example", "How far q(z | x) is from the prior: near 0 the code says nothing about x."),
    ),
    (
        r"loss(/.*)?",
        Panel(
            "losses",
            "loss",
            "What each player minimises. In a game they move against each other: a low one is no sign of quality.",
        ),
    ),
    (
        r"logits/(real|fake)",
        Panel(
            "logits of D",
            "logit",
            "What D answers to data and to samples: wide apart it tells them from each other, at one height it cannot.",
        ),
    ),
    (
        r"accuracy/.*",
        Panel(
            "accuracy",
            "share of the batch",
            "How often the player is right; for D on data and on samples, 0.5 is a guess.",
        ),
    ),
    (
        r"samples/distance(_raw)?|reconstructions/distance",
        Panel(
            "distance to the data",
            "variances of the data",
            "Fréchet distance of principal components over the data's variance: lower is better, a sign and no score.",
        ),
    ),
    (
        r"samples/coverage",
        Panel(
            "coverage",
            "ratio to training examples",
            "Held-out examples that samples come close to, over those that training examples do: 1 is as good as data.",
        ),
    ),
    (
        r"samples/copied(_held_out)?",
        Panel(
            "copies",
            "share of the samples",
            "Samples much nearer to one training example than to any other; held-out examples are the null value.",
        ),
    ),
    (
        r"samples/(modes|good)",
        Panel("modes", "share", "Modes of the mixture that samples reach, and samples within three σ of one."),
    ),
    (
        r"samples/rarest_class",
        Panel(
            "rarest class",
            "ratio to the data",
            "How often the class that samples show least comes up, over how often it should: 0 is a class left out.",
        ),
    ),
    (
        r"samples/class_kl",
        Panel("classes", "nats", "KL from the classes of samples to those of the data: 0 is the same mixture."),
    ),
    (
        r"latents/distance",
        Panel(
            "codes and prior",
            "variances of the prior",
            "How far the codes of the data, taken together, lie from the prior that samples are drawn from.",
        ),
    ),
    (
        r"diversity/.*",
        Panel(
            "diversity",
            "ratio to the data",
            "Distances within a batch of samples over those within the data: far below 1 the samples repeat.",
        ),
    ),
    (r"active_units", Panel("active units", "units", "Latent units whose mean varies with x.")),
    (r"active_share", Panel("active share", "share of the units", "Latent units whose mean varies with x.")),
    (
        r"kl_dimension/.*",
        Panel("KL of a dimension", "nats", "The largest, the median and the smallest KL of a latent dimension."),
    ),
    (
        r"high_frequency/.*",
        Panel(
            "fine detail",
            "ratio to the data",
            "Spectral power beyond half the Nyquist frequency over that of the data: far below 1 is blur.",
        ),
    ),
    (
        r"gradient_norm/.*",
        Panel(
            "gradient norms", "norm", "The length of each player's gradient: watch for orders of magnitude, up or down."
        ),
    ),
    (r"slope/.*", Panel("slope of D", "E‖∇ₓD‖", "How steep D is at data and at samples: penalties bound it.")),
    (
        r"logits/(real|fake)_std",
        Panel("spread of logits", "logit", "The standard deviation of D's answers within a batch."),
    ),
    (
        r"logits/real_sign",
        Panel("sign of D", "E[sign D(x)]", "ADA's r_t: near 1, D is sure of all its training examples."),
    ),
    (r"beta", Panel("β", "weight", "The weight of the KL.")),
    (
        r"auxiliary/.*",
        Panel("codes and classes", "nats", "The loss of the classifier or of the codes that samples must reveal."),
    ),
    (r"nonfinite/.*", Panel("skipped steps", "steps", "Steps that were skipped because something was not finite.")),
)
_SPLITS = re.compile(r"^(held_out|train)/")


def bare(name: str) -> str:
    """A metric's name without the split that it was measured on."""
    return _SPLITS.sub("", name)


def of(metrics: Mapping[str, Any]) -> list[Panel]:
    """The panels of a run's metrics (name -> Series): one unit and one scale each, scores and bounds first.

    Skipped steps are shown only if there were any.
    """
    groups: dict[tuple[str, str], Panel] = {}
    for name in metrics:
        if name.startswith("nonfinite/") and not (metrics[name].values > 0).any():
            continue
        panel = kind_of(name)
        found = groups.get(panel[:2], panel)
        groups[panel[:2]] = found._replace(names=(*found.names, name))
    order = {panel[:2]: place for place, (_, panel) in enumerate(_KINDS)}
    scores = [key for key, panel in groups.items() if panel.names[0].startswith(tracking.PREFIX)]
    ranked = sorted(groups, key=lambda key: (key not in scores, order.get(key, len(order))))
    return [part for key in ranked for part in _one_scale(groups[key], metrics)]


def kind_of(name: str) -> Panel:
    """What a metric measures, without names."""
    plain = bare(name)
    if name.startswith(tracking.PREFIX):
        score = name.removeprefix(tracking.PREFIX)
        return Panel(score, score, "A score of samples, measured while training as evaluate measures it.")
    second = plain.removeprefix("second/")
    for pattern, panel in _KINDS:
        if re.fullmatch(pattern, second):
            return panel if second == plain else panel._replace(title=f"{panel.title} of the second stage")
    words = plain.replace("_", " ").replace("/", ": ")
    return Panel(words, plain.rpartition("/")[2].replace("_", " "), "As the model logs it.")


def labels(panel: Panel) -> list[str]:
    """In a legend: the part of each name that tells it from the others, and which split it is of."""
    plain = [bare(name) for name in panel.names]
    several = len(set(plain)) > 1
    ends = [own.split("/", 1)[-1] for own in dict.fromkeys(plain)]
    whole = len(set(ends)) < len(ends)  # samples/distance beside reconstructions/distance
    found = []
    for name, own in zip(panel.names, plain, strict=True):
        words = (own.replace("/", ", ") if whole else own.split("/", 1)[-1]).replace("_", " ") if several else ""
        split = {"held_out": "held out", "train": "training examples, judged as held out"}.get(name.split("/")[0], "")
        paired = sum(each == own for each in plain) > 1
        found.append(", ".join(filter(None, [words, split or ("training" if paired else "")])) or own)
    return found


def _one_scale(panel: Panel, metrics: Mapping[str, Any]) -> list[Panel]:
    """The panel, or one for each of its metrics where one would be a flat line beside another."""
    spreads: dict[str, float] = {}
    for name in panel.names:
        values = np.asarray(metrics[name].values, float)
        values = values[np.isfinite(values)]
        spread = float(np.ptp(np.percentile(values, [5, 95]))) if len(values) > 2 else 0.0
        spreads[bare(name)] = max(spreads.get(bare(name), 0.0), spread)
    sizes = [spread for spread in spreads.values() if spread > 0]
    if len(spreads) < 2 or not sizes or max(sizes) <= APART * min(sizes) or panel.unit == "norm":
        return [panel]
    return [
        panel._replace(
            title=f"{panel.title}: {each.rpartition('/')[2].replace('_', ' ')}",
            names=tuple(name for name in panel.names if bare(name) == each),
        )
        for each in spreads
    ]


def styles(names: Sequence[str]) -> list[tuple[int, str]]:
    """(number of the colour, line style) of each name: a colour a metric; held-out lines are dashed, those of training
    examples that are judged as held out dotted."""
    places = {own: place for place, own in enumerate(dict.fromkeys(map(bare, names)))}
    return [(places[bare(name)], {"held_out": "--", "train": ":"}.get(name.split("/")[0], "-")) for name in names]
