"""The three densities of a VAE, p(x|z), q(z|x) and p(z), as its networks make them.

Shapes: B examples, k samples of each, d latent dimensions. `params` and `stats` are always those of all players;
without a `key` a network runs as in evaluation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp

from gen_jax.core import keys, players
from gen_jax.core.players import Player
from gen_jax.core.types import Array, Given, Players, Tree
from gen_jax.models.conditions import values_of
from gen_jax.models.flow_stacks import FlowStack
from gen_jax.models.folding import fold, repeat, unfold
from gen_jax.models.memory import check_samples_fit
from gen_jax.models.tree_players import tree_of
from gen_jax.objectives import divergences
from gen_jax.objectives.likelihoods import Likelihood, sum_event
from gen_jax.objectives.priors import Prior

Encode: TypeAlias = Callable[[Array], tuple[Array, Array]]  # x [K, ...] -> (mean, log_variance), each [K, d]


class Posterior(NamedTuple):
    """q(z|x) before any flow, each [B, d]; `context` [B, c] is what the flow sees of x."""

    mean: Array
    log_variance: Array
    context: Array


class Latents(NamedTuple):
    """k samples of q(z|x) for each of B examples."""

    z: Array  # [k, B, d]
    log_q: Array | None = None  # [k, B], where a flow gives it with the sample; else `log_posterior` says it


@dataclass(frozen=True)
class Densities:
    """p(x|z), q(z|x) and p(z) over the players "encoder", "decoder" and, where they have parameters, "prior" and
    "posterior_flow"."""

    players: Mapping[str, Player]
    likelihood: Likelihood
    shape: tuple[int, ...]  # of one x
    latent_size: int  # d
    given: tuple[str, ...]  # what both networks see beside their input
    prior: Prior | Callable[[Encode], Prior]
    flow: FlowStack | None
    normal_prior: bool  # whether p(z) is N(0, I)

    @property
    def analytic(self) -> bool:
        """Whether KL(q||p) has a closed form, by dimension."""
        return self.normal_prior and self.flow is None

    def posterior(
        self, params: Players, stats: Players, x: Array, given: Given, key: Array | None = None, *, train: bool
    ) -> tuple[Posterior, Tree]:
        """q(z|x), and the encoder's statistics."""
        inputs = x, *values_of(given, self.given)  # [B, *shape], ...
        call = players.caller(self.players)
        result, new = call("encoder", params, stats, *inputs, train=train, key=key)
        mean, log_variance = result[:2]  # [B, d] each
        context = result[2] if len(result) > 2 else jnp.concatenate([mean, log_variance], axis=-1)  # [B, c]
        return Posterior(mean, log_variance, context), new

    def draw(self, params: Players, posterior: Posterior, key: Array, count: int) -> Latents:
        """k = count reparameterised samples."""
        noise = keys.normal(keys.named(key, "posterior"), posterior.mean.shape[0], count, self.latent_size)  # [B, k, d]
        base = divergences.normal_sample(posterior.mean, posterior.log_variance, jnp.swapaxes(noise, 0, 1))  # [k, B, d]
        if self.flow is None:
            return Latents(base)
        flow = self.flow.build(tree_of(params, "posterior_flow"), repeat(posterior.context, count))
        latents, log_det = flow.forward(fold(base))  # [B·k, d], [B·k]
        log_base = divergences.normal_log_prob(base, posterior.mean, posterior.log_variance).sum(axis=-1)  # [k, B]
        return Latents(unfold(latents, count), log_base - unfold(log_det, count))

    def log_posterior(self, latents: Latents, posterior: Posterior) -> Array:
        """log q(z|x), [k, B]."""
        if latents.log_q is not None:
            return latents.log_q
        return divergences.normal_log_prob(latents.z, posterior.mean, posterior.log_variance).sum(axis=-1)

    def outputs(
        self, params: Players, stats: Players, z: Array, given: Given, key: Array | None = None, *, train: bool
    ) -> tuple[Array, Tree]:
        """The decoder's raw outputs [B, ..., P] at latents [B, d], and its statistics."""
        call = players.caller(self.players)
        return call("decoder", params, stats, z, *values_of(given, self.given), train=train, key=key)

    def render(
        self,
        params: Players,
        stats: Players,
        x: Array,
        z: Array,
        given: Given,
        key: Array | None = None,
        *,
        train: bool,
    ) -> tuple[Array, Array, Tree]:
        """(log p(x|z) [k, B], raw outputs [B·k, ..., P], the decoder's statistics) at latents [k, B, d]."""
        count = z.shape[0]
        check_samples_fit(count, x.shape[0], (*self.shape[:-1], self.likelihood.parameters(self.shape[-1])))
        beside = repeat({name: given[name] for name in self.given if name in given}, count)  # [B·k, ...]
        outputs, new = self.outputs(params, stats, fold(z), beside, key, train=train)
        log_prob = sum_event(self.likelihood.log_prob(outputs, repeat(x, count)))  # [B·k]
        return unfold(log_prob, count), outputs, new

    def prior_of(self, params: Players, stats: Players) -> Prior:
        """p(z) under these parameters: a VampPrior's pseudo-inputs are encoded, as in evaluation."""
        if isinstance(self.prior, Prior):
            return self.prior
        return self.prior(lambda x: self.posterior(params, stats, x, {}, train=False)[0][:2])

    def log_prior(self, params: Players, stats: Players, z: Array) -> Array:
        """log p(z): [..., d] -> [...]."""
        return self.prior_of(params, stats).log_prob(tree_of(params, "prior"), z)

    def sample_prior(self, params: Players, stats: Players, key: Array, count: int) -> Array:
        """[count, d]."""
        return self.prior_of(params, stats).sample(tree_of(params, "prior"), keys.named(key, "latents"), count)

    def divergence(self, params: Players, stats: Players, latents: Latents, posterior: Posterior) -> Array:
        """KL(q(z|x) || p(z)) of every example: by dimension [B, d] where it is analytic, else sampled, [B, 1]."""
        if self.analytic:
            return divergences.kl_standard_normal(posterior.mean, posterior.log_variance)
        log_q, log_p = self.log_posterior(latents, posterior), self.log_prior(params, stats, latents.z)
        return divergences.monte_carlo_kl(log_q, log_p)[:, None]

    def log_weights(
        self, params: Players, stats: Players, x: Array, latents: Latents, posterior: Posterior, given: Given
    ) -> Array:
        """log p(x|z) + log p(z) - log q(z|x), as in evaluation: [k, B]."""
        log_prob, _, _ = self.render(params, stats, x, latents.z, given, train=False)
        return log_prob + self.log_prior(params, stats, latents.z) - self.log_posterior(latents, posterior)
