"""Bytes between devices, read from a program's text; and what they cost."""

import jax
import pytest
from jax import lax
from jax import numpy as jnp
from jax.sharding import PartitionSpec

from benchmarks import scale
from gen_jax.core import parallel


def test_collectives_are_counted_with_their_bytes_as_often_as_a_loop_goes_round():
    where = parallel.layout("shard_map", 4)

    def program(x):
        def again(carry, _):
            return carry + lax.ppermute(carry, "data", [(0, 1), (1, 2), (2, 3), (3, 0)]), None

        moved, _ = lax.scan(again, x, None, length=5)
        return moved, lax.all_gather(x, "data", tiled=True)

    rows, whole = PartitionSpec("data"), PartitionSpec()
    mapped = jax.shard_map(program, mesh=where.mesh, in_specs=rows, out_specs=(rows, whole), check_vma=False)
    text = jax.jit(mapped).lower(jnp.ones((8, 3))).compile().as_text()
    assert sorted(scale.collectives(text)) == [("all-gather", 96, 1), ("collective-permute", 24, 5)]


def test_a_simulated_round_is_that_of_one_device_and_the_bytes_over_the_link():
    link = scale.Link("a link", 1e9, 1e-6)
    assert scale.simulated(0.01, 1e6, 4, 1, link) == 0.01
    assert scale.simulated(0.01, 1e6, 4, 2, link) == pytest.approx(0.01 + 1e6 / 1e9 + 4 * 2e-6)
    assert scale.simulated(0.01, 1e6, 0, 1024, link) == pytest.approx(0.01 + 2 * 1023 / 1024 * 1e-3)
