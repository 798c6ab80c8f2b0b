"""Adversarial autoencoder (Makhzani et al. 2016), which is also the WAE-GAN (Tolstikhin et al. 2018).

Three phases: encoder and decoder reconstruct; a discriminator tells draws of N(0, I) from codes; the encoder moves to
have its codes taken for draws, hyper["adversarial"] times as strongly.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.vae_body import Body, check_plain, finish
from gen_jax.models.vae_probe import vae_probe
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.divergences import normal_sample
from gen_jax.objectives.likelihoods import sum_event


def aae(
    body: Body,
    discriminator: nn.Module,
    *,
    loss: AdversarialLoss = non_saturating,
    stochastic: bool = False,
    optimizer: Callable = adam("lr_discriminator", b1="b1_discriminator"),
) -> Algorithm:
    """An adversarial autoencoder as an `Algorithm`.

    The code is the mean of the body's encoder, or with `stochastic` a draw of its q(z|x). discriminator: codes [B, d]
    -> logits [B], larger for draws of the prior; optimizer: its own. hyper (of the body): lr, b1, b2, adversarial,
    lr_discriminator, b1_discriminator; no beta.
    `evaluate` gives log p(x | code), the squared error and the discriminator's logit; none bounds log p(x).
    Raises UserError for a body with a prior, flow, bound or rate of its own.
    """
    check_plain(body, "aae")
    hypers.need(body.hyper, ("adversarial",))
    model = body.densities
    codes_example = jax.ShapeDtypeStruct((2, model.latent_size), jnp.float32)
    critic = hypers.player(discriminator, (codes_example,), optimizer, body.hyper, average=False)
    players = {**body.players, "discriminator": critic}

    def seen(batch: Batch, key: Array | None) -> Array:
        return observed(batch, key, body.binarization)

    def code_of(params: Players, stats: Players, batch: Batch, key: Array | None, train: bool) -> tuple[Array, Tree]:
        """Codes [B, d]; without a key the means."""
        found, new = model.posterior(params, stats, seen(batch, key), batch, key, train=train)
        if not stochastic or key is None:
            return found.mean, new
        noise = keys.normal(keys.named(key, "posterior"), *found.mean.shape)
        return normal_sample(found.mean, found.log_variance, noise), new

    def judge(params: Players, stats: Tree, codes: Array, key: Array | None, train: bool) -> tuple[Array, Tree]:
        return apply(critic, params["discriminator"], stats, codes, train=train, key=key)

    def reconstruction_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        batch, key, stats = context.batch, context.key, context.stats
        codes, encoder_stats = code_of(params, stats, batch, key, train=True)
        outputs, decoder_stats = model.outputs(params, stats, codes, batch, key, train=True)
        value = sum_event(model.likelihood.log_prob(outputs, seen(batch, key))).mean()
        return -value, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, {"reconstruction": value})

    def logits(params: Players, context: Context) -> tuple[Array, Array, Tree]:
        """(logits of draws [B], logits of codes [B], new statistics)."""
        codes, _ = code_of(params, context.stats, context.batch, context.key, train=True)
        draws = keys.normal(keys.named(context.key, "latents"), *codes.shape)
        stats = context.stats["discriminator"]
        real, stats = judge(params, stats, draws, keys.named(context.key, "real"), train=True)
        fake, stats = judge(params, stats, codes, keys.named(context.key, "fake"), train=True)
        return real, fake, stats

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = logits(params, context)
        value = loss.discriminator(real, fake)
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fake.mean()}
        return value, Aux({"discriminator": stats}, metrics)

    def encoder_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, _ = logits(params, context)
        value = loss.generator(real, fake)
        return context.hyper["adversarial"] * value, Aux(metrics={"loss/encoder": value})

    phases = (
        Phase(("encoder", "decoder"), reconstruction_objective),
        Phase(("discriminator",), discriminator_objective),
        Phase(("encoder",), encoder_objective),
    )
    return _finish(compose(players, phases, body.hyper), body, judge, point_codes=not stochastic)


def _finish(algorithm: Algorithm, body: Body, judge: Callable, point_codes: bool) -> Algorithm:
    """The algorithm with what an adversarial autoencoder can do. judge: as in `aae`."""
    model = body.densities

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        x = observed(batch, None, body.binarization)
        return {"mean": model.posterior(weights.params, weights.stats, x, batch, train=False)[0].mean}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        params, stats, x = weights.params, weights.stats, observed(batch, key, body.binarization)
        codes = model.posterior(params, stats, x, batch, train=False)[0].mean
        outputs, _ = model.outputs(params, stats, codes, batch, train=False)
        return {
            "reconstruction": sum_event(model.likelihood.log_prob(outputs, x)),
            "squared_error": sum_event((model.likelihood.mean(outputs) - x) ** 2),
            "logits/fake": judge(params, stats["discriminator"], codes, None, train=False)[0],
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of the reconstruction."""
        return evaluate(weights, batch, key)["squared_error"]

    whole = finish(algorithm, body)._replace(
        best="reconstruction", evaluate=evaluate, score=score, likelihood=None, adversarial=True
    )
    if not point_codes:
        return whole
    # Nothing trains the encoder's log-variance, so q(z|x) has none to tell, and no KL.
    assert whole.decode is not None
    probe = vae_probe(encode, whole.decode, model.given, analytic=False, shape=model.shape)
    return whole._replace(encode=encode, point_codes=True, probe=probe)
