"""Spectral normalisation (Miyato et al. 2018): a kernel divided by its largest singular value, by power iteration.

For use inside any layer that holds its kernel: `kernel = SpectralNorm(name="spectral")(kernel, train)`. The kernel is
taken as the matrix [-1, out], as in the paper's code; for a convolution that is no bound on the convolution's norm but
what every published network uses. State lives in the collection "spectral"; it depends on weights alone, so all
instances of a mapped program hold the same, and averaging it over them changes nothing.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from gen_jax.core.errors import UserError


def power_iteration(matrix: jax.Array, u: jax.Array, n_steps: int, eps: float = 1e-12) -> tuple[jax.Array, jax.Array]:
    """(u', sigma) after `n_steps` rounds from u [out]: u' the right singular vector of matrix [in, out], sigma scalar.

    sigma = v' W u' is differentiable in the matrix with u and v constant: its gradient is v u', eq. 12's premise.
    """
    if n_steps < 1:
        raise UserError(f"spectral normalisation needs at least one power iteration a call: got n_steps={n_steps}")
    frozen = lax.stop_gradient(matrix)
    u = lax.stop_gradient(u)
    v = u
    for _ in range(n_steps):
        v = _unit(_product(frozen, u), eps)
        u = _unit(_product(v, frozen), eps)
    return u, _product(v, _product(matrix, u))


class SpectralNorm(nn.Module):
    """kernel [..., out] -> kernel / sigma. "spectral" holds `u` [out] and `sigma`, replaced when `train`.

    Each call makes `n_steps` rounds from the stored u; only `train` keeps the result, so that averaged weights are
    normalised by their own sigma at evaluation, as in BigGAN-PyTorch and mimicry; torch.nn.utils.spectral_norm takes
    the stored vectors there. A discriminator that is called on real and on fake images moves its u twice a step. The
    start has 15 rounds more, so the first steps are not far off; of an embedding [classes, out] u lies on the outputs
    (theirs on the classes), which is the same sigma once it has converged.
    """

    n_steps: int = 1
    eps: float = 1e-12

    @nn.compact
    def __call__(self, kernel: jax.Array, train: bool) -> jax.Array:
        matrix = kernel.reshape(-1, kernel.shape[-1]).astype(jnp.promote_types(kernel.dtype, jnp.float32))
        stored_u = self.variable("spectral", "u", lambda: self._start(matrix))
        stored_sigma = self.variable("spectral", "sigma", lambda: jnp.ones((), matrix.dtype))
        u, sigma = power_iteration(matrix, stored_u.value, self.n_steps, self.eps)
        if train or self.is_initializing():
            stored_u.value, stored_sigma.value = u, lax.stop_gradient(sigma)
        return (kernel / jnp.maximum(sigma, self.eps)).astype(kernel.dtype)

    def _start(self, matrix: jax.Array) -> jax.Array:
        u = _unit(jax.random.normal(self.make_rng("params"), matrix.shape[-1:], matrix.dtype), self.eps)
        # A loop: unrolled, these rounds took most of the time that compiling a network's initialisation takes.
        return lax.fori_loop(0, 15, lambda _, u: power_iteration(matrix, u, 1, self.eps)[0], u)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # A matrix-vector product costs next to nothing, and TF32's three digits would be sigma's.
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def _unit(vector: jax.Array, eps: float) -> jax.Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), eps)
