"""Generative adversarial networks (Goodfellow et al. 2014): two players, two phases.

The discriminator moves `n_critic` times, each on its own minibatch, then the generator once. The game is given by an
`AdversarialLoss`; everything else that published GANs differ in is an argument.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, SharedForward, Weights
from gen_jax.objectives.adversarial import AdversarialLoss

Critic = Callable[[Array], Array]  # images [B, ...] -> logits [B]


class Penalty(NamedTuple):
    """A term of the discriminator's loss: hyper[weight] * function(critic, real, fake, key)."""

    weight: str
    function: Callable[[Critic, Array, Array, Array], Array]


def normal_latents(size: int) -> Callable[[Array, int], Array]:
    """Standard normal latents: (key, count) -> [count, size]."""
    return lambda key, count: keys.normal(key, count, size)


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    loss: AdversarialLoss,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    classes: int | None = None,
    n_critic: int = 1,
    share_fakes: bool = False,
    penalties: tuple[Penalty, ...] = (),
    augment: Callable[[Array, Array, Context], Array] | None = None,
    latents: Callable[[Array, int], Array] | None = None,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A GAN as an `Algorithm`.

    generator: (latents [B, latent_size], label?) -> images [B, *shape]. discriminator: (images, label?) -> logits [B].
    hyper: needs lr_generator, lr_discriminator, b1, b2, and the weights that penalties name; with `ema_decay` in it,
    samples come from the generator's average. classes: with it both players get the label. share_fakes: both players
    see the same fake batch, made once; otherwise each phase draws its own, as in the paper's algorithm 1.
    augment: (images, key, context) -> images, applied to whatever the discriminator sees. Raises UserError where
    share_fakes meets n_critic > 1.
    """
    if share_fakes and n_critic > 1:
        raise UserError(f"share_fakes makes one fake batch a round, but n_critic is {n_critic}; use n_critic 1")
    draw = latents or normal_latents(latent_size)
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    label_example = () if classes is None else (jax.ShapeDtypeStruct((2,), jnp.int32),)
    players = {
        "generator": Player(
            generator,
            (jax.ShapeDtypeStruct((2, latent_size), jnp.float32), *label_example),
            chosen["generator"],
            ema="ema_decay" if "ema_decay" in hyper else None,
        ),
        "discriminator": Player(
            discriminator, (jax.ShapeDtypeStruct((2, *shape), jnp.float32), *label_example), chosen["discriminator"]
        ),
    }

    def labels(batch: Batch) -> tuple[Array, ...]:
        return () if classes is None else (batch["label"],)

    def generate(params: Players, context: Context) -> tuple[Array, Players]:
        key, count = context.key, context.batch["image"].shape[0]
        fake, stats = apply(
            players["generator"],
            params["generator"],
            context.stats["generator"],
            draw(keys.named(key, "latents"), count),
            *labels(context.batch),
            train=True,
            key=keys.named(key, "generator"),
        )
        return fake, {"generator": stats}

    def fakes(params: Players, context: Context) -> tuple[Array, Players]:
        return (context.shared, {}) if share_fakes else generate(params, context)

    def judge(params: Players, stats, images: Array, context: Context, purpose: str) -> tuple[Array, Players]:
        key = keys.named(context.key, purpose)
        seen = augment(images, keys.named(key, "augment"), context) if augment else images
        discriminator_params = params["discriminator"]
        return apply(
            players["discriminator"], discriminator_params, stats, seen, *labels(context.batch), train=True, key=key
        )

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        real = context.batch["image"]
        fake, generator_stats = fakes(params, context)
        fake = jax.lax.stop_gradient(fake)
        real_logits, stats = judge(params, context.stats["discriminator"], real, context, "real")
        fake_logits, stats = judge(params, stats, fake, context, "fake")
        value = loss.discriminator(real_logits, fake_logits)
        metrics = {"loss/discriminator": value, "logits/real": real_logits.mean(), "logits/fake": fake_logits.mean()}
        for penalty in penalties:
            # Penalties see the statistics as they are and leave them alone: the critic is a fixed function of x here.
            def critic(images: Array) -> Array:
                return judge(params, context.stats["discriminator"], images, context, "penalty")[0]

            term = penalty.function(critic, real, fake, keys.named(context.key, penalty.weight))
            metrics[f"penalty/{penalty.weight}"] = term
            value += context.hyper[penalty.weight] * term
        return value, Aux({"discriminator": stats, **generator_stats}, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        fake, generator_stats = fakes(params, context)
        stats = context.stats["discriminator"]
        # Only relativistic losses use the real logits; for the others XLA drops this forward pass as dead code.
        real_logits, _ = judge(params, stats, context.batch["image"], context, "real")
        fake_logits, _ = judge(params, stats, fake, context, "fake")
        value = loss.generator(real_logits, fake_logits)
        return value, Aux(generator_stats, {"loss/generator": value})

    algorithm = compose(
        players,
        (
            Phase(("discriminator",), discriminator_objective, repeats=n_critic),
            Phase(("generator",), generator_objective),
        ),
        hyper,
        shared=SharedForward(("generator",), generate) if share_fakes else None,
    )

    def decode(weights: Weights, codes: Array, label: Array | None = None) -> Array:
        given = () if classes is None else (label,)
        return apply(
            players["generator"], weights.params["generator"], weights.stats["generator"], codes, *given, train=False
        )[0]

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return draw(keys.named(key, "latents"), count)

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count), label)

    def logits(weights: Weights, images: Array, batch: Batch) -> Array:
        params, stats = weights.params["discriminator"], weights.stats["discriminator"]
        return apply(players["discriminator"], params, stats, images, *labels(batch), train=False)[0]

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The game on held-out data, an example at a time: losses, logits, and how often D calls each side right."""
        count = batch["image"].shape[0]
        fake = decode(weights, prior(weights, key, count), batch.get("label"))
        real_logits, fake_logits = logits(weights, batch["image"], batch), logits(weights, fake, batch)
        pairs = real_logits[:, None], fake_logits[:, None]
        return {
            "loss/discriminator": jax.vmap(loss.discriminator)(*pairs),
            "loss/generator": jax.vmap(loss.generator)(*pairs),
            "logits/real": real_logits,
            "logits/fake": fake_logits,
            "accuracy/real": (real_logits > 0).astype(jnp.float32),
            "accuracy/fake": (fake_logits < 0).astype(jnp.float32),
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative logit of the discriminator."""
        return -logits(weights, batch["image"], batch)

    return algorithm._replace(prior=prior, decode=decode, sample=sample, evaluate=evaluate, score=score)
