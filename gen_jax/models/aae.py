"""Adversarial autoencoder (Makhzani et al. 2016), which is also the WAE-GAN (Tolstikhin et al. 2018).

Three phases: encoder and decoder reconstruct; a discriminator tells draws of N(0, I) from codes; the encoder moves to
have its codes taken for draws, hyper["adversarial"] times as strongly.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Context, Phase, Players, Tree
from gen_jax.models.vae_body import finish, vae_body
from gen_jax.models.vae_parts import observed
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.divergences import normal_sample
from gen_jax.objectives.likelihoods import Binarization, Likelihood


def aae(
    encoder: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module,
    *,
    likelihood: Likelihood,
    latent_size: int,
    hyper: Mapping[str, float],
    loss: AdversarialLoss = non_saturating,
    stochastic: bool = False,
    binarization: Binarization = Binarization.NONE,
    discriminator_optimizer: Callable = adam("lr_discriminator", b1="b1_discriminator"),
    **options: Any,
) -> Algorithm:
    """An adversarial autoencoder as an `Algorithm`.

    encoder: images -> (mean, log_variance) [B, latent_size]; the code is the mean, or with `stochastic` a draw.
    discriminator: codes [B, latent_size] -> logits [B], larger for draws of the prior. hyper: lr, b1, b2, adversarial,
    lr_discriminator, b1_discriminator; `ema_decay` averages encoder and decoder. options: shape and optimizer.
    `evaluate` gives log p(x | code), the squared error and the discriminator's logit; none bounds log p(x).
    """
    body = vae_body(
        encoder,
        decoder,
        likelihood=likelihood,
        latent_size=latent_size,
        hyper=hyper,
        binarization=binarization,
        **options,
    )
    codes_example = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {**body.players, "discriminator": Player(discriminator, (codes_example,), discriminator_optimizer)}

    def code_of(params: Players, stats: Players, image: Array, key: Array | None, train: bool) -> tuple[Array, Tree]:
        own = None if key is None else keys.named(key, "encoder")
        found, new = apply(players["encoder"], params["encoder"], stats["encoder"], image, train=train, key=own)
        if not stochastic or key is None:
            return found[0], new
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], latent_size)
        return normal_sample(found[0], found[1], noise), new

    def judge(params: Players, stats: Tree, codes: Array, key: Array | None, train: bool) -> tuple[Array, Tree]:
        return apply(players["discriminator"], params["discriminator"], stats, codes, train=train, key=key)

    def reconstruction_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        image = observed(context.batch, context.key, binarization)
        codes, encoder_stats = code_of(params, context.stats, image, context.key, train=True)
        outputs, decoder_stats = body.outputs(params, context.stats, codes, None, context.key, train=True)
        value = likelihood.log_prob(outputs, image).mean()
        return -value, Aux({"encoder": encoder_stats, "decoder": decoder_stats}, {"reconstruction": value})

    def logits(params: Players, context: Context) -> tuple[Array, Array, Tree]:
        image = observed(context.batch, context.key, binarization)
        codes, _ = code_of(params, context.stats, image, context.key, train=True)
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

    def encode(weights, batch):
        image = observed(batch, None, binarization)
        return {"mean": code_of(weights.params, weights.stats, image, None, train=False)[0]}

    def evaluate(weights, hyper, batch, key) -> dict[str, Array]:
        params, stats, image = weights.params, weights.stats, observed(batch, key, binarization)
        codes, _ = code_of(params, stats, image, None, train=False)
        outputs, _ = body.outputs(params, stats, codes, None, None, train=False)
        return {
            "reconstruction": likelihood.log_prob(outputs, image),
            "squared_error": ((likelihood.mean(outputs) - image) ** 2).reshape(image.shape[0], -1).sum(axis=-1),
            "logits/fake": judge(params, stats["discriminator"], codes, None, train=False)[0],
        }

    def score(weights, batch, key) -> Array:
        """Anomaly score: the squared error of the reconstruction."""
        return evaluate(weights, {}, batch, key)["squared_error"]

    phases = (
        Phase(("encoder", "decoder"), reconstruction_objective),
        Phase(("discriminator",), discriminator_objective),
        Phase(("encoder",), encoder_objective),
    )
    algorithm = finish(compose(players, phases, hyper), body)
    return algorithm._replace(
        best="reconstruction",
        encode=encode,
        evaluate=evaluate,
        score=score,
        log_likelihood=None,
        log_likelihood_details=None,
    )
