"""Scores by code length: zlib's alone, as a floor, and a likelihood corrected by it.

Input complexity (Serrà et al. 2020, arXiv:1909.11480): S(x) = −log2 p(x) − L(x), the bits that the model needs beyond
those that a general compressor does. A likelihood over a density differs from one of grey levels by a constant, which
no order depends on.
"""

import math
import zlib

import numpy as np

from gen_jax.data.kinds import need_images
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores.likelihoods import NLL, log_likelihood
from gen_jax.runs.scores.score import Rank, Raw, Score

LEVEL = 9  # zlib's best compression


def code_length(raw: Raw) -> np.ndarray:
    """Bits of each image under zlib, [B]."""
    return np.array([8.0 * len(zlib.compress(np.ascontiguousarray(x).tobytes(), LEVEL)) for x in raw["x"]])


def _complexity(subject: Subject) -> Rank:
    log_p = log_likelihood(subject)
    return lambda raw: -log_p(raw) / math.log(2.0) - code_length(raw)


def _check(subject: Subject) -> None:
    need_images(subject.source, "complexity", "use elbo")
    NLL.check(subject)


def _zlib(subject: Subject) -> Rank:
    return lambda raw: -code_length(raw)


ZLIB = Score(lambda subject: need_images(subject.source, "zlib", "use pca"), _zlib)
COMPLEXITY = Score(_check, _complexity, lambda subject: {**NLL.stamp(subject), "compressor": "zlib"}, NLL.batch)
