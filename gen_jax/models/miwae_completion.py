"""What a MIWAE makes of the missing part: draws and the expectation, by self-normalised importance weights."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.types import Array, Sampler, Weights
from gen_jax.models import gaps
from gen_jax.models.miwae_parts import Miwae

SMALLEST = 1e-30  # of a uniform draw whose logarithm is taken twice
IMPORTANCE = 1000.0  # samples behind one completion, by default; the paper's tables take 10,000


def completions(model: Miwae) -> dict[str, Sampler]:
    """Samplers "complete" and "expected", given "x" and "mask"; see `miwae`."""
    quiet = 0.0 if len(model.shape) == 3 else 1.0

    def complete(
        weights: Weights,
        key: Array,
        count: int,
        given: Mapping[str, Array] = {},
        *,
        samples: float = IMPORTANCE,
        noise: float = quiet,
    ) -> Array:
        """One draw of p(x missing | x observed) an example: one of the importance samples, by its weight."""
        seen = gaps.asked(given)
        chunk, chunks = model.chunks(int(samples), seen.x)
        weigh = model.weigh(weights, seen, seen.shown, key, chunk)

        def absorb(best: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
            # The largest of log-weight + Gumbel noise is a draw by weight, and needs one pass (Gumbel 1954).
            log_w, outputs = weigh(number)
            own = jax.random.fold_in(keys.named(key, "resample"), number)
            uniform = keys.uniform(own, seen.x.shape[0], chunk, minval=SMALLEST)
            races = log_w - jnp.log(-jnp.log(uniform)).T  # [chunk, B]
            first = jnp.argmax(races, axis=0)  # [B]
            rows = outputs.reshape(-1, chunk, *outputs.shape[1:])
            mine = jnp.take_along_axis(rows, first.reshape(-1, *[1] * (rows.ndim - 1)), axis=1)[:, 0]
            ahead = races.max(axis=0) > best[0]
            kept = jnp.where(ahead.reshape(-1, *[1] * (mine.ndim - 1)), mine, best[1])
            return (jnp.maximum(races.max(axis=0), best[0]), kept), None

        depth = model.likelihood.parameters(model.shape[-1])
        rows = seen.x.shape[0]
        start = jnp.full(rows, -jnp.inf), jnp.zeros((rows, *model.shape[:-1], depth))
        (_, outputs), _ = jax.lax.scan(absorb, start, jnp.arange(chunks))
        drawn = model.likelihood.sample(outputs, key) if noise else model.likelihood.mean(outputs)
        return gaps.filled(seen, drawn)

    def expected(
        weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, samples: float = IMPORTANCE
    ) -> Array:
        """E[x missing | x observed] by self-normalised importance sampling (the paper's equation 12)."""
        seen = gaps.asked(given)
        chunk, chunks = model.chunks(int(samples), seen.x)
        weigh = model.weigh(weights, seen, seen.shown, key, chunk)

        def absorb(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
            log_w, outputs = weigh(number)  # [chunk, B]
            total, mean = carry
            above = jnp.logaddexp(total, jax.nn.logsumexp(log_w, axis=0))  # [B]
            shares = jnp.exp(log_w - above).T  # [B, chunk]
            means = model.likelihood.mean(outputs).reshape(-1, chunk, *model.shape)
            wide = [1] * len(model.shape)
            fresh = (shares.reshape(-1, chunk, *wide) * means).sum(axis=1)
            return (above, jnp.exp(total - above).reshape(-1, *wide) * mean + fresh), None

        start = jnp.full(seen.x.shape[0], -jnp.inf), jnp.zeros(seen.x.shape)
        (_, mean), _ = jax.lax.scan(absorb, start, jnp.arange(chunks))
        return gaps.filled(seen, mean)

    return {
        "complete": Sampler(complete, gaps.GIVEN, {"samples": IMPORTANCE, "noise": quiet}),
        "expected": Sampler(expected, gaps.GIVEN, {"samples": IMPORTANCE}),
    }
