"""The distributions of a MIWAE: p(x|z), q(z | x observed), and importance samples of both.

See `miwae`, of which this is the inside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.players import Call
from gen_jax.core.types import Array, Weights
from gen_jax.models.folding import fold, repeat, unfold
from gen_jax.models.gaps import Seen
from gen_jax.models.memory import check_samples_fit, chunk_size
from gen_jax.objectives import bounds, divergences, student
from gen_jax.objectives.likelihoods import Likelihood, sum_event


@dataclass(frozen=True)
class Miwae:
    """p(x|z), q(z | x observed) and p(z) = N(0, I)."""

    call: Call
    likelihood: Likelihood
    shape: tuple[int, ...]
    latent_size: int
    tails: int | None

    def posterior(
        self, weights: Weights, seen: Seen, key: Array | None = None, *, train: bool = False
    ) -> tuple[tuple[Array, Array], Any]:
        """((location, log scale²) of q, each [B, d]; the encoder's statistics)."""
        return self.call("encoder", *weights, seen.condition, train=train, key=key)

    def draw(self, key: Array, location: Array, log_square: Array, count: int) -> Array:
        """`count` reparameterised samples of q, [k, B, d]."""
        more = self.tails or 0
        noise = keys.normal(keys.named(key, "posterior"), location.shape[0], count, 1 + more, location.shape[1])
        noise = jnp.swapaxes(noise, 0, 1)  # [k, B, 1 + tails, d]
        standard = noise[:, :, 0]
        if self.tails is not None:  # t = normal / sqrt(chi² / degrees), of whole degrees: no rejection, exact gradients
            standard = standard * jax.lax.rsqrt(jnp.mean(noise[:, :, 1:] ** 2, axis=2))
        return divergences.normal_sample(location, log_square, standard)

    def log_posterior(self, z: Array, location: Array, log_square: Array) -> Array:
        """log q(z | x observed): [k, B]."""
        if self.tails is None:
            return divergences.normal_log_prob(z, location, log_square).sum(axis=-1)
        return student.log_density(z, location, jnp.exp(log_square / 2), float(self.tails)).sum(axis=-1)

    def log_prior(self, z: Array) -> Array:
        return divergences.normal_log_prob(z).sum(axis=-1)

    def render(
        self, weights: Weights, x: Array, scored: Array, z: Array, key: Array | None = None, *, train: bool = False
    ) -> tuple[Array, Array, Any]:
        """(log p(x scored | z) [k, B], raw outputs [B·k, ..., P], the decoder's statistics) at z [k, B, d]."""
        count, depth = z.shape[0], self.likelihood.parameters(self.shape[-1])
        check_samples_fit(count, x.shape[0], (*self.shape[:-1], depth))
        outputs, stats = self.call("decoder", *weights, fold(z), train=train, key=key)
        log_prob = sum_event(self.likelihood.log_prob(outputs, repeat(x, count)), repeat(scored, count))
        return unfold(log_prob, count), outputs, stats

    def chunks(self, samples: int, x: Array) -> tuple[int, int]:
        """(samples a chunk, chunks)."""
        depth = self.likelihood.parameters(self.shape[-1])
        chunk = chunk_size(samples, x.size // self.shape[-1] * depth)
        return chunk, samples // chunk

    def weigh(
        self, weights: Weights, seen: Seen, scored: Array, key: Array, chunk: int
    ) -> Callable[[Array], tuple[Array, Array]]:
        """number of a chunk -> (log-weights [chunk, B] of p(x scored), raw outputs [B·chunk, ..., P])."""
        posterior, _ = self.posterior(weights, seen)

        def one(number: Array) -> tuple[Array, Array]:
            z = self.draw(jax.random.fold_in(keys.named(key, "importance"), number), *posterior, chunk)
            log_prob, outputs, _ = self.render(weights, seen.x, scored, z)
            return log_prob + self.log_prior(z) - self.log_posterior(z, *posterior), outputs

        return one

    def evidence(self, weights: Weights, seen: Seen, key: Array, samples: int) -> bounds.LogLikelihood:
        """log p(x shown), [B] each part."""
        chunk, count = self.chunks(samples, seen.x)
        weigh = self.weigh(weights, seen, seen.shown, key, chunk)
        return bounds.streaming_log_likelihood(lambda number: weigh(number)[0], count, chunk)
