"""Two-stage VAE (Dai & Wipf 2019): a second VAE learns the first one's aggregate posterior, which is not N(0, I).

Two phases: the first VAE on images; the second on draws of its q(z|x), from which the first gets no gradient. Samples
go the whole way: u ~ N(0, I), z ~ p(z|u) with its noise, mean of p(x|z). The stages learn side by side rather than one
after the other; with the first one's learning rate at rest that is the paper's second stage.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.phases import compose
from gen_jax.core.players import adam
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, Weights
from gen_jax.models.vae_body import finish, vae_body
from gen_jax.objectives.likelihoods import Likelihood, gaussian_learned


def two_stage_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    second_encoder: nn.Module,
    second_decoder: nn.Module,
    *,
    latent_size: int,
    hyper: Mapping[str, float],
    second_likelihood: Likelihood | None = None,
    second_optimizer: Callable = adam("lr_second"),
    **options: Any,
) -> Algorithm:
    """A two-stage VAE as an `Algorithm`.

    second_encoder: latents [B, d] -> (mean, log_variance) of u, [B, d] each. second_decoder: u -> outputs of
    `second_likelihood` [B, P] (by default a Gaussian of learned scales, so P = 2 d). hyper: as for `vae`, and
    lr_second; beta is the first stage's, the second's is 1. options: those of `vae`, for the first stage.
    Latents for `decode`, and what `encode` gives, are the first stage's z; `prior` draws them through the second.
    """
    body = vae_body(encoder, decoder, latent_size=latent_size, hyper=hyper, **options)
    model = second_likelihood or gaussian_learned()
    second_hyper = {name: value for name, value in hyper.items() if name in ("ema_decay", "clip")}
    second = vae_body(
        second_encoder,
        second_decoder,
        likelihood=model,
        shape=(latent_size,),
        latent_size=latent_size,
        hyper={**second_hyper, "beta": 1.0},
        optimizer=second_optimizer,
    )

    def inner(tree: Players) -> Players:
        return {name: tree[f"second_{name}"] for name in second.players}

    def second_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        codes, _ = body.sample_posterior(params, context.stats, context.batch, context.key)
        own = context._replace(
            stats=inner(context.stats),
            hyper={**context.hyper, "beta": 1.0},
            batch={"x": codes},
            key=keys.named(context.key, "second"),
        )
        loss, aux = second.objective(inner(params), own)
        stats = {f"second_{name}": value for name, value in aux.stats.items()}
        return loss, Aux(stats, {f"second/{name}": value for name, value in aux.metrics.items()})

    def view(weights: Weights) -> Weights:
        return Weights(inner(weights.params), inner(weights.stats))

    def prior(weights: Weights, key: Array, count: int) -> Array:
        params, stats = view(weights)
        codes = second.prior(Weights(params, stats), key, count)
        outputs, _ = second.outputs(params, stats, codes, None, None, train=False)
        return model.sample(outputs, keys.named(key, "second"))

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The first stage's bound and its parts, and the second stage's bound on log p(z), z ~ q(z|x)."""
        codes, _ = body.sample_posterior(weights.params, weights.stats, batch, key)
        above = second.evaluate(view(weights), hyper, {"x": codes}, keys.named(key, "second"))
        return {**body.evaluate(weights, hyper, batch, key), "second/elbo": above["elbo"]}

    renamed = {f"second_{name}": player for name, player in second.players.items()}
    phases = Phase(tuple(body.players), body.objective), Phase(tuple(renamed), second_objective)
    algorithm = compose({**body.players, **renamed}, phases, hyper, aux=body.aux)
    return finish(algorithm, body._replace(prior=prior, evaluate=evaluate))
