"""How bright images are on average: where the output of a decoder of pixels' probabilities begins."""

import math

import numpy as np

from gen_jax.data.source import Source, to_float

FIRST = 1000  # examples: a mean over pixels needs no more, and a streamed source is not read whole


def mean_logit(data: Source) -> float:
    """The logit of the mean brightness, in (0, 1), of the first training images."""
    first = data.train.read(np.arange(min(FIRST, data.train.size)))["x"]
    mean = float(np.clip((np.mean(to_float(first), dtype=np.float64) + 1.0) / 2.0, 0.001, 0.999))
    return math.log(mean / (1.0 - mean))
