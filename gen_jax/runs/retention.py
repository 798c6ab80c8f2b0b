"""Which checkpoints of a run are kept: the newest ones, and the best by a metric."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LastAndBest:
    """Orbax preservation policy: the newest `keep`, and the best by a metric."""

    keep: int
    metric: str | None
    sign: float
    values: dict[int, dict[str, float]] = field(default_factory=dict)  # step -> metrics

    def best(self, steps: list[int]) -> int | None:
        measured = [step for step in steps if self.metric in self.values.get(step, {})]
        return max(measured, key=lambda step: self.sign * self.values[step][str(self.metric)], default=None)

    def should_preserve(self, checkpoints, *, context) -> list[bool]:
        steps = [checkpoint.step for checkpoint in checkpoints]
        kept = {*sorted(steps)[-self.keep :], self.best(steps)}
        return [step in kept for step in steps]


def finite(metrics: Mapping[str, float] | None) -> dict[str, float]:
    """The metrics that a checkpoint can be chosen by."""
    values = {name: float(value) for name, value in (metrics or {}).items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}
