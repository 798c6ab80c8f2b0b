"""ClusterGAN (Mukherjee et al. 2019, arXiv:1809.03627): clusters as the one-hot part of a GAN's latents.

z is N(0, σ² I) noise and a one-hot code, side by side. Generator and encoder move together: the encoder recovers noise
(squared error) and code (cross-entropy) of made images, the generator lets it; the discriminator is WGAN-GP's. Clusters
of real images are the code that the encoder names. No label is read, and no bound is there to choose a seed by: the
authors choose checkpoints by the labels of a validation set, which is not done here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Code, Context, Players, Weights
from gen_jax.models import hypers
from gen_jax.models.few_labels import cross_entropy
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives.penalties import gradient_penalty

SPREAD = 0.1  # of the noise, the paper's


class _Latents(NamedTuple):
    """z: `noise` numbers and the one-hot code of one of `clusters`."""

    noise: int
    clusters: int
    spread: float

    def draw(self, key: Array, count: int) -> Array:
        """[count, noise + clusters]."""
        own = keys.named(key, "latents")
        drawn = keys.draw(own, count, lambda k: jax.random.randint(k, (), 0, self.clusters))
        codes = jax.nn.one_hot(drawn, self.clusters)
        return jnp.concatenate([self.spread * keys.normal(own, count, self.noise), codes], axis=-1)


def clustergan(
    generator: nn.Module,
    discriminator: nn.Module,
    encoder: nn.Module,
    *,
    shape: tuple[int, ...],
    noise: int,
    clusters: int,
    hyper: Any,
    spread: float = SPREAD,
    n_critic: int = 5,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A ClusterGAN as an `Algorithm`.

    generator: z [B, noise + clusters] -> x [B, *shape]. discriminator: x -> logits [B], without BatchNorm. encoder: x
    -> [B, noise + clusters], the noise and the logits of the code. hyper: lr_generator (of generator and encoder),
    lr_discriminator, b1, b2, gradient_penalty, noise_cycle and code_cycle; `ema_decay` averages generator and encoder.
    spread: the noise's deviation: small beside the codes these decide, and too small nothing else does.
    Raises UserError for fewer than two clusters or no noise.
    """
    if clusters < 2 or noise < 1:
        raise UserError(f"{clusters} clusters, {noise} of noise: a ClusterGAN has 2 clusters or more, and noise beside")
    values, size, space = hypers.values_of(hyper), noise + clusters, _Latents(noise, clusters, spread)
    hypers.need(values, ("gradient_penalty", "noise_cycle", "code_cycle"))
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    code, example = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in ((size,), shape))
    players = {
        "generator": hypers.player(generator, (code,), chosen["generator"], values),
        "encoder": hypers.player(encoder, (example,), chosen["generator"], values),
        "discriminator": hypers.player(discriminator, (example,), chosen["discriminator"], values, average=False),
    }
    call = caller(players)

    def make(params: Players, context: Context) -> tuple[Array, Array, Players]:
        z = space.draw(context.key, context.batch["x"].shape[0])
        fake, stats = call("generator", params, context.stats, z, train=True, key=context.key)
        return z, fake, {"generator": stats}

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        x = context.batch["x"]
        _, fake, stats = make(params, context)
        fake = jax.lax.stop_gradient(fake)

        def critic(x: Array) -> Array:
            return call("discriminator", params, context.stats, x, train=True, key=context.key)[0]

        real, made = critic(x), critic(fake)
        slope = gradient_penalty(critic, x, fake, context.key)
        metrics = {"logits/real": real.mean(), "logits/fake": made.mean(), "penalty/gradient_penalty": slope}
        value = made.mean() - real.mean()
        metrics["loss/discriminator"] = value
        return value + context.hyper["gradient_penalty"] * slope, Aux(stats, metrics)

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        z, fake, stats = make(params, context)
        judged = call("discriminator", params, context.stats, fake, train=True, key=context.key)[0]
        found, encoder_stats = call("encoder", params, context.stats, fake, train=True, key=context.key)
        apart = ((found[:, :noise] - z[:, :noise]) ** 2).mean()
        wrong = cross_entropy(found[:, noise:], z[:, noise:].argmax(axis=-1)).mean()
        value = -judged.mean()
        total = value + context.hyper["noise_cycle"] * apart + context.hyper["code_cycle"] * wrong
        metrics = {"loss/generator": value, "cycle/noise": apart, "cycle/code": wrong}
        return total, Aux({**stats, "encoder": encoder_stats}, metrics)

    phases = (
        Phase(("discriminator",), discriminator_objective, repeats=n_critic),
        Phase(("generator", "encoder"), generator_objective),
    )
    codes = (Code("cluster", noise, clusters, True),)
    return _finish(compose(players, phases, values), call, space)._replace(codes=codes)


def _finish(algorithm: Algorithm, call: Callable[..., Any], space: _Latents) -> Algorithm:
    """The algorithm with what a ClusterGAN can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return space.draw(key, count)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        return call("generator", *weights, latents, train=False)[0]

    def found(weights: Weights, batch: Batch) -> Array:
        return call("encoder", *weights, batch["x"], train=False)[0]

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        """Noise and the probabilities of the code, [B, noise + clusters]."""
        z = found(weights, batch)
        return {"mean": jnp.concatenate([z[:, : space.noise], jax.nn.softmax(z[:, space.noise :])], axis=-1)}

    def cluster(weights: Weights, batch: Batch) -> Array:
        return found(weights, batch)[:, space.noise :]

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The squared error of G(E(x)) and D's logits, an example at a time."""
        x = batch["x"]
        again = decode(weights, encode(weights, batch)["mean"])
        return {
            "squared_error": ((again - x) ** 2).reshape(x.shape[0], -1).sum(axis=-1),
            "logits/real": call("discriminator", *weights, x, train=False)[0],
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the squared error of G(E(x))."""
        return evaluate(weights, batch, key)["squared_error"]

    return algorithm._replace(
        samplers=latent_samplers(prior, decode),
        prior=prior,
        decode=decode,
        encode=encode,
        point_codes=True,
        cluster=cluster,
        evaluate=evaluate,
        score=score,
        adversarial=True,
    )
