"""VAE-GAN (Larsen et al. 2016): a VAE whose reconstruction error is measured in the discriminator's features.

Three players, three phases of one round (algorithm 1), each on the round's minibatch:
    encoder         KL + L_similarity
    decoder         hyper["similarity"] * L_similarity - L_GAN     (the paper's γ)
    discriminator   L_GAN, on images, reconstructions and samples
with L_similarity = ½ |D_l(x) - D_l(x~)|² at hidden layer l.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Tree, Weights
from gen_jax.models import hypers
from gen_jax.models.penultimate import penultimate
from gen_jax.models.vae_body import Body, check_plain, finish
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.divergences import kl_standard_normal, normal_sample


def vae_gan(
    body: Body,
    discriminator: nn.Module,
    *,
    layer: int = -1,
    loss: AdversarialLoss = non_saturating,
    optimizer: Callable = adam("lr_discriminator"),
) -> Algorithm:
    """A VAE-GAN as an `Algorithm`.

    discriminator: called with features=True, x -> (logits [B], hidden activations, a tuple); `layer` picks one;
    optimizer: its own. The body's likelihood turns the decoder's outputs into x (its mean) and is the ruler that
    `evaluate` measures the bound with; it trains nothing. hyper (of the body): lr, b1, b2, beta (of the KL),
    similarity (γ), lr_discriminator. In the game reconstructions and samples weigh a half each; the paper adds both in
    full. Raises UserError for a body with a prior, flow, bound or rate of its own.
    """
    check_plain(body, "vae_gan")
    hypers.need(body.hyper, ("beta", "similarity"))
    model = body.densities
    x_example = jax.ShapeDtypeStruct((2, *model.shape), jnp.float32)
    critic = hypers.player(discriminator, (x_example,), optimizer, body.hyper, average=False)
    players = {**body.players, "discriminator": critic}

    def judge(params: Players, stats: Tree, x: Array, key: Array):
        """(logits [B], activations of the layer [B, n], new statistics)."""
        own = params["discriminator"]
        (logits, hidden), new = apply(critic, own, stats, x, train=True, key=key, features=True)
        if not -len(hidden) <= layer < len(hidden):
            last = len(hidden) - 1
            raise UserError(f"layer {layer}: the discriminator has hidden layers 0 to {last}; give one of them")
        return logits, hidden[layer].reshape(x.shape[0], -1), new

    def play(params: Players, context: Context):
        """Everything that the three objectives share: what one needs and another does not, XLA drops."""
        key, stats, given = context.key, context.stats, context.batch
        x = observed(context.batch, key, body.binarization)
        posterior, encoder_stats = model.posterior(params, stats, x, given, key, train=True)
        noise = keys.normal(keys.named(key, "posterior"), x.shape[0], model.latent_size)  # [B, d]
        draws = keys.normal(keys.named(key, "latents"), x.shape[0], model.latent_size)
        codes = normal_sample(posterior.mean, posterior.log_variance, noise)
        outputs, decoder_stats = model.outputs(
            params, stats, codes, given, keys.named(key, "reconstruction"), train=True
        )
        again = model.likelihood.mean(outputs)  # [B, *shape]
        outputs, decoder_stats = model.outputs(
            params, {**stats, "decoder": decoder_stats}, draws, given, keys.named(key, "sample"), train=True
        )
        judged = stats["discriminator"]
        real, real_features, judged = judge(params, judged, x, keys.named(key, "real"))
        rebuilt, rebuilt_features, judged = judge(params, judged, again, keys.named(key, "rebuilt"))
        fake, _, judged = judge(params, judged, model.likelihood.mean(outputs), keys.named(key, "fake"))
        similarity = 0.5 * ((real_features - rebuilt_features) ** 2).sum(axis=-1).mean()
        kl = kl_standard_normal(posterior.mean, posterior.log_variance).sum(axis=-1).mean()
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
    algorithm = finish(compose(players, phases, body.hyper), body)

    def features(weights: Weights, batch: Batch, x: Array) -> Array:
        """What the discriminator's last layer sees of x [B, *shape], [B, n]."""
        return penultimate(critic, weights.params["discriminator"], weights.stats["discriminator"], x)

    return algorithm._replace(best=None, adversarial=True, features=features)
