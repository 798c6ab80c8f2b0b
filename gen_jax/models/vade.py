"""VaDE: a VAE whose prior is a mixture of Gaussians, one component a cluster (Jiang et al. 2017, arXiv:1611.05148).

The published results begin at weights that are shipped with the code, and without them everything falls into one
cluster. Here nothing is shipped. A run has three parts: for `pretrain` rounds encoder and decoder are an autoencoder;
at the last of these a mixture is fitted by EM to the codes of the latest rounds (`mixture_fit`, several starts, the
likeliest kept); from then on all three maximise the bound
    E_q[log p(x|z)] - beta Σ_c γ_c (log γ_c / π_c + KL(q(z|x) || N(μ_c, σ_c²))),  γ_c = p(c | z), z ~ q(z|x).
No label is read anywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis, keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.lazily import once
from gen_jax.core.phases import Phase
from gen_jax.core.players import Call, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.codes import check_latent_size
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import divergences, mixture_fit
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, levels_of, sum_event
from gen_jax.objectives.mixture_fit import Mixture

Augment = Callable[[Array, Array], Array]  # (x [B, *shape], key) -> x: what the autoencoder learns


class Components(nn.Module):
    """The prior: what was fitted ("fitted", no parameters), and what training has made of it since (parameters).

    "codes" holds the latest codes [memory, d], which the mixture is fitted to, and how many there were in all.
    """

    components: int
    dims: int
    memory: int

    @nn.compact
    def __call__(self, *, train: bool) -> Mixture:
        shapes = {"logits": (self.components,)} | dict.fromkeys(("mean", "log_variance"), (self.components, self.dims))
        self.variable("codes", "latest", jnp.zeros, (self.memory, self.dims))
        self.variable("codes", "seen", jnp.zeros, (), jnp.int32)
        self.variable("fitted", "done", jnp.zeros, (), jnp.int32)
        fitted = Mixture(
            self.variable("fitted", "logits", jnp.zeros, shapes["logits"]).value,
            self.variable("fitted", "mean", lambda: jax.random.normal(self.make_rng("params"), shapes["mean"])).value,
            self.variable("fitted", "log_variance", jnp.zeros, shapes["log_variance"]).value,
        )
        zeros = nn.initializers.zeros_init()
        since = (self.param(name, zeros, shapes[name]) for name in Mixture._fields)
        return Mixture(*(a + b for a, b in zip(fitted, since, strict=True)))


@dataclass(frozen=True)
class _Vade:
    """The densities, over players "encoder", "decoder" and "prior"."""

    call: Call
    likelihood: Likelihood
    binarization: Binarization

    def mixture(self, weights: Weights) -> Mixture:
        return self.call("prior", *weights, train=False)[0]

    def posterior(self, weights: Weights, x: Array, key: Array | None = None, *, train: bool):
        """((mean, log_variance), each [B, d]; the encoder's statistics)."""
        return self.call("encoder", *weights, x, train=train, key=key)

    def terms(
        self, weights: Weights, x: Array, key: Array, noise: Array | float, *, train: bool
    ) -> tuple[Array, Array, Array, Players]:
        """(log p(x|z) and the KL of z and cluster, [B] each; the means of q(z|x) [B, d]; new statistics).

        noise: the share of q's standard deviation that z is drawn with; 0 is the autoencoder.
        """
        inner = key if train else None
        (mean, log_variance), encoder = self.posterior(weights, x, inner, train=train)
        own = keys.normal(keys.named(key, "posterior"), *mean.shape)
        z = divergences.normal_sample(mean, log_variance, noise * own)
        outputs, decoder = self.call("decoder", *weights, z, train=train, key=inner)
        log_prob = sum_event(self.likelihood.log_prob(outputs, x))
        mixture = self.mixture(weights)
        share = jax.nn.softmax(mixture.log_joint(z))  # γ, [B, K]
        each = divergences.kl_normal(mean[:, None], log_variance[:, None], mixture.mean, mixture.log_variance).sum(
            axis=-1
        )  # [B, K]
        kl = (share * (each + jnp.log(share + 1e-10) - jax.nn.log_softmax(mixture.logits))).sum(axis=-1)
        return log_prob, kl, mean, {"encoder": encoder, "decoder": decoder}


def vade(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    components: int,
    pretrain: int,
    hyper: Any,
    memory: int = 4000,
    augment: Augment | None = None,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """VaDE as an `Algorithm`.

    encoder: x [B, *shape] -> (mean, log_variance), each [B, d], its `latent_size`. decoder: z [B, d] -> likelihood
    outputs. components: K clusters. pretrain: rounds as an autoencoder; 0: none, and no fit. memory: how many codes the
    mixture is fitted to. augment: changes the images that the autoencoder learns; the bound sees them as
    they are. hyper: beta, and what the optimizer reads;
    `ema_decay` and `clip_norm` as for `vae`.
    Raises UserError for fewer codes than components, and a likelihood that does not fit the data.
    """
    check(likelihood, shape, binarization)
    size = getattr(encoder, "latent_size", 1)
    check_latent_size(size)
    if components > memory:
        raise UserError(
            f"{components} clusters of {memory} codes: ask for {memory} or fewer, or for more rounds or memory"
        )
    values = hypers.values_of(hyper)
    hypers.need(values, ("beta",))
    example, code = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in (shape, (size,)))
    players = {
        "encoder": hypers.player(encoder, (example,), optimizer, values),
        "decoder": hypers.player(decoder, (code,), optimizer, values),
        "prior": hypers.player(Components(components, size, memory), (), optimizer, values),
    }
    model = _Vade(caller(players), likelihood, binarization)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        x, key = observed(context.batch, context.key, binarization), context.key
        bound = context.stats["prior"]["fitted"]["done"] > 0 if pretrain else jnp.array(True)
        x = x if augment is None else jnp.where(bound, x, augment(x, key))
        now = bound.astype(jnp.float32)
        log_prob, kl, codes, stats = model.terms(Weights(params, context.stats), x, key, now, train=True)
        if pretrain:
            latest = _remember(context.stats["prior"], jax.lax.stop_gradient(codes), context, pretrain)
            stats = {**stats, "prior": latest}
        metrics = {"reconstruction": log_prob.mean(), "kl": kl.mean(), "elbo": (log_prob - kl).mean()}
        return now * context.hyper["beta"] * kl.mean() - log_prob.mean(), Aux(stats, metrics)

    def _remember(prior: Tree, codes: Array, context: Context, pretrain: int) -> Tree:
        """The prior's statistics with this round's codes and, once pretraining is over, the fitted mixture.

        A round that was not finite leaves nothing here: the fit is due at the first one after it that is.
        """
        codes, seen, done = axis.gather(codes)[:memory], prior["codes"]["seen"], prior["fitted"]["done"]
        latest = prior["codes"]["latest"].at[(seen + jnp.arange(len(codes))) % memory].set(codes)
        seen = seen + len(codes)

        def fitted() -> Tree:
            there = latest[jnp.arange(memory) % seen]  # of a memory that is not full yet, its codes again
            found, _ = mixture_fit.fit(there, keys.named(context.key, "fit"), components)
            sound = jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in found]))
            kept = {name: jnp.where(sound, leaf, prior["fitted"][name]) for name, leaf in found._asdict().items()}
            return {**kept, "done": jnp.int32(sound)}

        due = (context.step >= pretrain - 1) & (done == 0) & jnp.isfinite(codes).all()
        return {"codes": {"latest": latest, "seen": seen}, "fitted": once(due, fitted, dict(prior["fitted"]))}

    return _finish(compose(players, (Phase(tuple(players), objective),), values), model)


