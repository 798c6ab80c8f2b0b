"""VQ-VAE (van den Oord et al. 2017): discrete codes on a grid, and an autoregressive prior over them as second player.

Two phases: encoder and decoder (straight-through, commitment) with the codebook following by moving averages; then the
prior learns the codes of the same batch, from which nothing else gets a gradient. Codes are deterministic, so
log p(x|z) + log p(z) at the code of x is a bound on log p(x).
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core import players as players_
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, adam
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Given, Players, Tree, Weights
from gen_jax.models import hypers, raster
from gen_jax.models.conditions import examples_of, values_of
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import quantize
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.likelihoods import Binarization, Likelihood, check, sum_event
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


@dataclass(frozen=True)
class _Grid:
    """The four players, and the grid of codes between them."""

    players: Mapping[str, Player]
    codes: int
    size: tuple[int, int, int]  # height, width, dimensions of a code
    given: tuple[str, ...]  # what all networks see beside their input

    def call(self, name: str, weights: Weights, value: Array, beside: Given, key: Array | None = None, *, train: bool):
        inputs = value, *values_of(beside, self.given)
        return players_.caller(self.players)(name, *weights, *inputs, train=train, key=key)

    def book(self, stats: Players) -> Codebook:
        return Codebook(**stats["codebook"]["codebook"]["book"])

    def numbers(self, weights: Weights, x: Array, beside: Given) -> Array:
        """The code of x, int32 [B, h, w]."""
        latents, _ = self.call("encoder", weights, x, beside, train=False)
        return quantize.nearest(latents, self.book(weights.stats).embedding)

    def log_prior(self, weights: Weights, numbers: Array, beside: Given, key: Array | None = None, *, train: bool):
        """(log p of codes [B, h, w], summed: [B]; the prior's statistics)."""
        logits, new = self.call("prior", weights, numbers, beside, key, train=train)  # [B, h, w, codes]
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), numbers[..., None], axis=-1)
        return chosen.sum(axis=(1, 2, 3)), new

    def logits_at(
        self, weights: Weights, numbers: Array, memory: Tree, at: tuple[Array, Array], beside: Given
    ) -> tuple[Array, Tree]:
        """The prior's logits at one place, [B, codes], and what it remembers of the places so far.

        A network that takes no `at` is called on the whole grid, at every place of it, and remembers nothing.
        """
        network = self.players["prior"].module
        if "at" not in inspect.signature(type(network).__call__).parameters:
            logits, _ = self.call("prior", weights, numbers, beside, train=False)
            return logits[:, at[0], at[1]], memory
        variables = {"params": weights.params["prior"], **weights.stats["prior"], **memory}
        inputs = numbers, *values_of(beside, self.given)
        logits, memory = network.apply(variables, *inputs, train=False, at=at, mutable=["memory"])
        return logits[:, 0, 0], dict(memory)


def vq_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    prior_network: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    codes: int,
    hyper: Any,
    given: Mapping[str, jax.ShapeDtypeStruct] = {},
    binarization: Binarization = Binarization.NONE,
    average_commitment: bool = False,
    optimizer: Callable = adam("lr"),
    prior_optimizer: Callable = adam("lr_prior"),
) -> Algorithm:
    """A VQ-VAE as an `Algorithm`.

    encoder: x -> [B, h, w, d]. decoder: [B, h, w, d] -> likelihood outputs. prior_network: code numbers int32
    [B, h, w] -> logits [B, h, w, codes], each position seeing those before it in raster order only; one that takes `at`
    as `nets.vq.CodePrior` does draws in one pass rather than h·w. given: what all
    three see beside their input, such as `core.types.LABEL`.
    hyper: a mapping or a dataclass: lr, lr_prior, b1, b2, commitment (0.25), codebook_decay (0.99), revive (latents a
    batch under which a code restarts; 0: never); `ema_decay` averages the networks, `clip_norm` bounds their gradients.
    The commitment is the squared distance of each encoding to its code, summed over the grid; with `average_commitment`
    its mean over the grid (van den Oord et al. 2017, below eq. 3).
    Latents are code vectors laid flat, [B, h·w·d]; `decode` rounds them to the codebook. UserError for fewer than 2
    codes.
    """
    check(likelihood, shape, binarization)
    if codes < 2:
        raise UserError(f"a codebook of {codes} codes says nothing about an image; use 2 or more")
    values = hypers.values_of(hyper)
    hypers.need(values, ("commitment", "codebook_decay", "revive"))
    grid = _grid(encoder, decoder, prior_network, shape, codes, values, given, optimizer, prior_optimizer)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        key, weights, hyper = context.key, Weights(params, context.stats), context.hyper
        x = observed(context.batch, key, binarization)
        latents, encoder_stats = grid.call("encoder", weights, x, context.batch, key, train=True)  # [B, h, w, d]
        book = grid.book(context.stats)
        numbers = quantize.nearest(latents, book.embedding)
        quantized = quantize.lookup(numbers, book.embedding)
        passed = quantize.straight_through(latents, quantized)
        outputs, decoder_stats = grid.call("decoder", weights, passed, context.batch, key, train=True)
        reconstruction = sum_event(likelihood.log_prob(outputs, x)).mean()
        # Summed over the code, as the reconstruction is over the image: both are terms of one log-density.
        height, width, dims = grid.size
        terms = dims if average_commitment else height * width * dims
        distance = terms * quantize.commitment(latents, quantized).mean()
        book = quantize.ema_update(book, latents, numbers, hyper["codebook_decay"])
        book = quantize.revive(book, latents, keys.named(key, "codebook"), hyper["revive"])
        perplexity = quantize.perplexity(numbers, codes)
        metrics = {"reconstruction": reconstruction, "commitment": distance, "perplexity": perplexity}
        moved: Tree = {"codebook": {"book": book._asdict()}}
        new = {"encoder": encoder_stats, "decoder": decoder_stats, "codebook": moved}
        return hyper["commitment"] * distance - reconstruction, Aux(new, metrics)

    def prior_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        weights = Weights(params, context.stats)
        numbers = grid.numbers(weights, observed(context.batch, context.key, binarization), context.batch)
        value, stats = grid.log_prior(weights, numbers, context.batch, context.key, train=True)
        return -value.mean(), Aux({"prior": stats}, {"log_prior": value.mean()})

    phases = Phase(("encoder", "decoder"), objective), Phase(("prior",), prior_objective)
    return _finish(compose(grid.players, phases, values), grid, likelihood, binarization)


