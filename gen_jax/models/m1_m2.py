"""M1 + M2: classes learnt from few labels in the latents of a VAE (Kingma et al. 2014, arXiv:1406.5298, section 2.3).

Two phases a round: M1, a VAE of images, on unlabelled x; and M2 (see `m2`) on draws z1 ~ q(z1 | x) of unlabelled and
labelled x, from which M1 gets no gradient. As in the paper M2 begins when M1 is done, which rests from then on; or M2
follows M1 as it learns.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.errors import UserError
from gen_jax.core.lazily import at_rest
from gen_jax.core.phases import Phase
from gen_jax.core.players import adam, caller, during, turns
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import m2
from gen_jax.models.conditions import values_of
from gen_jax.models.few_labels import STREAM
from gen_jax.models.vae_body import Body, bound_phase, check_plain, finish, sample_posterior
from gen_jax.objectives import divergences, likelihoods
from gen_jax.objectives.binarize import observed

NAMES = "m2_classifier", "m2_encoder", "m2_decoder"


def m1_m2(
    first: Body,
    classifier: nn.Module,
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    classes: int,
    pretrain: int = 0,
    optimizer: Callable = adam("lr_second"),
) -> Algorithm:
    """M1 + M2 as an `Algorithm`.

    first: M1, a body with the plain ELBO, N(0, I) and nothing given; of its d latents are classifier, encoder and
    decoder, as for `m2` on points [d]; decoder outputs are means and log-scales [B, 2d]. pretrain: rounds of M1 alone,
    after which it rests and M2 begins; 0: side by side to the end. optimizer: of M2; its steps count from round
    `pretrain`, where M1 has to make up for rounds that were skipped as not finite as well. hyper, of the body: as for
    `vae`, `m2` (alpha, labelled) and `lr_second`. `encode` gives z1. Samplers: "prior" and "class", given "label".
    """
    check_plain(first, "m1_m2")
    if first.densities.given:
        raise UserError("m1_m2's first VAE is given nothing: it has to serve images whose class is not known")
    d = first.densities.latent_size
    likelihood = likelihoods.gaussian_learned()
    options = {"likelihood": likelihood, "shape": (d,), "classes": classes, "hyper": first.hyper}
    second = during(optimizer, pretrain) if pretrain else optimizer
    model = m2.parts(classifier, encoder, decoder, **options, optimizer=second, names=NAMES)

    def codes(params: Players, context: Context, batch: Batch, number: int) -> Array:
        own = jax.random.fold_in(keys.named(context.key, "first"), number)
        return jax.lax.stop_gradient(sample_posterior(first, params, context.stats, batch, own))

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        known = context.beside[STREAM]
        z, seen = codes(params, context, context.batch, 0), codes(params, context, known, 1)
        value, aux = model.loss(params, context, z, seen, known["label"])
        return value, aux._replace(metrics={f"m2/{name}": found for name, found in aux.metrics.items()})

    bound = bound_phase(first)

    def done(context: Context) -> Array:
        return turns(context.opt[next(iter(first.players))]) >= pretrain

    own, beginners = first.players, objective
    if pretrain:
        own = {n: p._replace(optimizer=during(p.optimizer, 0, pretrain)) for n, p in own.items()}
        # By M1's own steps, of which one that is not finite is none: it rests when it has had all of them.
        bound = bound._replace(objective=at_rest(bound.objective, done))
        beginners = at_rest(objective, lambda context: ~done(context))
    phases = bound, Phase(NAMES, beginners, beside=(STREAM,))
    algorithm = compose({**own, **model.players}, phases, first.hyper, aux=first.aux)
    return _finish(finish(algorithm, first), first, model)


def _finish(algorithm: Algorithm, first: Body, model: m2.M2) -> Algorithm:
    """The VAE's algorithm with latents drawn through M2, and with classes."""
    call, body = caller(model.players), first.densities

    def drawn(weights: Weights, key: Array, label: Array) -> Array:
        """z1 of classes [B], with its noise: [B, d]."""
        z = keys.normal(keys.named(key, "latents"), label.shape[0], model.latent_size)
        outputs, _ = call(NAMES[2], *weights, z, label, train=False)
        return model.likelihood.sample(outputs, key)

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        own = keys.named(key, "class")
        return drawn(
            weights, key, keys.draw(own, count, lambda k: jax.random.randint(k, (), 0, model.classes, jnp.int32))
        )

    def sample(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return algorithm.decode(weights, prior(weights, key, count))  # pyright: ignore[reportOptionalCall]

    def of_class(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        (label,) = values_of(given, ("label",))
        return algorithm.decode(weights, drawn(weights, key, label))  # pyright: ignore[reportOptionalCall]

    def classify(weights: Weights, batch: Batch) -> Array:
        x = observed(batch, None, first.binarization)
        posterior, _ = body.posterior(*weights, x, {}, train=False)
        return model.logits(weights, posterior.mean, train=False)[0]

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        """The bound of both together on log p(x), and its parts for every example, in nats."""
        x = observed(batch, key, first.binarization)
        posterior, _ = body.posterior(*weights, x, {}, train=False)
        latents = body.draw(weights.params, posterior, key, 1)
        log_prob, _, _ = body.render(*weights, x, latents.z, {}, train=False)
        log_q = divergences.normal_log_prob(latents.z[0], posterior.mean, posterior.log_variance).sum(axis=-1)
        terms, _ = model.unlabelled(weights, latents.z[0], keys.named(key, "second"), train=False)
        kl = log_q - terms.bound
        return {"elbo": log_prob[0] - kl, "reconstruction": log_prob[0], "kl": kl}

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative bound."""
        return -evaluate(weights, batch, key)["elbo"]

    return algorithm._replace(
        samplers={"prior": Sampler(sample), "class": Sampler(of_class, ("label",))},
        prior=prior,
        normal_prior=False,
        evaluate=evaluate,
        likelihood=None,
        elbo_under=None,
        score=score,
        classify=classify,
    )