def _finish(algorithm: Algorithm, model: _Vade) -> Algorithm:
    """The algorithm with what VaDE can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        mixture, own = model.mixture(weights), keys.named(key, "latents")
        chosen = keys.draw(keys.named(own, "component"), count, lambda k: jax.random.categorical(k, mixture.logits))
        noise = keys.normal(own, count, mixture.mean.shape[1])
        return divergences.normal_sample(mixture.mean[chosen], mixture.log_variance[chosen], noise)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        return model.likelihood.mean(model.call("decoder", *weights, latents, train=False)[0])

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        x = observed(batch, None, model.binarization)
        (mean, log_variance), _ = model.posterior(weights, x, train=False)
        return {"mean": mean, "log_variance": log_variance}

    def cluster(weights: Weights, batch: Batch) -> Array:
        """log p(z, c) at the mean of q(z|x), [B, K]."""
        return model.mixture(weights).log_joint(encode(weights, batch)["mean"])

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound (beta = 1) and its parts for every example, in nats."""
        x = observed(batch, key, model.binarization)
        log_prob, kl, _, _ = model.terms(weights, x, key, 1.0, train=False)
        return {"elbo": log_prob - kl, "reconstruction": log_prob, "kl": kl}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)["elbo"]

    return algorithm._replace(
        samplers=latent_samplers(prior, decode),
        prior=prior,
        decode=decode,
        encode=encode,
        cluster=cluster,
        evaluate=evaluate,
        best="elbo",
        levels=levels_of(model.likelihood, model.binarization),
        score=score,
    )
