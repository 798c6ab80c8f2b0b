"""The likelihood ratio (Ren et al. 2019, arXiv:1906.02845): how much more probable x is than under a model that saw
background alone: the training examples with a part of their pixels replaced at random, say.
"""

from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.lenet import weight_hash
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.opened import Opened
from gen_jax.runs.scores.likelihoods import ELBO
from gen_jax.runs.scores.other import beside, other
from gen_jax.runs.scores.score import Rank, Score

HOW = (
    "give --background RUN, a run of the same kind of model on background alone, such as an npz: of the training "
    "pictures with a third of their pixels replaced at random"
)


def _background(subject: Subject) -> Opened:
    """The other run. Raises UserError where there is none, or none that this model can be compared with."""
    found = other(subject, "--background", f"ratio compares two models; {HOW}")
    if subject.run_dir is not None and Path(found.path).resolve() == Path(subject.run_dir).resolve():
        raise UserError(f"--background {found.path}: this is the run itself, so all ratios are 0; {HOW}")
    if found.algorithm.levels != subject.algorithm.levels:
        raise UserError(f"--background {subject.options.background}: its likelihood is of another kind; {HOW}")
    return found


def _check(subject: Subject) -> None:
    ELBO.check(subject)
    ELBO.check(beside(subject, _background(subject)))


def _make(subject: Subject) -> Rank:
    own, background = ELBO.make(subject), ELBO.make(beside(subject, _background(subject)))
    return lambda raw: np.asarray(own(raw)) - np.asarray(background(raw))  # both are minus an ELBO


def _stamp(subject: Subject) -> dict[str, object]:
    found = _background(subject)
    made = f"step {found.step}, {found.source.fingerprint[:16]}, model {weight_hash(beside(subject, found).weights)}"
    return {"background": f"{found.path}, {made}", **ELBO.stamp(subject)}


RATIO = Score(_check, _make, _stamp, ELBO.batch)
