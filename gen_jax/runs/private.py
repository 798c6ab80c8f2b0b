"""The settings of private training, for scripts whose models can: a second base of their `Config`.

What is protected is whether one example was in the training split: whoever sees the weights, the samples or the log of
training learns little of it. The noise follows from the seed like all noise here, so a seed that others can guess, or a
run folder in their hands, undoes it; and so does everything else that looks at the training examples.
"""

from dataclasses import dataclass
from typing import Annotated, Protocol

import jax

from gen_jax.core import accounting
from gen_jax.core.domains import Interval, Positive
from gen_jax.core.errors import UserError
from gen_jax.core.private import Mechanism
from gen_jax.core.types import Array, Given
from gen_jax.data import poisson
from gen_jax.data.source import Source


@dataclass(frozen=True, kw_only=True)
class Private:
    """To be extended beside `experiment.Config`."""

    private: bool = False
    """differentially private training (DP-SGD) of what sees data; choose a --seed that nobody can guess"""
    epsilon: Positive = 10.0
    """of private training: what all of its steps may spend; the noise is solved for it"""
    noise: Positive | None = None
    """of private training: standard deviation in units of the clip, in place of --epsilon"""
    delta: Annotated[float, Interval(0, 1, "open")] = 1e-5
    """of private training; to be below one in as many as there are training examples"""
    clip: Positive = 1.0
    """of private training: the largest norm of one example's gradient"""


class Asked(Protocol):
    """`Private` beside the settings that every experiment has."""

    @property
    def private(self) -> bool: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def noise(self) -> float | None: ...
    @property
    def delta(self) -> float: ...
    @property
    def clip(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def track(self) -> str: ...


def mechanism(config: Asked, data: Source, turns: int = 1) -> Mechanism | None:
    """What these settings ask for, None without `private`. turns: private steps a round.

    Raises UserError for a delta that promises nothing, for scores that would be learnt from training data on the way,
    and where dp-accounting is not installed.
    """
    if not config.private:
        return None
    if config.delta * data.train.size >= 1:
        most = f"{0.1 / data.train.size:.1g}"
        raise UserError(f"--delta {config.delta:g} is no less than 1 in {data.train.size:,} examples; use {most}")
    if config.track:
        raise UserError(
            f"--track {config.track} measures by features and references of the training data, which nobody counts; "
            "leave it out of a private run"
        )
    rate, steps = poisson.rate(data), config.steps * turns
    noise = config.noise or accounting.noise_for(config.epsilon, rate, steps, config.delta)
    classes = data.classes

    def given(key: Array, count: int) -> Given:
        return {} if classes is None else {"label": jax.random.randint(key, (count,), 0, classes)}

    return Mechanism(poisson.STREAM, config.clip, noise, rate, poisson.expected(data), config.delta, steps, given)