def _grid(
    encoder: nn.Module,
    decoder: nn.Module,
    prior_network: nn.Module,
    shape: tuple[int, ...],
    codes: int,
    hyper: Mapping[str, float],
    given: Mapping[str, jax.ShapeDtypeStruct],
    optimizer: Callable,
    prior_optimizer: Callable,
) -> _Grid:
    x_example, beside = jax.ShapeDtypeStruct((2, *shape), jnp.float32), examples_of(given)

    def encoded(*inputs: Array) -> Array:
        return encoder.init_with_output(jax.random.key(0), *inputs, train=False)[0]

    height, width, dims = jax.eval_shape(encoded, x_example, *beside).shape[1:]
    latents = jax.ShapeDtypeStruct((2, height, width, dims), jnp.float32)
    numbers = jax.ShapeDtypeStruct((2, height, width), jnp.int32)
    players = {
        "encoder": hypers.player(encoder, (x_example, *beside), optimizer, hyper),
        "decoder": hypers.player(decoder, (latents, *beside), optimizer, hyper),
        "codebook": Player(CodebookState(codes, dims), (), optimizer),
        "prior": hypers.player(prior_network, (numbers, *beside), prior_optimizer, hyper),
    }
    return _Grid(players, codes, (height, width, dims), tuple(given))


def _finish(algorithm: Algorithm, grid: _Grid, likelihood: Likelihood, binarization: Binarization) -> Algorithm:
    """The algorithm with what a VQ-VAE can do."""
    height, width, dims = grid.size

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        """Codes drawn place by place, [count, h·w·d]."""
        places = height * width, grid.codes
        gumbels = keys.draw(keys.named(key, "latents"), count, lambda k: jax.random.gumbel(k, places))

        def logits(numbers: Array, memory: Tree, at: tuple[Array, Array]) -> tuple[Array, Tree]:
            return grid.logits_at(weights, numbers, memory, at, given)

        numbers = raster.draw(logits, gumbels.reshape(count, height, width, grid.codes))
        return quantize.lookup(numbers, grid.book(weights.stats).embedding).reshape(count, -1)

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        embedding = grid.book(weights.stats).embedding
        numbers = quantize.nearest(latents.reshape(-1, height, width, dims), embedding)
        quantized = quantize.lookup(numbers, embedding)
        return likelihood.mean(grid.call("decoder", weights, quantized, given, train=False)[0])

    def encode(weights: Weights, batch: Batch) -> dict[str, Array]:
        latents, _ = grid.call("encoder", weights, observed(batch, None, binarization), batch, train=False)
        return {"mean": latents.reshape(latents.shape[0], -1)}

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """log p(x|z) + log p(z) at the code of x, and its parts ("kl" is -log p(z): q(z|x) is a point), in nats."""
        x = observed(batch, key, binarization)
        numbers = grid.numbers(weights, x, batch)
        quantized = quantize.lookup(numbers, grid.book(weights.stats).embedding)
        outputs, _ = grid.call("decoder", weights, quantized, batch, train=False)
        reconstruction = sum_event(likelihood.log_prob(outputs, x))
        log_code, _ = grid.log_prior(weights, numbers, batch, train=False)
        return {"elbo": reconstruction + log_code, "reconstruction": reconstruction, "kl": -log_code}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)["elbo"]

    return algorithm._replace(
        given=grid.given,
        samplers=latent_samplers(prior, decode, grid.given),
        prior=prior,
        decode=decode,
        encode=encode,
        point_codes=True,
        evaluate=evaluate,
        best="elbo",
        score=score,
    )
