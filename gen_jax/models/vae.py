"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014) and its relatives: one phase.

Maximises a bound on log p(x): the ELBO E_q[log p(x|z)] - beta * KL(q(z|x) || p(z)) or an importance-weighted one
(Burda et al. 2016). β-VAE (Higgins et al. 2017), KL warm-up, capacity (Burgess et al. 2018), free bits (Kingma et al.
2016), GECO (Rezende & Viola 2018), richer priors, flow posteriors, labels (Sohn et al. 2015) and regularisers are
arguments.
"""

from collections.abc import Callable, Mapping

from flax import linen as nn

from gen_jax.core.phases import compose
from gen_jax.core.players import adam
from gen_jax.core.types import Algorithm, Array, Context, Phase, Players
from gen_jax.models.vae_body import finish, vae_body
from gen_jax.models.vae_parts import Encode, FlowStack, Regularizer
from gen_jax.objectives.bounds import Bound, Estimator
from gen_jax.objectives.likelihoods import Binarization, Likelihood
from gen_jax.objectives.priors import Prior
from gen_jax.objectives.rate import FreeBits


def vae(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    likelihood: Likelihood,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    warm_up: Callable[[Array], Array] | None = None,
    binarization: Binarization = Binarization.NONE,
    optimizer: Callable = adam("lr"),
    bound: Bound = Bound.ELBO,
    estimator: Estimator = Estimator.REPARAMETERISED,
    samples: int = 1,
    groups: int = 1,
    prior: Prior | Callable[[Encode], Prior] | None = None,
    posterior_flow: FlowStack | None = None,
    free_bits: FreeBits = FreeBits.NONE,
    capacity: Callable[[Array], Array] | None = None,
    geco: bool = False,
    classes: int | None = None,
    regularizers: tuple[Regularizer, ...] = (),
) -> Algorithm:
    """A VAE as an `Algorithm`.

    encoder: images [B, *shape] (and labels [B]) -> (mean, log_variance), each [B, latent_size], and for a flow
    posterior optionally a context [B, c]. decoder: latents (and labels) -> likelihood outputs.
    hyper: lr, b1, b2, beta, and what the options name; with `ema_decay` in it, all players are averaged for sampling
    and evaluation; with `clip`, each player's gradient norm is held to it. warm_up: step -> factor of beta (an optax
    schedule). binarization: what is done to pixels before they are scored, in training and evaluation alike.
    bound, estimator, samples (k), groups: see `objectives.bounds`; CIWAE's β is hyper["elbo_weight"].
    prior: default N(0, I); a `Prior`, or a function of the encoder that makes one (VampPrior). Its parameters are the
    player "prior". posterior_flow: from `vae_parts.inverse_autoregressive_stack`.
    free_bits: allowance in nats hyper["free_bits"]. capacity: step -> nats, weight hyper["gamma"] in place of beta.
    geco: the KL is minimised subject to a squared error an image of hyper["tolerance"]. classes: both networks get the
    label. regularizers: further terms, weighted by hypers.
    Raises UserError for latent_size < 1, a likelihood that does not fit the data, and options that exclude each other.
    """
    body = vae_body(
        encoder,
        decoder,
        likelihood=likelihood,
        shape=shape,
        latent_size=latent_size,
        hyper=hyper,
        warm_up=warm_up,
        binarization=binarization,
        optimizer=optimizer,
        bound=bound,
        estimator=estimator,
        samples=samples,
        groups=groups,
        prior=prior,
        posterior_flow=posterior_flow,
        free_bits=free_bits,
        capacity=capacity,
        geco=geco,
        classes=classes,
    )

    def objective(params: Players, context: Context):
        return body.objective(params, context, regularizers)

    return finish(compose(body.players, (Phase(tuple(body.players), objective),), hyper, aux=body.aux), body)
