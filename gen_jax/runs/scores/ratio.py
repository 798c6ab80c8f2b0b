"""The likelihood ratio (Ren et al. 2019, arXiv:1906.02845): how much more probable x is than under a model that saw
background alone: the training examples with a part of their pixels replaced at random, say.
"""

from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.opened import Opened, open_state
from gen_jax.runs.scores.likelihoods import ELBO
from gen_jax.runs.scores.score import Rank, Score

HOW = (
    "give --background RUN, a run of the same kind of model on background alone, such as an npz: of the training "
    "pictures with a third of their pixels replaced at random"
)


def _background(subject: Subject) -> Opened:
    """The other run. Raises UserError where there is none, or none that this model can be compared with."""
    where = subject.options.background
    if where is None:
        raise UserError(f"ratio compares two models; {HOW}")
    if "background" not in subject.memory:
        subject.memory["background"] = open_state(Path(where))
    other: Opened = subject.memory["background"]
    if other.source.shape != subject.source.shape:
        shapes = f"its examples are of shape {other.source.shape}, and this run's of {subject.source.shape}"
        raise UserError(f"--background {where}: {shapes}")
    if other.algorithm.levels != subject.algorithm.levels:
        raise UserError(f"--background {where}: its likelihood is of another kind; {HOW}")
    return other


def _of(subject: Subject, other: Opened) -> Subject:
    return Subject(other.algorithm, weights(other.state), other.source, other.config, subject.options, other.path)


def _check(subject: Subject) -> None:
    ELBO.check(subject)
    ELBO.check(_of(subject, _background(subject)))


def _make(subject: Subject) -> Rank:
    own, other = ELBO.make(subject), ELBO.make(_of(subject, _background(subject)))
    return lambda raw: np.asarray(own(raw)) - np.asarray(other(raw))  # both are minus an ELBO


def _stamp(subject: Subject) -> dict[str, object]:
    other = _background(subject)
    return {"background": f"{other.path}, step {other.step}, {other.source.fingerprint[:16]}", **ELBO.stamp(subject)}


RATIO = Score(_check, _make, _stamp, ELBO.batch)
