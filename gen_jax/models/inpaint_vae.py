"""A VAE that completes images: a conditional VAE (Sohn et al. 2015) of what is hidden, given what is observed
(Ivanov et al. 2019, VAEAC, arXiv:1806.02382). One phase.

With m the mask (1: observed) it maximises the bound
    log p(x hidden | x observed) >= E_q[log p(x hidden | z, x·m, m)] - beta KL(q(z | x, x·m, m) || p(z | x·m, m)),
under masks that are drawn anew for every example and step; among them is that of nothing observed, so that it samples
whole images too.
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
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.objectives import divergences, masks
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, sum_event

Masks = Callable[[Array, int, int, int], Array]  # (key, count, H, W) -> [count, H, W, 1], 1 where observed


def inpaint_vae(
    encoder: nn.Module,
    prior: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    hyper: Any,
    mask_family: Masks = masks.family,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """An inpainting VAE as an `Algorithm`.

    encoder: x, x·mask and mask side by side [B, H, W, 2C+1] -> (mean, log_variance), each [B, d]. prior: x·mask and
    mask [B, H, W, C+1] -> (mean, log_variance). decoder: (z [B, d], x·mask and mask) -> likelihood outputs
    [B, H, W, P]. hyper: a mapping or a dataclass: lr, b1, b2, beta; `ema_decay` and `clip_norm` as for `vae`.
    Samplers: "complete", given "x" and "mask" (what `x` holds in hidden cells is not looked at, observed cells come
    back as they are), and "prior", where nothing is observed; so are `prior` and `decode` without a "mask".
    `evaluate` and `encode` take the batch's "mask"; without one, `evaluate` draws it, and `encode` observes nothing.
    Raises UserError for points, and a likelihood that does not fit the data.
    """
    if len(shape) != 3:
        raise UserError("inpaint_vae hides parts of images, and these are points")
    check(likelihood, shape, binarization)
    check_latent_size(getattr(encoder, "latent_size", 1))
    values = hypers.values_of(hyper)
    hypers.need(values, ("beta",))
    height, width, channels = shape

    def cells(depth: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((2, height, width, depth), jnp.float32)

    mean, _ = jax.eval_shape(
        lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0], cells(2 * channels + 1)
    )
    seen = cells(channels + 1)
    players = {
        "encoder": hypers.player(encoder, (cells(2 * channels + 1),), optimizer, values),
        "prior": hypers.player(prior, (seen,), optimizer, values),
        "decoder": hypers.player(decoder, (jax.ShapeDtypeStruct(mean.shape, jnp.float32), seen), optimizer, values),
    }
    model = _Inpaint(caller(players), likelihood, shape, mask_family, binarization)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        log_prob, kl, stats = model.terms(Weights(params, context.stats), context.batch, context.key, train=True)
        metrics = {"bound": (log_prob - kl).mean(), "reconstruction": log_prob.mean(), "kl": kl.mean()}
        return context.hyper["beta"] * kl.mean() - log_prob.mean(), Aux(stats, metrics)

    return _finish(compose(players, (Phase(tuple(players), objective),), values), model)


@dataclass(frozen=True)
class _Inpaint:
    """The three networks, and what they are shown."""

    call: Call
    likelihood: Likelihood
    shape: tuple[int, ...]
    mask_family: Masks
    binarization: Binarization

    def condition(self, count: int, given: Mapping[str, Array]) -> Array:
        """x·mask and mask [B, H, W, C+1] of given "x" and "mask" [B, H, W, 1]; without a mask nothing is observed."""
        if "mask" not in given:
            return jnp.zeros((count, *self.shape[:2], self.shape[2] + 1))
        if "x" not in given:
            raise UserError("this model completes x: give x with the mask")
        mask = (given["mask"] != 0).astype(jnp.float32)
        # Not a product: what is hidden may be anything, NaN too.
        return jnp.concatenate([jnp.where(mask != 0, given["x"], 0.0), mask], axis=-1)

    def posterior(self, weights: Weights, x: Array, condition: Array, key: Array | None = None, *, train: bool):
        """((mean, log_variance) of q(z | x, x·mask, mask), each [B, d]; the encoder's statistics)."""
        return self.call("encoder", *weights, jnp.concatenate([x, condition], axis=-1), train=train, key=key)

    def terms(self, weights: Weights, batch: Batch, key: Array, *, train: bool) -> tuple[Array, Array, dict[str, Any]]:
        """(log p(x hidden | z, observed) [B] at one z of q, KL to the prior [B], new statistics)."""
        x, inner = observed(batch, key, self.binarization), key if train else None
        count, (height, width, _) = x.shape[0], self.shape
        mask = batch["mask"] if "mask" in batch else self.mask_family(key, count, height, width)  # [B, H, W, 1]
        condition = self.condition(count, {"x": x, "mask": mask})
        (mean, log_variance), encoder = self.posterior(weights, x, condition, inner, train=train)
        above, prior = self.call("prior", *weights, condition, train=train, key=inner)
        noise = keys.normal(keys.named(key, "posterior"), *mean.shape)
        z = divergences.normal_sample(mean, log_variance, noise)  # [B, d]
        outputs, decoder = self.call("decoder", *weights, z, condition, train=train, key=inner)
        log_prob = sum_event(self.likelihood.log_prob(outputs, x), mask == 0)
        kl = divergences.kl_normal(mean, log_variance, *above).sum(axis=-1)
        return log_prob, kl, {"encoder": encoder, "prior": prior, "decoder": decoder}


def _finish(algorithm: Algorithm, model: _Inpaint) -> Algorithm:
    """The algorithm with what an inpainting VAE can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        """Latents [count, d] of p(z | observed)."""
        (mean, log_variance), _ = model.call("prior", *weights, model.condition(count, given), train=False)
        return divergences.normal_sample(mean, log_variance, keys.normal(keys.named(key, "latents"), *mean.shape))

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        """Means of hidden cells; observed ones come back as they are."""
        condition = model.condition(latents.shape[0], given)
        means = model.likelihood.mean(model.call("decoder", *weights, latents, condition, train=False)[0])
        return jnp.where(condition[..., -1:] != 0, condition[..., :-1], means)

    def sample(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return decode(weights, prior(weights, key, count), {})

    def complete(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        if missing := [name for name in ("x", "mask") if name not in given]:
            raise UserError(f"to complete images, give {' and '.join(missing)}")
        return decode(weights, prior(weights, key, count, given), given)

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        x = observed(batch, None, model.binarization)
        seen = {"x": x, "mask": batch["mask"]} if "mask" in batch else {}
        (mean, log_variance), _ = model.posterior(weights, x, model.condition(x.shape[0], seen), train=False)
        return {"mean": mean, "log_variance": log_variance}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound on log p(x hidden | x observed) (beta = 1) and its parts for every example, in nats."""
        log_prob, kl, _ = model.terms(weights, batch, key, train=False)
        return {"bound": log_prob - kl, "reconstruction": log_prob, "kl": kl}

    return algorithm._replace(
        samplers={"prior": Sampler(sample), "complete": Sampler(complete, ("x", "mask"))},
        prior=prior,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="bound",
        levels=model.likelihood.levels,
    )
