"""What paper scripts measure of a finished run: likelihoods, distances, modes, held-out values.

All of it is measured as `evaluate` measures it, under the same checks, and stands with its protocol in the run's own
evaluation.json. Noise comes from a fixed seed, so that arms share it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gen_jax.core import dealing
from gen_jax.core.types import weights
from gen_jax.data import load
from gen_jax.data.source import Source, in_memory
from gen_jax.runs import folder
from gen_jax.runs.evaluation import codes, protocol
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.opened import Opened, open_state

Trained: TypeAlias = Opened  # a finished run, at its newest sound checkpoint

_LAST: dict[tuple[Any, ...], Source] = {}  # the data that were read last: many runs are measured on the same


def open_trained(run: Path) -> Trained:
    """A run at its newest sound checkpoint; data are read once for runs in a row that share them."""
    settings = folder.read_config(run)
    key = tuple(settings.get(name) for name in load.FIELDS)
    key += (settings.get("seed") if settings.get("labels_per_class") else None,)
    opened = open_state(run, source=_LAST.get(key))
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = opened.source
    return opened


def measured(trained: Trained, metric: str, **options: Any) -> dict[str, dict[str, Any]]:
    """A metric of `evaluate` by the names of its values: {"value", "interval", "details", "protocol", …} each.

    options: fields of `evaluation.subject.Options`. The weights are the averaged ones, where there is an average.
    Raises UserError where this model or these data cannot have the metric.
    """
    subject = subject_of(trained, **options)
    model = protocol.model_of(subject, trained.step, "ema" if trained.state.ema else "raw")
    found = protocol.run(subject, [metric], model, trained.path / protocol.FILE, say=lambda line: None)
    return {result["name"]: result for result in found["results"]}


def subject_of(trained: Trained, **options: Any) -> Subject:
    """The run as evaluation sees it."""
    view = dealing.on_all(weights(trained.state))
    return Subject(trained.algorithm, view, trained.source, trained.config, Options(**options), trained.path)


def log_likelihood(trained: Trained, samples: int) -> dict[str, float]:
    """NLL of the test split in nats: the importance-weighted bound at k = samples (Burda et al. 2016, eq. 8), and the
    mean effective sample size, which says how far the bound is to be trusted."""
    found = measured(trained, "nll", nll_samples=samples)
    effective = found["effective importance samples, median"]["details"]["mean"]
    return {"nll": found["NLL (importance-weighted bound)"]["value"], "effective_samples": effective}


def fd_lenet(trained: Trained, reconstructions: bool = False) -> float:
    """FD-LeNet of as many samples as there are test images (or of their reconstructions) against the test images.

    The features are those of a LeNet trained on the real training split of the same data. At a thousand images the
    value is biased upwards, and equally so for all arms: compare it within a table, never across counts.
    """
    sampler, count = "reconstruction" if reconstructions else "prior", trained.source.test.size
    found = measured(trained, "fd", features="lenet", samples=count, sampler=sampler, repeats=1)
    return _first(found)


def stacked_modes_of(trained: Trained, count: int) -> dict[str, float]:
    """Modes (of 1,000) and KL to uniform of `count` samples of a stacked source, each channel read by the LeNet of the
    source that was stacked (PacGAN, Lin et al. 2018, section 4.2)."""
    found = measured(trained, "modes", samples=count, repeats=1)
    return {"modes": _first(found), "kl": found["reverse KL of modes"]["value"]}


def codes_of(trained: Trained, images: np.ndarray) -> np.ndarray:
    """Posterior means [N, d] of uint8 images [N, H, W, C]."""
    return codes.encoded(subject_of(trained), np.arange(len(images)), in_memory({"x": images}))["mean"]


def held_out(trained: Trained) -> dict[str, float]:
    """The model's own measures on the test split, as in training: means over examples."""
    found = measured(trained, "held_out", seed=trained.config.seed)
    return {name: result["value"] for name, result in found.items()}


def _first(found: Mapping[str, dict[str, Any]]) -> float:
    """The value that a metric names first, which is the one that it is called after."""
    return next(iter(found.values()))["value"]
