"""VQ-VAE (van den Oord et al. 2017): discrete codes on a grid, and an autoregressive prior over them as second player.

Two phases: encoder and decoder (straight-through, commitment) with the codebook following by moving averages; then the
prior learns the codes of the same batch, from which nothing else gets a gradient. Codes are deterministic, so
log p(x|z) + log p(z) at the code of x is a bound on log p(x).
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Tree, Weights
from gen_jax.models.vae_parts import observed
from gen_jax.objectives import quantize
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check
from gen_jax.objectives.quantize import Codebook


class CodebookState(nn.Module):
    """The codebook as a player without parameters: it moves as a statistic, not by gradients."""

    codes: int
    dims: int

    @nn.compact
    def __call__(self, *, train: bool) -> dict[str, Array]:
        def start() -> dict[str, Array]:
            return quantize.codebook_init(self.make_rng("params"), self.codes, self.dims)._asdict()

        return self.variable("codebook", "book", start).value


def vq_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    prior_network: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    codes: int,
    hyper: Mapping[str, float],
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
    prior_optimizer: Callable = adam("lr_prior"),
) -> Algorithm:
    """A VQ-VAE as an `Algorithm`.

    encoder: images -> [B, h, w, d]. decoder: [B, h, w, d] -> likelihood outputs. prior_network: code numbers int32
    [B, h, w] -> logits [B, h, w, codes], each position seeing those before it in raster order only.
    hyper: lr, lr_prior, b1, b2, commitment (0.25), codebook_decay (0.99), revive (latents a batch under which a code
    restarts; 0: never); `ema_decay` averages the networks. Latents are code vectors laid flat, [B, h·w·d]; `decode`
    rounds them to the codebook. Raises UserError for fewer than 2 codes.
    """
    check(likelihood, shape, binarization)
    if codes < 2:
        raise UserError(f"a codebook of {codes} codes says nothing about an image; use 2 or more")
    average = "ema_decay" if "ema_decay" in hyper else None
    image_example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)

    def encoded(image: Array) -> Array:
        return encoder.init_with_output(jax.random.key(0), image, train=False)[0]

    height, width, dims = jax.eval_shape(encoded, image_example).shape[1:]
    players = {
        "encoder": Player(encoder, (image_example,), optimizer, ema=average),
        "decoder": Player(
            decoder, (jax.ShapeDtypeStruct((2, height, width, dims), jnp.float32),), optimizer, ema=average
        ),
        "codebook": Player(CodebookState(codes, dims), (), optimizer),
        "prior": Player(
            prior_network, (jax.ShapeDtypeStruct((2, height, width), jnp.int32),), prior_optimizer, ema=average
        ),
    }

    def book_of(stats: Players) -> Codebook:
        return Codebook(**stats["codebook"]["codebook"]["book"])

    def call(name: str, params: Players, stats: Players, value: Array, key: Array | None, train: bool):
        own = None if key is None else keys.named(key, name)
        return apply(players[name], params[name], stats[name], value, train=train, key=own)

    def log_prior(params: Players, stats: Players, numbers: Array, key: Array | None, train: bool):
        logits, new = call("prior", params, stats, numbers, key, train)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), numbers[..., None], axis=-1)
        return chosen.sum(axis=(1, 2, 3)), new

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key, stats, hyper = context.key, context.stats, context.hyper
        image = observed(context.batch, key, binarization)
        latents, encoder_stats = call("encoder", params, stats, image, key, train=True)
        book = book_of(stats)
        numbers = quantize.nearest(latents, book.embedding)
        quantized = quantize.lookup(numbers, book.embedding)
        passed = quantize.straight_through(latents, quantized)
        outputs, decoder_stats = call("decoder", params, stats, passed, key, train=True)
        reconstruction = likelihood.log_prob(outputs, image).mean()
        # Summed over the code, as the reconstruction is over the image: both are terms of one log-density.
        distance = height * width * dims * quantize.commitment(latents, quantized).mean()
        book = quantize.ema_update(book, latents, numbers, hyper["codebook_decay"])
        book = quantize.revive(book, latents, keys.named(key, "codebook"), hyper["revive"])
        metrics = {
            "reconstruction": reconstruction,
            "commitment": distance,
            "perplexity": quantize.perplexity(numbers, codes),
        }
        moved: Tree = {"codebook": {"book": book._asdict()}}
        new = {"encoder": encoder_stats, "decoder": decoder_stats, "codebook": moved}
        return hyper["commitment"] * distance - reconstruction, Aux(new, metrics)

    def numbers_of(weights_params: Players, stats: Players, image: Array) -> Array:
        latents, _ = call("encoder", weights_params, stats, image, None, train=False)
        return quantize.nearest(latents, book_of(stats).embedding)

    def prior_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        numbers = numbers_of(params, context.stats, observed(context.batch, context.key, binarization))
        value, stats = log_prior(params, context.stats, numbers, context.key, train=True)
        return -value.mean(), Aux({"prior": stats}, {"log_prior": value.mean()})

    def prior(weights: Weights, key: Array, count: int) -> Array:
        """Codes drawn position by position, [count, h·w·d]."""
        gumbels = keys.draw(keys.named(key, "latents"), count, lambda k: jax.random.gumbel(k, (height * width, codes)))

        def place(numbers: Array, position: Array):
            logits, _ = call("prior", weights.params, weights.stats, numbers, None, train=False)
            logits = logits.reshape(count, -1, codes)[:, position]
            chosen = jnp.argmax(logits + gumbels[:, position], axis=-1).astype(jnp.int32)
            return numbers.reshape(count, -1).at[:, position].set(chosen).reshape(numbers.shape), None

        numbers, _ = jax.lax.scan(place, jnp.zeros((count, height, width), jnp.int32), jnp.arange(height * width))
        return quantize.lookup(numbers, book_of(weights.stats).embedding).reshape(count, -1)

    def decode(weights: Weights, latents: Array, label: Array | None = None) -> Array:
        embedding = book_of(weights.stats).embedding
        numbers = quantize.nearest(latents.reshape(-1, height, width, dims), embedding)
        quantized = quantize.lookup(numbers, embedding)
        return likelihood.mean(call("decoder", weights.params, weights.stats, quantized, None, train=False)[0])

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count))

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        image = observed(batch, None, binarization)
        latents, _ = call("encoder", weights.params, weights.stats, image, None, train=False)
        return {"mean": latents.reshape(latents.shape[0], -1)}

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """log p(x|z) + log p(z) at the code of x, and its parts ("kl" is -log p(z): q(z|x) is a point), in nats."""
        image = observed(batch, key, binarization)
        numbers = numbers_of(weights.params, weights.stats, image)
        quantized = quantize.lookup(numbers, book_of(weights.stats).embedding)
        outputs, _ = call("decoder", weights.params, weights.stats, quantized, None, train=False)
        reconstruction = likelihood.log_prob(outputs, image)
        log_code, _ = log_prior(weights.params, weights.stats, numbers, None, train=False)
        return {"elbo": reconstruction + log_code, "reconstruction": reconstruction, "kl": -log_code}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, {}, batch, key)["elbo"]

    phases = Phase(("encoder", "decoder"), objective), Phase(("prior",), prior_objective)
    algorithm = compose(players, phases, hyper)
    return algorithm._replace(
        best="elbo", prior=prior, decode=decode, sample=sample, encode=encode, evaluate=evaluate, score=score
    )
