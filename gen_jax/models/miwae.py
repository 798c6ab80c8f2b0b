"""MIWAE: a VAE learned from incomplete examples (Mattei & Frellsen 2019, arXiv:1812.02633). One phase.

It maximises the importance-weighted bound on the log-density of what is observed alone, log p(x observed), under the
encoder's q(z | x observed); what is missing is integrated out, which is exact where values are missing at random. One
model then has every conditional p(x missing | x observed): its samples are resampled, its mean is taken, by
self-normalised importance weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Call, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import gaps, hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.folding import fold, repeat, unfold
from gen_jax.models.gaps import Seen
from gen_jax.models.memory import check_samples_fit, chunk_size
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import bounds, divergences, student
from gen_jax.objectives.bounds import Bound, Estimate, Estimator, Terms
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, sum_event

TAILS = 5  # degrees of freedom of q: heavier tails than p(z)'s keep the importance weights bounded
SMALLEST = 1e-30  # of a uniform draw whose logarithm is taken twice
IMPORTANCE = 1000.0  # samples behind one completion, by default; the paper's tables take 10,000


def miwae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    estimate: Estimate = Estimate(Bound.IWAE, Estimator.REPARAMETERISED, 20),
    tails: int | None = TAILS,
    hide: gaps.Masks | None = None,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """A MIWAE as an `Algorithm`; x may have gaps (NaN).

    encoder: what is observed and which cells these are, side by side ([B, 2D], or [B, H, W, C + 1] of images) ->
    (location, log scale²) of q(z | x observed), each [B, d]. decoder: z [B, d] -> likelihood outputs [B, ..., P].
    tails: degrees of freedom of q, Student's t; None: a normal. hide: masks that hide more at every step, (key, x) ->
    mask, so that a model of complete data meets gaps, too; the bound is of what is left. hyper: lr, b1, b2;
    `ema_decay`, `clip_norm` as for `vae`.
    Samplers: "complete", given "x" and "mask": draws of what is missing (`noise` 0: the likelihood's means in place of
    draws, the default for images); "expected": E[x missing | x observed]; both by `samples` importance samples.
    `likelihood` is log p(x known), or with a "mask" log p(what is known and hidden | what is shown), the difference
    of two such estimates. Raises UserError for a likelihood that does not fit the data.
    """
    check(likelihood, shape, Binarization.NONE)
    check_latent_size(getattr(encoder, "latent_size", 1))
    if tails is not None and tails < 1:
        raise UserError(f"tails of {tails} degrees of freedom: give 1 or more")
    bounds.check(*estimate)
    values = hypers.values_of(hyper)
    seen = jax.eval_shape(lambda: gaps.nothing(2, shape).condition)
    location, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0], seen)
    players = {
        "encoder": hypers.player(encoder, (seen,), optimizer, values),
        "decoder": hypers.player(decoder, (jax.ShapeDtypeStruct(location.shape, jnp.float32),), optimizer, values),
    }
    model = _Miwae(caller(players), likelihood, shape, location.shape[-1], tails)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        view, key = Weights(params, context.stats), context.key
        seen = gaps.look(context.batch)
        if hide is not None:
            seen = gaps.look(context.batch, seen.shown * hide(keys.named(key, "hide"), context.batch["x"]))
        posterior, encoder_stats = model.posterior(view, seen, key, train=True)
        latents = model.draw(key, *posterior, estimate.samples)  # [k, B, d]

        def terms_of(z: Array, posterior: tuple[Array, Array]) -> tuple[Terms, Any]:
            log_prob, _, stats = model.render(view, seen.x, seen.shown, z, key, train=True)
            return Terms(log_prob, model.log_prior(z), model.log_posterior(z, *posterior)), stats

        value, (terms, stats) = bounds.estimate(
            terms_of, latents, posterior, estimate.bound, estimate.estimator, groups=estimate.groups, has_aux=True
        )
        told = {"bound": value.mean(), "reconstruction": terms.log_likelihood.mean()}
        return -value.mean(), Aux({"encoder": encoder_stats, "decoder": stats}, told)

    return _finish(compose(players, (Phase(tuple(players), objective),), values), model, estimate.samples)


@dataclass(frozen=True)
class _Miwae:
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


def _finish(algorithm: Algorithm, model: _Miwae, samples: int) -> Algorithm:
    """The algorithm with what a MIWAE can do."""
    image = len(model.shape) == 3

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return keys.normal(keys.named(key, "latents"), count, model.latent_size)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """The mean of p(x|z)."""
        return model.likelihood.mean(model.call("decoder", *weights, latents, train=False)[0])

    def complete(
        weights: Weights,
        key: Array,
        count: int,
        given: Mapping[str, Array] = {},
        *,
        samples: float = IMPORTANCE,
        noise: float = 0.0 if image else 1.0,
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

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        (location, log_square), _ = model.posterior(weights, gaps.look(batch))
        return {"mean": location} | ({"log_variance": log_square} if model.tails is None else {})

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound on log p(x known) at as many samples as in training, for every example, in nats."""
        seen = gaps.look(batch)
        log_w, _ = model.weigh(weights, seen, seen.known, key, samples)(jnp.int32(0))
        return {"bound": bounds.iwae(log_w)}

    def likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        seen = gaps.look(batch)
        whole = model.evidence(weights, seen._replace(shown=seen.known), keys.named(key, "whole"), samples)
        if "mask" not in batch:
            return whole._asdict()
        part = model.evidence(weights, seen, keys.named(key, "part"), samples)
        return {
            "value": whole.value - part.value,
            "standard_error": jnp.hypot(whole.standard_error, part.standard_error),
            "effective_samples": jnp.minimum(whole.effective_samples, part.effective_samples),
        }

    completions = {
        "complete": Sampler(complete, gaps.GIVEN, {"samples": IMPORTANCE, "noise": 0.0 if image else 1.0}),
        "expected": Sampler(expected, gaps.GIVEN, {"samples": IMPORTANCE}),
    }
    return algorithm._replace(
        samplers=latent_samplers(prior, decode, normal_prior=True) | completions,
        prior=prior,
        normal_prior=True,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="bound",
        likelihood=likelihood,
        levels=model.likelihood.levels,
        score=lambda weights, batch, key: -evaluate(weights, batch, key)["bound"],
        gaps=True,
    )
