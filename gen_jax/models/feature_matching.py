"""A GAN that learns classes from few labels by feature matching (Salimans et al. 2016, arXiv:1606.03498).

D has K + 1 logits, one a class and one for "made up"; the last is held at 0, which changes nothing, so that with
Z(x) = Σ exp l_k(x) real has the odds Z(x) to 1. One step of D is on labelled, unlabelled and made examples together:
cross-entropy of the labelled, and ½ softplus(log Z(G(z))) + ½ (softplus(log Z(x)) - log Z(x)). G matches the batch
means of D's last features, which makes D a good classifier and the samples poor: do not judge it by them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Weights
from gen_jax.models import hypers
from gen_jax.models.few_labels import STREAM, cross_entropy, right
from gen_jax.models.gan_parts import Latents
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives.likelihoods import softplus


def feature_matching(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    shape: tuple[int, ...],
    latents: Latents,
    hyper: Any,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A semi-supervised GAN as an `Algorithm`.

    generator: latents [B, latents.size] -> x [B, *shape]. discriminator: x -> (class logits [B, K], features [B, F]).
    hyper: lr_generator, lr_discriminator, b1, b2, and `unlabelled`, the weight of the game; with `ema_decay` D is
    averaged, and classifies by its average, as the authors report it.
    """
    values = hypers.values_of(hyper)
    hypers.need(values, ("unlabelled",))
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    code, example = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in ((latents.size,), shape))
    players = {
        "generator": hypers.player(generator, (code,), chosen["generator"], values, average=False),
        "discriminator": hypers.player(discriminator, (example,), chosen["discriminator"], values),
    }
    call = caller(players)

    def make(params: Players, context: Context) -> tuple[Array, Players]:
        noise = latents.draw(jax.random.fold_in(context.key, 1), context.batch["x"].shape[0])
        fake, stats = call("generator", params, context.stats, noise, train=True, key=context.key)
        return fake, {"generator": stats}

    def judge(params: Players, context: Context, x: Array, number: int) -> tuple[Array, Array]:
        key = jax.random.fold_in(context.key, number)
        return call("discriminator", params, context.stats, x, train=True, key=key)[0]

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        known = context.beside[STREAM]
        fake, stats = make(params, context)
        named, _ = judge(params, context, known["x"], 2)
        real, unreal = (
            jax.nn.logsumexp(judge(params, context, x, number)[0], axis=-1)
            for number, x in ((3, context.batch["x"]), (4, jax.lax.stop_gradient(fake)))
        )
        wrong = cross_entropy(named, known["label"]).mean()
        game = 0.5 * (softplus(real) - real).mean() + 0.5 * softplus(unreal).mean()
        metrics = {
            "loss/labelled": wrong,
            "loss/discriminator": game,
            "accuracy/labelled": right(named, known["label"]),
            "logits/real": real.mean(),
            "logits/fake": unreal.mean(),
        }
        return wrong + context.hyper["unlabelled"] * game, Aux(stats, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        fake, stats = make(params, context)
        means = (axis.batch_mean(judge(params, context, x, n)[1]) for n, x in ((3, context.batch["x"]), (4, fake)))
        real, made = means  # [F] each
        value = ((real - made) ** 2).mean()
        return value, Aux(stats, {"loss/generator": value})

    phases = (
        Phase(("discriminator",), discriminator_objective, beside=(STREAM,)),
        Phase(("generator",), generator_objective),
    )

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return latents.draw(key, count)

    def decode(weights: Weights, codes: Array, given: Mapping[str, Array] = {}) -> Array:
        return call("generator", weights.params, weights.stats, codes, train=False)[0]

    def look(weights: Weights, batch: Batch) -> tuple[Array, Array]:
        return call("discriminator", weights.params, weights.stats, batch["x"], train=False)[0]

    def classify(weights: Weights, batch: Batch) -> Array:
        return look(weights, batch)[0]

    def features(weights: Weights, batch: Batch, x: Array) -> Array:
        return look(weights, {"x": x})[1]

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: minus the log odds of being real."""
        return -jax.nn.logsumexp(classify(weights, batch), axis=-1)

    return compose(players, phases, values)._replace(
        samplers=latent_samplers(prior, decode, (), latents.normal),
        prior=prior,
        normal_prior=latents.normal,
        decode=decode,
        classify=classify,
        features=features,
        score=score,
        adversarial=True,
    )
