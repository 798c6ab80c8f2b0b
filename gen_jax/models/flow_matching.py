"""Flow matching as an `Algorithm`: one player, a velocity field, and one phase. A neighbour to compare GANs and VAEs
with, at equal time or at equal evaluations of a network; see `objectives.flow_matching`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.compose import compose
from gen_jax.core.domains import NonNegative, Share
from gen_jax.core.phases import Phase
from gen_jax.core.players import Call, adam, caller
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Players, Sampler, Weights
from gen_jax.models import hypers
from gen_jax.models.conditions import examples_of, values_of
from gen_jax.models.samplers import latent_samplers
from gen_jax.objectives import flow_matching as flow

EVALUATIONS = 50  # of the field, where nobody says how many


@dataclass(frozen=True, kw_only=True)
class Hyper:
    """The scalars of flow matching with Adam and an averaged network."""

    lr: NonNegative = 1e-3
    b1: Share = 0.9
    b2: Share = 0.999
    ema_decay: Share = 0.999
    """of the network's average, which samples come from"""


def flow_matching(
    network: nn.Module,
    *,
    shape: tuple[int, ...],
    hyper: Any,
    given: Mapping[str, jax.ShapeDtypeStruct] = {},
    times: Callable[[Array, int], Array] = flow.uniform_times,
    optimizer: Callable = adam("lr"),
) -> Algorithm:
    """Flow matching on straight paths from N(0, I).

    network: (x_t [B, *shape], t [B], *given) -> velocity [B, *shape]. times: (key, count) -> t of training. hyper: a
    mapping or a dataclass such as `Hyper`; `ema_decay` and `clip_norm` as for `vae`.
    Samplers: "euler" and "heun", both with `evaluations` of the network; "prior" is heun with 50. Latents are the noise
    as a vector, [B, size of x], and `decode` follows the flow from it. `evaluate` gives the loss of an example at one
    time and noise.
    """
    values = hypers.values_of(hyper)
    inputs = (_rows(*shape), _rows(), *examples_of(given))
    players = {"velocity": hypers.player(network, inputs, optimizer, values)}
    model = _Flow(caller(players), shape, tuple(given), times)

    def objective(params: Players, context: Context) -> tuple[Array, Aux]:
        losses, stats = model.losses(Weights(params, context.stats), context.batch, context.key, train=True)
        return losses.mean(), Aux({"velocity": stats}, {"loss": losses.mean()})

    return _finish(compose(players, (Phase(("velocity",), objective),), values), model)


@dataclass(frozen=True)
class _Flow:
    """The network, and what it is about."""

    call: Call
    shape: tuple[int, ...]
    given: tuple[str, ...]
    times: Callable[[Array, int], Array]

    def losses(self, weights: Weights, batch: Batch, key: Array, *, train: bool) -> tuple[Array, Any]:
        """(loss [B] at one time and noise of each example, the network's new statistics)."""
        data = batch["x"]
        noise = keys.normal(keys.named(key, "noise"), data.shape[0], *self.shape)
        time = self.times(key, data.shape[0])
        x, wanted = flow.on_path(noise, data, time)
        told = values_of(batch, self.given)
        found, stats = self.call("velocity", *weights, x, time, *told, train=train, key=key if train else None)
        return flow.loss(found, wanted), stats

    def field(self, weights: Weights, given: Mapping[str, Array]) -> flow.Velocity:
        """The velocity field of weights, where all is known that it is given."""
        told = values_of(given, self.given)
        return lambda x, time: self.call("velocity", *weights, x, time, *told, train=False)[0]


def _finish(algorithm: Algorithm, model: _Flow) -> Algorithm:
    """The algorithm with what flow matching can do."""

    def prior(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}) -> Array:
        return keys.normal(keys.named(key, "latents"), count, _size(model.shape))

    def decode(weights: Weights, latents: Array, given: Mapping[str, Array] = {}) -> Array:
        return solved(flow.heun, weights, latents, given, EVALUATIONS)

    def solved(solver: Callable, weights: Weights, latents: Array, given: Mapping[str, Array], count: float) -> Array:
        return solver(model.field(weights, given), latents.reshape(-1, *model.shape), count)

    def by(solver: Callable) -> Sampler:
        def draw(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, evaluations: float = 50):
            return solved(solver, weights, prior(weights, key, count), given, evaluations)

        return Sampler(draw, model.given, {"evaluations": EVALUATIONS})

    def evaluate(weights: Weights, batch: Batch, key: Array) -> dict[str, Array]:
        return {"loss": model.losses(weights, batch, key, train=False)[0]}

    return algorithm._replace(
        given=model.given,
        samplers={
            **latent_samplers(prior, decode, model.given, normal_prior=True),
            "euler": by(flow.euler),
            "heun": by(flow.heun),
        },
        prior=prior,
        normal_prior=True,
        decode=decode,
        evaluate=evaluate,
    )


def _rows(*shape: int) -> jax.ShapeDtypeStruct:
    """Two examples, as `Player.inputs` takes them."""
    return jax.ShapeDtypeStruct((2, *shape), jnp.float32)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
