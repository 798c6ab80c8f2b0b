"""A VAE that completes: a conditional VAE (Sohn et al. 2015) of what is hidden, given what is observed (Ivanov et al.
2019, VAEAC, arXiv:1806.02382). One phase.

With m the mask (1: observed) it maximises the bound
    log p(x hidden | x observed) >= E_q[log p(x hidden | z, x·m, m)] - beta KL(q(z | x, x·m, m) || p(z | x·m, m)),
under masks that are drawn anew for every example and step: one network for any features given any others. Cells
without a value (NaN, in tables) are neither observed nor scored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Call, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import gaps, hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.folding import fold, repeat, unfold
from gen_jax.models.gaps import Seen
from gen_jax.models.memory import chunk_size
from gen_jax.objectives import bounds, divergences
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, levels_of, sum_event

DRAWS = 100.0  # completions behind one mean, by default


def inpaint_vae(
    encoder: nn.Module,
    prior: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    hide: gaps.Masks,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """An inpainting VAE as an `Algorithm`; of tables, x may have gaps (NaN).

    encoder: x, which of its cells are known, x·mask and mask side by side ([B, 4D]; of images, all of whose cells are
    known, [B, H, W, 2C+1]) -> (mean, log_variance), each [B, d]. prior: x·mask and mask ([B, 2D] or [B, H, W, C+1]) ->
    (mean, log_variance). decoder: (z [B, d], x·mask and mask) -> likelihood outputs [B, ..., P]. hide: the masks of
    training, (key, x) -> mask. hyper: a mapping or a dataclass: lr, b1, b2, beta; `ema_decay` and `clip_norm` as for
    `vae`; with `prior_mean` and `prior_scale` VAEAC's regulariser, minus mean²/2 prior_mean² and prior_scale
    (log std - std) of the prior, a latent.
    Samplers: "complete", given "x" and "mask" (what `x` holds in hidden cells is not looked at, observed cells come
    back as they are; `noise` 0: the likelihood's means, the default for images, in place of draws); "expected", the
    mean of `samples` completions; and "prior", where nothing is observed; so are `prior` and `decode` without a "mask".
    `evaluate` and `encode` take the batch's "mask"; without one, `evaluate` draws it, and `encode` observes nothing.
    `likelihood` is log p(x hidden | x observed), and of the whole x without a "mask".
    Raises UserError for a likelihood that does not fit the data.
    """
    check(likelihood, shape, binarization)
    check_latent_size(getattr(encoder, "latent_size", 1))
    values = hypers.values_of(hyper)
    hypers.need(values, ("beta",))
    model = _Inpaint(likelihood, shape, hide, binarization)
    inner, seen = jax.eval_shape(lambda: (model.whole(gaps.nothing(2, shape)), gaps.nothing(2, shape).condition))
    mean, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0], inner)
    players = {
        "encoder": hypers.player(encoder, (inner,), optimizer, values),
        "prior": hypers.player(prior, (seen,), optimizer, values),
        "decoder": hypers.player(decoder, (jax.ShapeDtypeStruct(mean.shape, jnp.float32), seen), optimizer, values),
    }
    call = caller(players)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        weights = Weights(params, context.stats)
        log_prob, kl, above, stats = model.terms(call, weights, context.batch, context.key, train=True)
        metrics = {"bound": (log_prob - kl).mean(), "reconstruction": log_prob.mean(), "kl": kl.mean()}
        loss = context.hyper["beta"] * kl.mean() - log_prob.mean()
        if "prior_mean" in values:
            mean, log_std = above[0], above[1] / 2
            loss += (mean**2).sum(axis=-1).mean() / (2.0 * context.hyper["prior_mean"] ** 2)
            loss -= context.hyper["prior_scale"] * (log_std - jnp.exp(log_std)).sum(axis=-1).mean()
        return loss, Aux(stats, metrics)

    return _finish(compose(players, (Phase(tuple(players), objective),), values), model, call)


@dataclass(frozen=True)
class _Inpaint:
    """What the three networks are shown, and what is made of their answers."""

    likelihood: Likelihood
    shape: tuple[int, ...]
    hide: gaps.Masks
    binarization: Binarization

    def whole(self, seen: Seen) -> Array:
        """What the encoder sees: everything, and what the prior will see."""
        known = (seen.known,) if len(self.shape) == 1 else ()  # images are known as a whole
        return jnp.concatenate([seen.x, *known, seen.condition], axis=-1)

    def seen(self, batch: Batch, key: Array | None) -> Seen:
        """The batch with its own mask; with one drawn by the key where it has none; without a key, nothing shown."""
        batch = {**batch, "x": observed(batch, key, self.binarization)}
        if "mask" in batch:
            return gaps.look(batch)
        return gaps.look(batch, jnp.zeros_like(gaps.look(batch).known) if key is None else self.hide(key, batch["x"]))

    def terms(
        self, call: Call, weights: Weights, batch: Batch, key: Array, *, train: bool
    ) -> tuple[Array, Array, tuple[Array, Array], dict[str, Any]]:
        """(log p(x hidden | z, observed) [B] at one z of q, KL to the prior [B], the prior, new statistics)."""
        seen, inner = self.seen(batch, key), key if train else None
        posterior, encoder = call("encoder", *weights, self.whole(seen), train=train, key=inner)
        above, prior = call("prior", *weights, seen.condition, train=train, key=inner)
        noise = keys.normal(keys.named(key, "posterior"), *posterior[0].shape)
        z = divergences.normal_sample(posterior[0], posterior[1], noise)  # [B, d]
        outputs, decoder = call("decoder", *weights, z, seen.condition, train=train, key=inner)
        log_prob = sum_event(self.likelihood.log_prob(outputs, seen.x), seen.hidden)
        kl = divergences.kl_normal(*posterior, *above).sum(axis=-1)
        return log_prob, kl, above, {"encoder": encoder, "prior": prior, "decoder": decoder}


def _finish(algorithm: Algorithm, model: _Inpaint, call: Call) -> Algorithm:
    """The algorithm with what an inpainting VAE can do."""
    noisy = 0.0 if len(model.shape) == 3 else 1.0

    def given_of(count: int, given: Mapping[str, Array]) -> Seen:
        return gaps.asked(given) if "mask" in given else gaps.nothing(count, model.shape)

    def latents_of(weights: Weights, key: Array, seen: Seen) -> Array:
        """Latents [B, d] of p(z | observed)."""
        (mean, log_variance), _ = call("prior", *weights, seen.condition, train=False)
        return divergences.normal_sample(mean, log_variance, keys.normal(keys.named(key, "latents"), *mean.shape))

    def outputs_of(weights: Weights, latents: Array, seen: Seen) -> Array:
        return call("decoder", *weights, latents, seen.condition, train=False)[0]

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return latents_of(weights, key, given_of(count, given))

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """Means of hidden cells; observed ones come back as they are."""
        seen = given_of(latents.shape[0], given)
        return gaps.filled(seen, model.likelihood.mean(outputs_of(weights, latents, seen)))

    def sample(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return decode(weights, prior(weights, key, count))

    def complete(
        weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, noise: float = noisy
    ) -> Array:
        seen = gaps.asked(given)
        outputs = outputs_of(weights, latents_of(weights, key, seen), seen)
        return gaps.filled(seen, model.likelihood.sample(outputs, key) if noise else model.likelihood.mean(outputs))

    def expected(
        weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, samples: float = DRAWS
    ) -> Array:
        def one(number: Array) -> Array:
            return complete(weights, jax.random.fold_in(key, number), count, given, noise=0.0)

        return gaps.filled(gaps.asked(given), gaps.mean_over(int(samples), one))  # a mean of equal numbers is rounded

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        posterior, _ = call("encoder", *weights, model.whole(model.seen(batch, None)), train=False)
        return dict(zip(("mean", "log_variance"), posterior, strict=True))

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound on log p(x hidden | x observed) (beta = 1) and its parts for every example, in nats."""
        log_prob, kl, _, _ = model.terms(call, weights, batch, key, train=False)
        return {"bound": log_prob - kl, "reconstruction": log_prob, "kl": kl}

    def likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        batch = {**batch, "x": observed(batch, key, model.binarization)}
        seen = gaps.look(batch) if "mask" in batch else gaps.look(batch, jnp.zeros_like(gaps.look(batch).known))
        posterior, _ = call("encoder", *weights, model.whole(seen), train=False)
        above, _ = call("prior", *weights, seen.condition, train=False)
        depth = model.likelihood.parameters(model.shape[-1])
        chunk = chunk_size(samples, seen.x.size // model.shape[-1] * depth)

        def log_weights(number: Array) -> Array:
            own = jax.random.fold_in(keys.named(key, "importance"), number)
            noise = jnp.swapaxes(keys.normal(own, posterior[0].shape[0], chunk, posterior[0].shape[1]), 0, 1)
            z = divergences.normal_sample(posterior[0], posterior[1], noise)  # [chunk, B, d]
            outputs = call("decoder", *weights, fold(z), repeat(seen.condition, chunk), train=False)[0]
            log_prob = model.likelihood.log_prob(outputs, repeat(seen.x, chunk))
            log_prob = unfold(sum_event(log_prob, repeat(seen.hidden, chunk)), chunk)
            log_p, log_q = (divergences.normal_log_prob(z, *of).sum(axis=-1) for of in (above, posterior))
            return log_prob + log_p - log_q

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    return algorithm._replace(
        samplers={
            "prior": Sampler(sample),
            "complete": Sampler(complete, gaps.GIVEN, {"noise": noisy}),
            "expected": Sampler(expected, gaps.GIVEN, {"samples": DRAWS}),
        },
        prior=prior,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="bound",
        likelihood=likelihood,
        levels=levels_of(model.likelihood, model.binarization),
        gaps=len(model.shape) == 1,
    )
