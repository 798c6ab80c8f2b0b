"""Precision, recall, density and coverage from nearest-neighbour balls, blockwise in fixed memory.

Improved precision and recall: Kynkäänniemi et al. 2019, arXiv:1904.06991 (k = 3). Density and coverage: Naeem et al.
2020, arXiv:2002.09797 (k = 5). A point is inside a ball if its distance is *strictly* smaller than the radius, as in
the package prdc; torch-fidelity takes `<=`, which differs only where points coincide with a radius (duplicates), and
swapped precision and recall before 0.4.0.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gen_jax.metrics.neighbours import in_blocks, radii, squared_distances
from gen_jax.metrics.precision import follows_dtype


class PRDC(NamedTuple):
    """Fractions in [0, 1], but density, which can exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Balls(NamedTuple):
    """How two sets lie in each other's nearest-neighbour balls."""

    real_balls: jax.Array  # [M] how many real balls contain each generated point
    recalled: jax.Array  # [N] whether a generated ball contains each real point
    covered: jax.Array  # [N] whether each real ball contains a generated point


@partial(jax.jit, static_argnames="block")
def _balls(real, generated, real_radii, generated_radii, block: int) -> Balls:
    centre = real.mean(axis=0)
    # Padding has radius 0, contains nothing (`<` is strict), and sits at infinity of every other ball.
    real_blocks = in_blocks(real - centre, block), in_blocks(real_radii**2, block)
    present = in_blocks(jnp.ones(len(generated), bool), block)
    generated_blocks = in_blocks(generated - centre, block), in_blocks(generated_radii**2, block), present

    def generated_block(seen, part):
        points, own_radii, there = part

        def real_block(counts, args):
            centres, ball_radii = args
            distances = jnp.where(there, squared_distances(centres, points), jnp.inf)  # [block real, block generated]
            inside = distances < ball_radii[:, None]
            return counts + inside.sum(axis=0), ((distances < own_radii).any(axis=1), inside.any(axis=1))

        counts, found = lax.scan(real_block, jnp.zeros(block, int), real_blocks)
        return jax.tree.map(jnp.logical_or, seen, found), counts

    nothing = jnp.zeros(real_blocks[1].shape, bool)
    (recalled, covered), counts = lax.scan(generated_block, (nothing, nothing), generated_blocks)
    return Balls(
        counts.reshape(-1)[: len(generated)], recalled.reshape(-1)[: len(real)], covered.reshape(-1)[: len(real)]
    )


@follows_dtype
def balls(real, generated, k: int, block: int = 1_000) -> Balls:
    """The raw memberships behind all four scores, for features real [N, D] and generated [M, D] and k neighbours."""
    real, generated = jnp.asarray(real), jnp.asarray(generated)
    block = min(block, max(len(real), len(generated)))
    return _balls(real, generated, radii(real, k, block), radii(generated, k, block), block)


def prdc(real, generated, k: int = 5, block: int = 1_000) -> PRDC:
    """All four with one k, as the package prdc prints them. Published precision/recall has k = 3: say which."""
    found = balls(real, generated, k, block)
    return PRDC(
        float((found.real_balls > 0).mean()),
        float(found.recalled.mean()),
        float(found.real_balls.mean() / k),
        float(found.covered.mean()),
    )
