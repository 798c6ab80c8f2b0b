"""M2: a VAE of images and classes that learns the classes from few labels (Kingma et al. 2014, arXiv:1406.5298).

p(y) uniform, z ~ N(0, I), p(x | y, z); q(y | x) is the classifier and q(z | x, y) the encoder. With
L(x, y) = E_q[log p(x | y, z)] + log p(y) - KL(q(z | x, y) || p(z)) one step maximises
    Σ_labelled L(x, y) + Σ_unlabelled (Σ_y q(y | x) L(x, y) + H(q(y | x)))
with alpha times the classifier's log-likelihood of the labelled (the paper's equation 9). The sum over classes is
exact: each unlabelled example is encoded and decoded once a class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.domains import NonNegative
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam, caller
from gen_jax.core.types import LABEL, Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import hypers, vae
from gen_jax.models.codes import check_latent_size
from gen_jax.models.conditions import examples_of, values_of
from gen_jax.models.few_labels import STREAM, cross_entropy, right
from gen_jax.objectives import divergences
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, levels_of, sum_event

NAMES = "classifier", "encoder", "decoder"


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    """The scalars of M2, alone or on the latents of M1."""

    alpha: NonNegative = 10.0
    """weight of the classifier's cross-entropy of labelled examples"""
    labelled: NonNegative = 1.0
    """weight of a labelled example's bound beside an unlabelled one's"""


class Terms(NamedTuple):
    """Of every example, [B] each: the bound on log p(x) and its parts, and the classifier's logits [B, K]."""

    bound: Array
    reconstruction: Array
    kl: Array  # of z to N(0, I) and of y to uniform
    logits: Array


@dataclass(frozen=True)
class M2:
    """The densities of the model over players of these names, in this order: classifier, encoder, decoder."""

    players: Mapping[str, Player]
    names: tuple[str, ...]
    likelihood: Likelihood
    classes: int
    latent_size: int

    def of_class(
        self, weights: Weights, x: Array, label: Array, key: Array, inner: Array | None = None, *, train: bool
    ) -> tuple[Array, Array, Players]:
        """(log p(x | y, z) at one z of q, KL of z, [B·n] each; new statistics) for x [B, ...] and n labels of each of
        them, side by side: label [B·n]."""
        call, (_, encoder, decoder) = caller(self.players), self.names
        (mean, log_variance), first = call(encoder, *weights, x, label, train=train, key=inner)
        copies = label.shape[0] // x.shape[0]
        noise = jnp.repeat(keys.normal(keys.named(key, "posterior"), x.shape[0], self.latent_size), copies, axis=0)
        z = divergences.normal_sample(mean, log_variance, noise)
        outputs, second = call(decoder, *weights, z, label, train=train, key=inner)
        log_prob = sum_event(self.likelihood.log_prob(outputs, jnp.repeat(x, copies, axis=0)))
        kl = divergences.kl_standard_normal(mean, log_variance).sum(axis=-1)
        return log_prob, kl, {encoder: first, decoder: second}

    def logits(self, weights: Weights, x: Array, key: Array | None = None, *, train: bool) -> tuple[Array, Players]:
        """(log q(y | x) up to a constant [B, K], new statistics)."""
        found, stats = caller(self.players)(self.names[0], *weights, x, train=train, key=key)
        return found, {self.names[0]: stats}

    def unlabelled(self, weights: Weights, x: Array, key: Array, *, train: bool) -> tuple[Terms, Players]:
        """The bound where y is not known, summed over classes. Every class sees the same noise."""
        count, inner = x.shape[0], key if train else None
        logits, stats = self.logits(weights, x, inner, train=train)
        label = jnp.tile(jnp.arange(self.classes, dtype=jnp.int32), count)
        log_prob, kl, more = self.of_class(weights, x, label, key, inner, train=train)
        log_prob, kl = (v.reshape(count, self.classes) for v in (log_prob, kl))
        log_q = jax.nn.log_softmax(logits)
        q = jnp.exp(log_q)
        reconstruction = (q * log_prob).sum(axis=-1)
        total = (q * (kl + log_q)).sum(axis=-1) + jnp.log(self.classes)
        return Terms(reconstruction - total, reconstruction, total, logits), {**stats, **more}

    def loss(self, params: Players, context: Context, x: Array, known: Array, label: Array) -> tuple[Array, Aux]:
        """What a step minimises, of unlabelled x and labelled `known`. Statistics move on the unlabelled."""
        weights, key = Weights(params, context.stats), context.key
        own = jax.random.fold_in(key, 1)
        terms, stats = self.unlabelled(weights, x, key, train=True)
        log_prob, kl, _ = self.of_class(weights, known, label, own, own, train=True)
        logits, _ = self.logits(weights, known, own, train=True)
        wrong = cross_entropy(logits, label).mean()
        labelled = (log_prob - kl).mean() - jnp.log(self.classes)
        metrics = {
            "bound": terms.bound.mean(),
            "reconstruction": terms.reconstruction.mean(),
            "kl": terms.kl.mean(),
            "bound/labelled": labelled,
            "loss/labelled": wrong,
            "accuracy/labelled": right(logits, label),
        }
        value = context.hyper["alpha"] * wrong - terms.bound.mean() - context.hyper["labelled"] * labelled
        return value, Aux(stats, metrics)


