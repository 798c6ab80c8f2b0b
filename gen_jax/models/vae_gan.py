"""VAE-GAN (Larsen et al. 2016): a VAE whose reconstruction error is measured in the discriminator's features.

Three players, three phases of one round (algorithm 1), each on the round's minibatch:
    encoder         KL + L_similarity
    decoder         hyper["similarity"] * L_similarity - L_GAN     (the paper's γ)
    discriminator   L_GAN, on images, reconstructions and samples
with L_similarity = ½ |D_l(x) - D_l(x~)|² at hidden layer l.
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
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.divergences import kl_standard_normal, normal_sample
from gen_jax.objectives.likelihoods import Likelihood


def vae_gan(
    encoder: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    layer: int = -1,
    loss: AdversarialLoss = non_saturating,
    discriminator_optimizer: Callable = adam("lr_discriminator"),
    **options: Any,
) -> Algorithm:
    """A VAE-GAN as an `Algorithm`.

    discriminator: called with features=True, images -> (logits [B], hidden activations, a tuple); `layer` picks one.
    likelihood turns the decoder's outputs into images (its mean) and is the ruler that `evaluate` measures the bound
    with; it trains nothing. hyper: lr, b1, b2, beta (of the KL), similarity (γ), lr_discriminator; `ema_decay`
    averages encoder and decoder. options: further ones of `vae` (optimizer).
    """
    body = vae_body(
        encoder, decoder, likelihood=likelihood, shape=shape, latent_size=latent_size, hyper=hyper, **options
    )
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    players = {**body.players, "discriminator": Player(discriminator, (image_example,), discriminator_optimizer)}

    def judge(params: Players, stats: Tree, images: Array, key: Array):
        own = params["discriminator"]
        (logits, hidden), new = apply(players["discriminator"], own, stats, images, train=True, key=key, features=True)
        return logits, hidden[layer].reshape(images.shape[0], -1), new

    def play(params: Players, context: Context):
        """Everything that the three objectives share: what one needs and another does not, XLA drops."""
        key, stats, image = context.key, context.stats, context.batch["x"]
        own = keys.named(key, "encoder")
        (mean, log_variance), encoder_stats = apply(
            players["encoder"], params["encoder"], stats["encoder"], image, train=True, key=own
        )
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], latent_size)
        draws = keys.normal(keys.named(key, "latents"), image.shape[0], latent_size)
        outputs, decoder_stats = body.outputs(
            params, stats, normal_sample(mean, log_variance, noise), None, keys.named(key, "reconstruction"), train=True
        )
        again = likelihood.mean(outputs)
        outputs, decoder_stats = body.outputs(
            params, {**stats, "decoder": decoder_stats}, draws, None, keys.named(key, "sample"), train=True
        )
        judged = stats["discriminator"]
        real, real_features, judged = judge(params, judged, image, keys.named(key, "real"))
        rebuilt, rebuilt_features, judged = judge(params, judged, again, keys.named(key, "rebuilt"))
        fake, _, judged = judge(params, judged, likelihood.mean(outputs), keys.named(key, "fake"))
        similarity = 0.5 * ((real_features - rebuilt_features) ** 2).sum(axis=-1).mean()
        kl = kl_standard_normal(mean, log_variance).sum(axis=-1).mean()
        new = {"encoder": encoder_stats, "decoder": decoder_stats, "discriminator": judged}
        return kl, similarity, (real, rebuilt, fake), new

    def encoder_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        kl, similarity, _, stats = play(params, context)
        value = context.hyper["beta"] * kl + similarity
        return value, Aux({"encoder": stats["encoder"]}, {"kl": kl, "similarity": similarity})

    def decoder_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        _, similarity, (real, rebuilt, fake), stats = play(params, context)
        adversarial = 0.5 * (loss.generator(real, rebuilt) + loss.generator(real, fake))
        value = context.hyper["similarity"] * similarity + adversarial
        return value, Aux({"decoder": stats["decoder"]}, {"loss/decoder": adversarial})

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        _, _, (real, rebuilt, fake), stats = play(params, context)
        value = 0.5 * (loss.discriminator(real, rebuilt) + loss.discriminator(real, fake))
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fake.mean()}
        return value, Aux({"discriminator": stats["discriminator"]}, metrics)

    phases = (
        Phase(("encoder",), encoder_objective),
        Phase(("decoder",), decoder_objective),
        Phase(("discriminator",), discriminator_objective),
    )
    # The best checkpoint is not the one of the best pixels, which is what this model is meant to leave behind.
    return finish(compose(players, phases, hyper), body)._replace(best=None)
