"""What a model says of held-out data: its own measures, its log-likelihood, bits per dimension."""

import math
from typing import Any

import jax
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.data import source as sources
from gen_jax.data.kinds import need_images
from gen_jax.metrics import latents
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.metric import Metric, Value, over_examples
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.watching import heldout

BATCH = 50  # examples of one compiled call of the likelihood
HALF_RANGE = 127.5  # grey levels in a unit of [-1, 1]
NATS = ("elbo", "bound", "kl", "reconstruction", "log_density")


def _split_stamp(subject: Subject, count: int | None = None) -> dict[str, Any]:
    return {"reference": subject.options.reference, "examples": count or subject.split.size}


# ---- the model's own measures ----------------------------------------------------------------------------------------
def _held_out(subject: Subject) -> list[Value]:
    measure = heldout.evaluator(subject.algorithm, subject.options.seed)
    found = measure(subject.weights, subject.split)

    def unit(name: str) -> str:
        return "nats" if name.split("/")[-1] in NATS or name.startswith("kl") else ""

    return [over_examples(name, each, unit(name)) for name, each in sorted(found.items())]


# ---- likelihood ------------------------------------------------------------------------------------------------------
def _check_nll(subject: Subject) -> None:
    subject.need("likelihood", "nll")
    if subject.algorithm.levels == 0:
        raise UserError(
            "nll needs a likelihood, and this model scores grey pixels under a Bernoulli, which does not normalise; "
            "train with --binarization DYNAMIC, or another likelihood"
        )
    options = subject.options
    if options.nll_samples < 1:
        raise UserError(f"--nll-samples {options.nll_samples}: ask for 1 or more; published numbers take 5000")
    if options.nll_examples is not None and not 1 <= options.nll_examples <= subject.split.size:
        raise UserError(f"--nll-examples {options.nll_examples}: there are 1 to {subject.split.size}")


def _chosen(subject: Subject) -> np.ndarray:
    return sources.evenly(subject.split.size, subject.options.nll_examples or subject.split.size)


def _nll_stamp(subject: Subject) -> dict[str, Any]:
    levels = subject.algorithm.levels
    of = "density over x in [-1, 1]" if levels is None else f"probability of {levels} levels"
    samples = {"importance samples": subject.options.nll_samples, "likelihood": of}
    return {**_split_stamp(subject, len(_chosen(subject))), **samples}


def _bounds(subject: Subject) -> dict[str, np.ndarray]:
    """log p(x) of every example at k importance samples, with its standard error and effective sample size."""
    if "nll" not in subject.memory:
        compiled = dealing.by_device(subject.need("likelihood", "nll"), static=(3,))
        key, more = keys.named(jax.random.key(subject.options.seed), "likelihood"), (subject.options.nll_samples,)
        found = in_batches(compiled, subject.weights, subject.split, _chosen(subject), BATCH, key=key, more=more)
        subject.memory["nll"] = found
    return subject.memory["nll"]


def _nll(subject: Subject) -> list[Value]:
    found = _bounds(subject)
    errors = found["standard_error"].astype(np.float64)
    effective = found["effective_samples"].astype(np.float64)
    monte_carlo = float(np.sqrt(np.mean(errors**2) / len(errors)))
    details = {"monte_carlo_standard_error": monte_carlo, "effective_samples": _spread(effective)}
    return [
        over_examples("NLL (importance-weighted bound)", -found["value"], "nats", details),
        Value("Monte Carlo standard error of it", monte_carlo, unit="nats"),
        Value("effective importance samples, median", float(np.median(effective)), details=_spread(effective)),
    ]


def _spread(values: np.ndarray) -> dict[str, float]:
    of = {"mean": np.mean, "median": np.median, "smallest": np.min, "largest": np.max}
    return {name: float(function(values)) for name, function in of.items()}


def _check_bits(subject: Subject) -> None:
    need_images(subject.source, "bits_per_dim", "use nll")
    _check_nll(subject)


def _bits(subject: Subject) -> list[Value]:
    dimensions = math.prod(subject.source.shape)
    nll = -_bounds(subject)["value"].astype(np.float64)
    bits = latents.bits_per_dimension(nll, dimensions, HALF_RANGE if subject.algorithm.levels is None else None)
    return [over_examples("bits per dimension", bits, "bits")]


def _bits_stamp(subject: Subject) -> dict[str, Any]:
    scale = {"scale": "log2(127.5) bits added: grey levels"} if subject.algorithm.levels is None else {}
    return _nll_stamp(subject) | scale


HELD_OUT = Metric(lambda s: s.need("evaluate", "held_out") and None, _split_stamp, _held_out)
NLL = Metric(_check_nll, _nll_stamp, _nll)
BITS = Metric(_check_bits, _bits_stamp, _bits)
