"""Kernel distance (KID on Inception features): unbiased squared MMD with a cubic kernel, averaged over subsets.

Binkowski et al. 2018, arXiv:1801.01401. Unbiased at any sample size, and so it can be negative.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.metrics.precision import follows_dtype


class KernelDistance(NamedTuple):
    """Mean, standard deviation (ddof 0, as it is printed elsewhere) and the value of each subset."""

    mean: float
    std: float
    values: np.ndarray  # [subsets]


def cubic_kernel(x, y):
    """(x.y / D + 1)^3 for x [N, D], y [M, D]: [N, M]."""
    return (x @ y.T / x.shape[1] + 1) ** 3


@follows_dtype
def mmd_squared(x, y):
    """Unbiased squared MMD of features x [N, D], y [M, D] under the cubic kernel (Gretton et al. 2012, eq. 3)."""
    x, y = jnp.asarray(x), jnp.asarray(y)

    def off_diagonal_mean(z):
        kernel = cubic_kernel(z, z)
        return (kernel.sum() - jnp.trace(kernel)) / (len(z) * (len(z) - 1))

    return off_diagonal_mean(x) + off_diagonal_mean(y) - 2 * cubic_kernel(x, y).mean()


def subset_indices(first: int, second: int, subsets: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows without replacement for each subset, [subsets, size] for both sets; torch-fidelity's for the same seed."""
    if min(first, second) < size:
        raise UserError(f"KID subsets of {size} need as many samples in both sets, got {first} and {second}")
    rng = np.random.RandomState(seed)
    pairs = [(rng.choice(first, size, replace=False), rng.choice(second, size, replace=False)) for _ in range(subsets)]
    return np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs])


@follows_dtype
@jax.jit
def _subset_values(first, second, rows1, rows2):
    return jax.lax.map(lambda rows: mmd_squared(first[rows[0]], second[rows[1]]), (rows1, rows2))


def kernel_distance(
    first,
    second,
    subsets: int = 100,
    size: int = 1_000,
    seed: int = 2020,
    indices: tuple[np.ndarray, np.ndarray] | None = None,
) -> KernelDistance:
    """KID between features [N, D] and [M, D]; `indices` (two arrays [subsets, size]) override the drawn subsets.

    float64 features give float64 sums; float32 loses about 1e-7 of the kernel's mean (so 1e-4 of a KID of 1e-3).
    """
    rows1, rows2 = subset_indices(len(first), len(second), subsets, size, seed) if indices is None else indices
    values = np.asarray(_subset_values(first, second, rows1, rows2))
    return KernelDistance(float(values.mean()), float(values.std()), values)
