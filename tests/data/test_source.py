"""Splits, fingerprints and the conversion of pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.data import source
from gen_jax.data.kinds import IMAGES


def test_to_float_is_x_over_127_5_minus_1():
    pixels = np.arange(256, dtype=np.uint8)
    values = source.to_float(pixels)
    assert values.dtype == np.float32
    assert (values[0], values[255]) == (-1.0, 1.0)
    np.testing.assert_allclose(values, np.arange(256) / 127.5 - 1, atol=1e-7)
    assert np.array_equal(values, -values[::-1])


def test_to_float_has_the_same_bits_everywhere():
    pixels = np.arange(256, dtype=np.uint8)
    compiled = jax.jit(lambda x: source.to_float(x, jnp))(pixels)
    assert np.array_equal(source.to_float(pixels), compiled)
    assert np.array_equal(compiled, source.to_float(jnp.asarray(pixels), jnp))


def test_points_pass_unchanged():
    points = np.array([[-4.0, 3.5]], np.float32)
    assert source.to_float(points) is points


@pytest.mark.parametrize("size", [2, 9, 10, 1234])
def test_holdout_is_a_fixed_partition(size):
    train, test = source.holdout(size)
    assert len(test) == max(1, size // 10)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(size))
    assert np.array_equal(test, source.holdout(size)[1])
    if size > 1000:
        assert abs(test.mean() - size / 2) < size / 10  # not all from one end


def test_digest_tells_apart():
    a = np.arange(6, dtype=np.uint8)
    variants = [
        source.digest(a),
        source.digest(a.reshape(2, 3)),
        source.digest(a.astype(np.int8)),
        source.digest(a[:3], a[3:]),
        source.digest("ab", "c"),
        source.digest("a", "bc"),
        source.digest(b"abc"),
        source.digest(1),
        source.digest("1"),
    ]
    assert len(set(variants)) == len(variants)
    assert source.digest(a) == source.digest(a.copy())
    assert source.digest(np.arange(12, dtype=np.uint8)[::2]) == source.digest(np.arange(0, 12, 2, dtype=np.uint8))


def test_from_arrays_and_subset():
    image = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
    arrays = {"x": image, "label": np.arange(10, dtype=np.int32)}
    data = source.from_arrays("x", arrays, {key: a[:3] for key, a in arrays.items()}, 10)
    assert (data.shape, data.kind, data.train.size, data.test.size) == ((2, 2, 1), IMAGES, 10, 3)
    assert data.train.nbytes == 40 + 40
    some = source.subset(data.train, np.array([7, 2]))
    assert some.read(np.array([1]))["label"].tolist() == [2]
    without_arrays = source.lazy(10, data.train.read, data.shape, labels=True)
    assert without_arrays.nbytes == data.train.nbytes
    some = source.subset(without_arrays, np.array([7, 2]))
    assert np.array_equal(some.read(np.array([0]))["x"], image[[7]])
    assert np.array_equal(source.whole(without_arrays)["x"], image)
    changed = image.copy()
    changed[9, 1, 1, 0] ^= 1
    assert source.from_arrays("x", {**arrays, "x": changed}, data.test.arrays, 10).fingerprint != data.fingerprint


def test_joined_splits_are_read_in_the_order_asked_for():
    first, second = (source.in_memory({"x": np.arange(n)[:, None] + 10.0 * n}) for n in (3, 2))
    both = source.joined(first, second)
    every = np.array([30, 31, 32, 20, 21.0])
    assert both.size == 5
    for rows in ([0, 1, 2, 3, 4], [4, 0, 3, 1], [2], [3, 3]):
        np.testing.assert_array_equal(both.read(np.array(rows))["x"][:, 0], every[rows])
