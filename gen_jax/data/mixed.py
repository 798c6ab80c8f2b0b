"""Real and synthetic images as one set to learn from, in a ratio that is kept exactly."""

from collections.abc import Sequence

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data.source import Arrays


def share(real: int, ratio: float, parts: int, classes: int) -> int:
    """How many images each of `parts` synthetic sets gives beside `real` real ones, such that all of them together are
    `ratio` times as many: a multiple of `classes`, rounded down, and one of each class at least."""
    return max(1, int(real * ratio / parts / classes + 1e-9)) * classes


def mixed(real: Arrays | None, synthetic: Sequence[Arrays], count: int) -> Arrays:
    """The real images (None: without any), then the first `count` of each synthetic set.

    Arrays are {"x": uint8 [N, H, W, C], "label": int32 [N]}; of synthetic sets whose classes come in turn, a `count` of
    whole turns has as many of each. Raises UserError for a set that has fewer, and where there is nothing to join.
    """
    if short := [len(part["x"]) for part in synthetic if len(part["x"]) < count]:
        raise UserError(f"{count} synthetic images are asked of a set of {short[0]}")
    parts = [] if real is None else [real]
    parts += [{name: part[name][:count] for name in ("x", "label")} for part in synthetic]
    if not parts:
        raise UserError("neither real nor synthetic images to learn from")
    return {name: np.concatenate([part[name] for part in parts]) for name in ("x", "label")}
