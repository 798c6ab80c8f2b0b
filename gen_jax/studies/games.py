"""Which losses may be set against each other: those of one game.

A player's loss is a number of its own objective. That of a hinge is neither above nor below that of a cross-entropy,
nor one with a penalty above one without: between such arms there is no difference to test.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen_jax.runs import folder
from gen_jax.runs.settings import flatten
from gen_jax.studies import sameness

# What changes how a player learns, how large it is, or how it is looked at, and not what its loss means.
_LEARNING = re.compile(
    r"(hyper\.)?(lr|b1|b2|ema_decay|clip_norm)(_\w+)?|width|widths|depth|blocks|precision|batch_size"
)


def is_loss(metric: str) -> bool:
    """Whether a metric is a player's own loss: "loss/generator", "held_out/loss/discriminator"."""
    return metric.removeprefix("held_out/").startswith("loss/")


def apart(runs: Mapping[str, Path], baseline: str) -> frozenset[str]:
    """The arms whose losses mean something else than the baseline's. `runs`: one run of each arm.

    A setting that is not known to be one of learning counts as one of the objective: a test that is left out misleads
    nobody. Raises UserError for a damaged config.json.
    """
    if baseline not in runs:
        return frozenset()
    others = sameness.fields(list(runs.values()))
    settings = {name: flatten(folder.read_config(run)) for name, run in runs.items()}
    found = {
        name: {**objective(settings[name]), **{key: more[key] for key in ("script", "code", "data")}}
        for name, more in zip(runs, others, strict=True)
    }
    return frozenset(name for name, each in found.items() if each != found[baseline])


def objective(settings: Mapping[str, Any]) -> dict[str, str]:
    """Of a run's settings, by dotted name, those that its losses may depend on."""
    ignored = {"seed", "steps", *folder.EXECUTION, *folder.RHYTHM}
    return {
        name: str(value) for name, value in settings.items() if name not in ignored and not _LEARNING.fullmatch(name)
    }
