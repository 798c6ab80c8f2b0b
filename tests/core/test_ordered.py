"""Sums over CPU devices are added in the order of the devices, whatever asks for them."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from gen_jax.core import ordered, parallel

DEVICES = 4
assert parallel.ordered is ordered  # which installs it


def over_devices(function, array, out=PartitionSpec()):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    split = PartitionSpec("data")
    return np.asarray(
        jax.jit(jax.shard_map(function, mesh=mesh, in_specs=split, out_specs=out, check_vma=False))(array)
    )


def by_number(rows):
    found = rows[0]
    for row in rows[1:]:
        found = found + row
    return found


def values(*shape, dtype=np.float32):
    return (100 * np.random.default_rng(0).standard_normal((DEVICES, *shape))).astype(dtype)


@pytest.mark.parametrize("shape", [(), (5,), (7, 300), (ordered.SMALL,), (ordered.SMALL + 1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, jnp.bfloat16], ids=["float32", "int32", "bfloat16"])
def test_a_sum_is_that_by_number(shape, dtype):
    rows = values(*shape, dtype=dtype)
    found = over_devices(lambda x: lax.psum(x[0], "data"), rows)
    np.testing.assert_array_equal(found, by_number(rows))


@pytest.mark.parametrize("where", [0, 1])
def test_the_gradient_of_what_is_gathered_is_that_by_number(where):
    """Each device weighs all rows with weights of its own: a row's gradient is the sum of them."""
    weights = values(8, 12)

    def gradient(weights):
        share = jnp.zeros([(8, 12)[side] // (DEVICES if side == where else 1) for side in range(2)])
        return jax.grad(lambda x: jnp.sum(weights[0] * lax.all_gather(x, "data", axis=where, tiled=True)))(share)

    split = PartitionSpec(*[None] * where, "data")
    np.testing.assert_array_equal(over_devices(gradient, weights, split), by_number(weights))


def test_a_scattered_sum_without_a_side_for_the_devices():
    rows = values(DEVICES, 3)
    found = over_devices(lambda x: lax.psum_scatter(x[0], "data"), rows, PartitionSpec("data"))
    np.testing.assert_array_equal(found.reshape(DEVICES, 3), by_number(rows))


def test_a_sum_in_a_map_over_examples():
    rows = values(6, 3)
    found = over_devices(lambda x: jax.vmap(lambda row: lax.psum(row, ("data", "row")), axis_name="row")(x[0])[0], rows)
    np.testing.assert_allclose(found, rows.sum((0, 1)), rtol=1e-5, atol=1e-3)
