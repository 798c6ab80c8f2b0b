"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014) and its relatives: one phase.

Maximises a bound on log p(x): the ELBO E_q[log p(x|z)] - beta * KL(q(z|x) || p(z)) or an importance-weighted one
(Burda et al. 2016). β-VAE (Higgins et al. 2017), KL warm-up, capacity (Burgess et al. 2018), free bits (Kingma et al.
2016), GECO (Rezende & Viola 2018), richer priors, flow posteriors, labels (Sohn et al. 2015) are arguments of
`vae_body`; regularisers are this one's.
"""

from dataclasses import dataclass

from gen_jax.core.compose import compose
from gen_jax.core.domains import NonNegative, Share
from gen_jax.core.errors import UserError
from gen_jax.core.private import Mechanism
from gen_jax.core.types import Algorithm
from gen_jax.models.codes import Regularizer
from gen_jax.models.vae_body import Body, bound_phase, finish


@dataclass(frozen=True)
class Hyper:
    """The hypers that every VAE reads; scripts add theirs."""

    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    beta: NonNegative | None = 1.0
    """weight of the KL; 1 is the bound itself"""
    ema_decay: Share | None = 0.99


def vae(body: Body, *, regularizers: tuple[Regularizer, ...] = (), private: Mechanism | None = None) -> Algorithm:
    """A VAE as an `Algorithm`. regularizers: further terms of the loss, weighted by hypers of the body.

    private: all players learn by it. Raises UserError where a hyper that the body or a regulariser reads is not there,
    and for private training of what mixes examples.
    """
    phase = bound_phase(body, regularizers)
    if private is not None:
        if regularizers:
            raise UserError("--private: regularisers compare the codes of a batch; leave them out of a private run")
        phase = private.phase(phase)
    algorithm = finish(compose(body.players, (phase,), body.hyper, aux=body.aux), body)
    # Without a probe, which would look at training examples.
    return algorithm if private is None else algorithm._replace(probe=None, privacy=private.record())
