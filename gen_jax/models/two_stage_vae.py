"""Two-stage VAE (Dai & Wipf 2019): a second VAE learns the first one's aggregate posterior, which is not N(0, I).

Two phases: the first VAE on images; the second on draws of its q(z|x), from which the first gets no gradient. Samples
go the whole way: u ~ N(0, I), z ~ p(z|u) with its noise, mean of p(x|z). The stages learn side by side rather than one
after the other; with the first one's learning rate at rest that is the paper's second stage.
"""

import math
from collections import ChainMap
from collections.abc import Mapping

import jax

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.phases import Phase
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Weights, given_of
from gen_jax.models import hypers
from gen_jax.models.folding import fold, unfold
from gen_jax.models.memory import chunk_size
from gen_jax.models.samplers import latent_samplers
from gen_jax.models.vae_abilities import evaluation_of
from gen_jax.models.vae_body import Body, bound_phase, finish, objective, sample_posterior
from gen_jax.objectives import bounds
from gen_jax.objectives.binarize import observed
from gen_jax.objectives.rate import Rate


def two_stage_vae(first: Body, second: Body) -> Algorithm:
    """A two-stage VAE as an `Algorithm`.

    second: a body of the first one's latents, of shape (d,), given nothing; its hyper is the first one's, its
    optimizer its own ("lr_second"). hyper: as for `vae`; beta is the first stage's, the second's is 1.
    Latents for `decode`, and what `encode` gives, are the first stage's z; `prior` draws them through the second.
    Raises UserError where the second stage does not fit the first, or steers its KL.
    """
    if second.densities.shape != (first.densities.latent_size,):
        raise UserError(
            f"the second stage is of {math.prod(second.densities.shape)} dimensions, the first one's latents of "
            f"{first.densities.latent_size}; give it shape=({first.densities.latent_size},)"
        )
    if second.rate != Rate() or second.densities.given:
        raise UserError("the second stage's KL weighs 1 and it is given nothing; leave rate and given out")
    hypers.need(first.hyper, first.rate.reads)

    def second_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        codes = sample_posterior(first, params, context.stats, context.batch, context.key)  # [B, d]
        own = context._replace(
            stats=_inner(second, context.stats),
            hyper=ChainMap({"beta": 1.0}, context.hyper),  # pyright: ignore[reportArgumentType]
            batch={"x": codes},
            key=keys.named(context.key, "second"),
        )
        loss, aux = objective(second, _inner(second, params), own)
        stats = {f"second_{name}": value for name, value in aux.stats.items()}
        return loss, Aux(stats, {f"second/{name}": value for name, value in aux.metrics.items()})

    renamed = {f"second_{name}": player for name, player in second.players.items()}
    phases = bound_phase(first), Phase(tuple(renamed), second_objective)
    algorithm = compose({**first.players, **renamed}, phases, first.hyper, aux=first.aux)
    return _finish(finish(algorithm, first), first, second)


def _inner(second: Body, tree: Players) -> Players:
    return {name: tree[f"second_{name}"] for name in second.players}


def _finish(algorithm: Algorithm, first: Body, second: Body) -> Algorithm:
    """The first stage's algorithm, with the second's prior in place of N(0, I)."""
    model, above, evaluate_first = first.densities, second.densities, algorithm.evaluate
    evaluate_second = evaluation_of(above, second.estimate, second.binarization)
    assert algorithm.decode is not None
    assert evaluate_first is not None

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        params, stats = _inner(second, weights.params), _inner(second, weights.stats)
        codes = above.sample_prior(params, stats, key, count)
        outputs, _ = above.outputs(params, stats, codes, {}, train=False)
        return above.likelihood.sample(outputs, keys.named(key, "second"))

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The first stage's bound and its parts, and the second stage's bound on log p(z), z ~ q(z|x)."""
        codes = sample_posterior(first, weights.params, weights.stats, batch, key)
        view = Weights(_inner(second, weights.params), _inner(second, weights.stats))
        found = evaluate_second(view, {"x": codes}, keys.named(key, "second"))
        return {**evaluate_first(weights, batch, key), "second/elbo": found["elbo"]}

    def likelihood(weights: Weights, batch: Batch, key: Array, samples: int) -> dict[str, Array]:
        """The importance-weighted bound on log p(x) of what `prior` and `decode` draw, over pairs (z, u):
        log p(x|z) + log p(z|u) + log p(u) - log q(u|z) - log q(z|x)."""
        params, stats, given = weights.params, weights.stats, given_of(batch, model.given)
        x = observed(batch, key, first.binarization)
        posterior, _ = model.posterior(params, stats, x, given, train=False)
        chunk = chunk_size(samples, x.size // model.shape[-1] * model.likelihood.parameters(model.shape[-1]))

        def log_weights(index: Array) -> Array:
            own = jax.random.fold_in(keys.named(key, "importance"), index)
            latents = model.draw(params, posterior, own, chunk)
            log_prob, _, _ = model.render(params, stats, x, latents.z, given, train=False)  # [chunk, B]
            z, tops = fold(latents.z), (_inner(second, params), _inner(second, stats))  # [B·chunk, d]
            top, _ = above.posterior(*tops, z, {}, train=False)
            upper = above.draw(tops[0], top, keys.named(own, "second"), 1)
            log_p = unfold(above.log_weights(*tops, z, upper, top, {})[0], chunk)
            return log_prob + log_p - model.log_posterior(latents, posterior)

        return bounds.streaming_log_likelihood(log_weights, samples // chunk, chunk)._asdict()

    return algorithm._replace(
        samplers=latent_samplers(prior, algorithm.decode, model.given, normal_prior=False),
        prior=prior,
        normal_prior=False,
        evaluate=evaluate,
        likelihood=likelihood,
    )