def parts(
    classifier: nn.Module,
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    classes: int,
    hyper: Mapping[str, float],
    optimizer: Callable,
    names: tuple[str, ...] = NAMES,
) -> M2:
    """The model's players, checked. Raises UserError for fewer than two classes and a latent size < 1."""
    if classes < 2:
        raise UserError(f"M2 tells classes apart, and these data have {classes}; use data with 2 or more")
    size = getattr(encoder, "latent_size", 1)
    check_latent_size(size)
    hypers.need(hyper, ("alpha", "labelled"))
    example, code = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in (shape, (size,)))
    beside = examples_of(LABEL)
    inputs = (example,), (example, *beside), (code, *beside)
    networks = classifier, encoder, decoder
    players = {
        name: hypers.player(network, seen, optimizer, hyper)
        for name, network, seen in zip(names, networks, inputs, strict=True)
    }
    return M2(players, names, likelihood, classes, size)


def m2(
    classifier: nn.Module,
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    classes: int,
    hyper: Any,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """M2 as an `Algorithm`.

    classifier: x [B, *shape] -> logits [B, K]. encoder: (x [B, *shape], n labels of each, side by side [B·n]) ->
    (mean, log_variance), each [B·n, d], as `nets.by_class.Encoder`. decoder: (z [B, d], label) -> likelihood outputs.
    hyper: lr, b1, b2; `alpha`, the weight of the classifier's cross-entropy of labelled examples; `labelled`, that of a
    labelled example's bound beside an unlabelled one's; `ema_decay` and `clip_norm` as for `vae`. Samplers: "prior"
    draws a class too, "class" is given "label".
    """
    check(likelihood, shape, binarization)
    values = hypers.values_of(hyper)
    options = {"likelihood": likelihood, "shape": shape, "classes": classes, "hyper": values, "optimizer": optimizer}
    model = parts(classifier, encoder, decoder, **options)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        known = context.beside[STREAM]
        x, seen = (observed(b, context.key, binarization) for b in (context.batch, known))
        return model.loss(params, context, x, seen, known["label"])

    algorithm = compose(model.players, (Phase(NAMES, objective, beside=(STREAM,)),), values)
    return _finish(algorithm, model, binarization)


def _finish(algorithm: Algorithm, model: M2, binarization: Binarization) -> Algorithm:
    """The algorithm with what M2 can do. Latents are z and the class, one-hot, side by side: [B, d + K]."""
    call = caller(model.players)

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        z = keys.normal(keys.named(key, "latents"), count, model.latent_size)
        drawn = keys.draw(
            keys.named(key, "class"), count, lambda k: jax.random.randint(k, (), 0, model.classes, jnp.int32)
        )
        return jnp.concatenate([z, jax.nn.one_hot(drawn, model.classes)], axis=-1)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        z, label = latents[:, : model.latent_size], latents[:, model.latent_size :].argmax(axis=-1)
        return model.likelihood.mean(call("decoder", *weights, z, label.astype(jnp.int32), train=False)[0])

    def sample(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return decode(weights, prior(weights, key, count))

    def of_class(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        (label,) = values_of(given, ("label",))
        z = prior(weights, key, count)[:, : model.latent_size]
        return decode(weights, jnp.concatenate([z, jax.nn.one_hot(label, model.classes)], axis=-1))

    def classify(weights: Weights, batch: Batch) -> Array:
        return model.logits(weights, observed(batch, None, binarization), train=False)[0]

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        """The latents as above, at the mean of q(z | x, y) of the likeliest class."""
        x = observed(batch, None, binarization)
        label = classify(weights, batch).argmax(axis=-1).astype(jnp.int32)
        (mean, _), _ = call("encoder", *weights, x, label, train=False)
        return {"mean": jnp.concatenate([mean, jax.nn.one_hot(label, model.classes)], axis=-1)}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound on log p(x), y unknown, and its parts for every example, in nats."""
        x = observed(batch, key, binarization)
        terms, _ = model.unlabelled(weights, x, key, train=False)
        return {"elbo": terms.bound, "reconstruction": terms.reconstruction, "kl": terms.kl}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)["elbo"]

    return algorithm._replace(
        samplers={"prior": Sampler(sample), "class": Sampler(of_class, ("label",))},
        prior=prior,
        decode=decode,
        encode=encode,
        evaluate=evaluate,
        best="elbo",
        levels=levels_of(model.likelihood, binarization),
        classify=classify,
        score=score,
    )
