"""BiGAN (Donahue et al. 2017) and ALI (Dumoulin et al. 2017): a GAN on pairs of image and latents, which learns E too.

The discriminator tells (x, E(x)) from (G(z), z); generator and encoder move together to exchange the two. BiGAN's
encoder is a function, ALI's (`stochastic`) a reparameterised Gaussian.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Tree, Weights
from gen_jax.models.vae_parts import check_latent_size
from gen_jax.objectives.adversarial import AdversarialLoss, non_saturating
from gen_jax.objectives.divergences import normal_sample


def bigan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    *,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    loss: AdversarialLoss = non_saturating,
    stochastic: bool = False,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A BiGAN, or with `stochastic` ALI, as an `Algorithm`.

    generator: latents [B, d] -> images. encoder: images -> (mean, log_variance), [B, d] each. discriminator: (images,
    latents) -> logits [B], larger for (x, E(x)). hyper: lr_generator (of generator and encoder), lr_discriminator, b1,
    b2; `ema_decay` averages generator and encoder. Generator and encoder minimise the discriminator's loss with the
    two kinds exchanged, so neither side of the game saturates.
    """
    check_latent_size(latent_size)
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    average = "ema_decay" if "ema_decay" in hyper else None
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    code_example = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    players = {
        "generator": Player(generator, (code_example,), chosen["generator"], ema=average),
        "encoder": Player(encoder, (image_example,), chosen["generator"], ema=average),
        "discriminator": Player(discriminator, (image_example, code_example), chosen["discriminator"]),
    }

    def call(name: str, params: Players, stats: Tree, *inputs: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, name)
        return apply(players[name], params[name], stats, *inputs, train=train, key=own)

    def code_of(params: Players, stats: Players, image: Array, key: Array | None, train: bool) -> tuple[Array, Tree]:
        (mean, log_variance), new = call("encoder", params, stats["encoder"], image, key=key, train=train)
        if not stochastic or key is None:
            return mean, new
        noise = keys.normal(keys.named(key, "posterior"), image.shape[0], latent_size)
        return normal_sample(mean, log_variance, noise), new

    def play(params: Players, context: Context) -> tuple[Array, Array, Players]:
        """(logits of (x, E(x)), logits of (G(z), z), statistics of all three)."""
        key, stats, image = context.key, context.stats, context.batch["x"]
        latents = keys.normal(keys.named(key, "latents"), image.shape[0], latent_size)
        fake, generator_stats = call("generator", params, stats["generator"], latents, key=key, train=True)
        codes, encoder_stats = code_of(params, stats, image, key, train=True)
        judged = stats["discriminator"]
        real_logits, judged = call(
            "discriminator", params, judged, image, codes, key=keys.named(key, "real"), train=True
        )
        fake_logits, judged = call(
            "discriminator", params, judged, fake, latents, key=keys.named(key, "fake"), train=True
        )
        new = {"generator": generator_stats, "encoder": encoder_stats, "discriminator": judged}
        return real_logits, fake_logits, new

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.discriminator(real, fake)
        metrics = {"loss/discriminator": value, "logits/real": real.mean(), "logits/fake": fake.mean()}
        return value, Aux({"discriminator": stats["discriminator"]}, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real, fake, stats = play(params, context)
        value = loss.discriminator(fake, real)
        kept = {name: stats[name] for name in ("generator", "encoder")}
        return value, Aux(kept, {"loss/generator": value})

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return keys.normal(keys.named(key, "latents"), count, latent_size)

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        return call("generator", weights.params, weights.stats["generator"], latents, key=None, train=False)[0]

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count))

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        return {"mean": code_of(weights.params, weights.stats, batch["x"], None, train=False)[0]}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """Squared errors there and back, x -> E -> G and z -> G -> E, and the game's logits; per example."""
        params, judged, image = weights.params, weights.stats["discriminator"], batch["x"]
        codes = encode(weights, batch)["mean"]
        latents = prior(weights, key, image.shape[0])
        fake = decode(weights, latents)
        again = encode(weights, {"x": fake})["mean"]
        error = (decode(weights, codes) - image) ** 2
        return {
            "squared_error": error.reshape(image.shape[0], -1).sum(axis=-1),
            "latent_error": ((again - latents) ** 2).sum(axis=-1),
            "logits/real": call("discriminator", params, judged, image, codes, key=None, train=False)[0],
            "logits/fake": call("discriminator", params, judged, fake, latents, key=None, train=False)[0],
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of G(E(x))."""
        return evaluate(weights, {}, batch, key)["squared_error"]

    phases = Phase(("discriminator",), discriminator_objective), Phase(("generator", "encoder"), generator_objective)
    algorithm = compose(players, phases, hyper)
    return algorithm._replace(prior=prior, decode=decode, sample=sample, encode=encode, evaluate=evaluate, score=score)
