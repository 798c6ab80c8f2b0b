"""What synthetic images are worth: gains paired by draw, and how many real images would have brought as much.

Several synthetic images are worth one real image, and how many is the finding to report (arXiv:2508.09550).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gen_jax.core.errors import UserError

Cell = tuple[int, int]  # (draw of the real images, seed of what was trained on them)


def by_draw(values: Mapping[Cell, float]) -> dict[int, float]:
    """The mean over seeds of each draw: what intervals are taken over, for seeds that share a draw share its luck."""
    found: dict[int, list[float]] = {}
    for (draw, _), value in values.items():
        found.setdefault(draw, []).append(value)
    return {draw: sum(each) / len(each) for draw, each in sorted(found.items())}


def common(arms: Sequence[Mapping[Cell, float]]) -> set[Cell]:
    """The cells that all arms have: pairs are made of these alone, or a draw would be compared with another."""
    return set.intersection(*(set(arm) for arm in arms)) if arms else set()


class Equivalent(NamedTuple):
    """So many real images. `bound`: "" where the curve says so, "≥" beyond its end, "≤" before its start."""

    images: float
    bound: str = ""


def equivalent(curve: Mapping[int, float], value: float) -> Equivalent:
    """The number of real images at which `curve` (images -> accuracy) reaches `value`, straight in log(images).

    Where the curve falls, which more images do by chance alone, its best so far is taken. Raises UserError for a curve
    without points, and for numbers of images below 1.
    """
    if not curve or min(curve) < 1:
        raise UserError("a curve of accuracies needs numbers of images, of 1 or more")
    counts = sorted(curve)
    best = [max(curve[count] for count in counts[: place + 1]) for place in range(len(counts))]
    if math.isnan(value):
        return Equivalent(math.nan)
    if value < best[0]:
        return Equivalent(counts[0], "≤")
    if value > best[-1]:
        return Equivalent(counts[-1], "≥")
    after = next(place for place, reached in enumerate(best) if reached >= value)
    if after == 0 or best[after] == value:
        return Equivalent(counts[after])
    low, high = math.log(counts[after - 1]), math.log(counts[after])
    part = (value - best[after - 1]) / (best[after] - best[after - 1])
    return Equivalent(math.exp(low + part * (high - low)))
