"""A GPU's convolutions give what the plain ones give: padded channels, filters' gradients by taps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.nets import conv_gpu, conv_plain
from gen_jax.nets.conv import same_padding

# image, window, stride, channels in, channels out
CASES = [
    (8, 4, 2, 3, 16),
    (8, 4, 2, 1, 8),
    (8, 4, 2, 16, 8),
    (6, 4, 2, 8, 16),
    (4, 3, 1, 8, 3),
    (3, 3, 1, 8, 8),
    (7, 4, 2, 8, 8),
]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("size", "window", "stride", "inputs", "outputs"), CASES)
def test_the_three_faces(dtype, size, window, stride, inputs, outputs):
    keys = jax.random.split(jax.random.key(size), 3)
    x = jax.random.normal(keys[0], (2, size, size, inputs), dtype)
    kernel = jax.random.normal(keys[1], (window, window, inputs, outputs), dtype)
    small = -(-size // stride)
    g = jax.random.normal(keys[2], (2, small, small, outputs), dtype)
    options = {"stride": stride, "padding": (same_padding(size, window, stride),) * 2}
    for face, arguments, own in (
        ("conv", (x, kernel), {}),
        ("input_grad", (g, kernel), {"size": (size, size)}),
        ("weight_grad", (x, g), {"window": (window, window)}),
    ):
        found = getattr(conv_gpu, face)(*arguments, **options, **own)
        wanted = getattr(conv_plain, f"plain_{face}")(*arguments, **options, **own)
        assert found.shape == wanted.shape, face
        assert found.dtype == wanted.dtype, face
        found, wanted = np.asarray(found, np.float32), np.asarray(wanted, np.float32)
        allowed = 1e-5 if dtype == jnp.float32 else 1e-2  # of the largest: bfloat16 has three digits
        np.testing.assert_allclose(found, wanted, atol=allowed * np.abs(wanted).max(), err_msg=face)


def test_taps_are_the_filters_gradient():
    x, g = jnp.ones((1, 4, 4, 8)), jnp.ones((1, 2, 2, 8))
    options = {"stride": 2, "padding": ((1, 1), (1, 1)), "window": (4, 4)}
    np.testing.assert_allclose(conv_gpu.by_taps(x, g, **options), conv_plain.plain_weight_grad(x, g, **options))
