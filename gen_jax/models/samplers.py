"""The ways of drawing samples that models with latents share."""

from collections.abc import Callable, Iterable, Mapping

import jax

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Sampler, Weights


def latent_samplers(
    prior: Callable[..., Array], decode: Callable[..., Array], given: Iterable[str] = (), normal_prior: bool = False
) -> dict[str, Sampler]:
    """ "prior": the decoded draws of the prior. With `normal_prior` also "truncated": latents from the standard normal
    cut at |z| < `at` (BigGAN's truncation, arXiv:1809.11096), 0.7 by default.

    prior, decode, given, normal_prior: the `Algorithm`'s own.
    """
    names = tuple(given)

    def from_prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return decode(weights, prior(weights, key, count, given), given)

    def truncated(
        weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, at: float = 0.7
    ) -> Array:
        """Raises UserError for a bound that is not a positive number (where it is not traced)."""
        if isinstance(at, int | float) and not 0 < at < float("inf"):
            raise UserError(f"truncated at {at}: latents are cut at a positive number, such as 0.7")
        shape = jax.eval_shape(lambda: prior(weights, key, count, given)).shape[1:]

        def one(key: Array) -> Array:
            return jax.random.truncated_normal(key, -at, at, shape)

        return decode(weights, keys.draw(keys.named(key, "latents"), count, one), given)

    found = {"prior": Sampler(from_prior, names)}
    return found | ({"truncated": Sampler(truncated, names, {"at": 0.7})} if normal_prior else {})
