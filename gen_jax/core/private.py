"""Differentially private phases: what is done to the gradients of the players that see data, and what it spends.

DP-SGD (Abadi et al. 2016, arXiv:1607.00133). In a GAN the discriminator alone sees data; what the generator learns from
it is post-processing (Xie et al. 2018; Bie, Kamath & Zhang 2023, arXiv:2302.02936).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp

from gen_jax.core import accounting, keys
from gen_jax.core.gradients import private
from gen_jax.core.phases import Phase
from gen_jax.core.types import Array, Context, Given, Objective


class Mechanism(NamedTuple):
    """Poisson batches from `stream`, each example's gradient held to the norm `clip`, noise of `noise` · clip."""

    stream: str
    clip: float
    noise: float
    rate: float  # the probability that an example is in a batch
    expected: float  # examples in a batch
    delta: float
    steps: int  # private steps by the end of training
    given: Callable[[Array, int], Given]  # (key, count) -> what nobody's data say, for players that must not see any

    def phase(self, phase: Phase) -> Phase:
        """The phase made private; every repeat of it is a step that is counted."""
        curve = accounting.curve(self.noise, self.rate, self.delta)

        def spent(rounds: Array) -> Array:
            return curve.epsilon(rounds * phase.repeats)

        return phase._replace(draws=self.stream, gradient=private(self.clip, self.noise, self.expected, spent))

    def blind(self, phase: Phase) -> Phase:
        """The phase without data: its batch keeps its size alone, and what it is given is drawn anew."""
        return phase._replace(draws=self.stream, objective=partial(_blinded, self, phase.objective))

    def record(self) -> dict[str, Any]:
        """What all of training spends, and how; JSON."""
        steps = self.steps
        return {
            "epsilon": accounting.pld(self.noise, self.rate, steps, self.delta),
            "epsilon_rdp": accounting.rdp(self.noise, self.rate, steps, self.delta),
            "delta": self.delta,
            "noise": self.noise,
            "clip": self.clip,
            "sampling_rate": self.rate,
            "expected_batch": self.expected,
            "steps": steps,
            "neighbours": "one training example there or not",
        }


def _blinded(mechanism: Mechanism, objective: Objective, params: Any, context: Context) -> Any:
    x = context.batch["x"]
    given = mechanism.given(keys.named(context.key, "given"), x.shape[0])
    batch = {"x": jnp.zeros_like(x), **given}
    return objective(params, context._replace(batch=batch))
