"""Scores of a density: the model's own, −ELBO, −log p(x) by importance samples, reconstruction probability.

An & Cho 2015, "Variational autoencoder based anomaly detection using reconstruction probability" (algorithm 4).
"""

from gen_jax.core.types import Array, Batch, Weights
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores.score import Rank, Score, on_device, repeated, value

DRAWS = 16  # of z (and of a binarised x) behind an expectation
SAMPLES = 100  # importance samples
AT_ONCE = 16  # examples, each with a chunk of samples in memory (`models.memory`): some 16 MiB of outputs at most


def _own(subject: Subject) -> Rank:
    return on_device(subject, subject.need("score", "model"))


def _minus(name: str, score: str) -> Score:
    """Minus the expectation of what the model's `evaluate` calls `name`."""

    def make(subject: Subject) -> Rank:
        found = value(subject, name, score)
        return on_device(subject, repeated(lambda weights, batch, key: -found(weights, batch, key), DRAWS))

    return Score(lambda subject: value(subject, name, score), make, lambda subject: {"draws": DRAWS}, batch=100)


def log_likelihood(subject: Subject) -> Rank:
    """log p(x) in nats, by `SAMPLES` importance samples."""
    likelihood = subject.need("likelihood", "nll")

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        return likelihood(weights, batch, key, SAMPLES)["value"]

    return on_device(subject, function, at_once=AT_ONCE)


def _nll(subject: Subject) -> Rank:
    rank = log_likelihood(subject)
    return lambda raw: -rank(raw)


MODEL = Score(lambda subject: subject.need("score", "model"), _own)
ELBO = _minus("elbo", "elbo")
RECONSTRUCTION_PROBABILITY = _minus("reconstruction", "reconstruction_probability")
NLL = Score(
    lambda subject: subject.need("likelihood", "nll"), _nll, lambda subject: {"importance samples": SAMPLES}, batch=50
)
