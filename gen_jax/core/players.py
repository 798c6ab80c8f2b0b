"""A player: a Linen module with its own parameters, statistics and optimizer, and the one way to call it."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.core.types import Array, Hyper, Players, Tree


class Player(NamedTuple):
    """A module and how it learns. Optimizers are built from `hyper` inside the step, so every scalar can be vmapped."""

    module: nn.Module
    inputs: tuple[Any, ...]  # example arrays (or ShapeDtypeStructs) that initialise the module
    optimizer: Callable[[Hyper], optax.GradientTransformation]
    ema: str | None = None  # name of the hyper with the decay of this player's average; None: no average
    # Whether the average is of the statistics as well (BatchNorm's running moments, spectral vectors), as
    # BigGAN-PyTorch and StudioGAN keep it; otherwise averaged parameters meet raw statistics, as StyleGAN2 does.
    ema_statistics: bool = False
    clip: str | None = None  # name of the hyper with the largest global gradient norm; None: no clipping
    project: Callable[[Tree, Hyper], Tree] | None = None  # applied to the parameters after each step (weight clipping)


def init(player: Player, key: Array) -> tuple[Tree, Tree]:
    """(params, stats) of one player. Equal keys and shapes give equal weights, whatever else the model contains."""
    examples = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), player.inputs)
    check_call(player.module, *examples)
    variables = dict(player.module.init({"params": key, "dropout": key}, *examples, train=False))
    return variables.pop("params", {}), variables


def check_call(module: nn.Module, *inputs: Any) -> None:
    """Raises UserError where a network cannot be called as `module(*inputs, train=...)`: its own inputs, in order what
    the model is given, and whether it trains."""
    own = inspect.signature(type(module).__call__)
    try:
        own.bind(module, *inputs, train=False)
    except TypeError as error:
        names = ", ".join(["x", *(f"given{number}" for number in range(1, len(inputs)))])
        raise UserError(
            f"{type(module).__name__}.__call__{own} cannot be called with {counted(len(inputs), 'array')} and `train` "
            f"({error}); write def __call__(self, {names}, *, train), whether it uses them or not"
        ) from error


def apply(
    player: Player, params: Tree, stats: Tree, *inputs, train: bool, key: Array | None = None, **options
) -> tuple[Any, Tree]:
    """Call a player: (outputs, new stats). With `train` the statistics move; otherwise they return as they came.

    `key` feeds dropout and other noise layers; it must be own to this call.
    """
    rngs = None if key is None else {"dropout": keys.named(key, "dropout")}
    variables = {"params": params, **stats}
    if train and stats:
        outputs, new = player.module.apply(variables, *inputs, train=True, rngs=rngs, mutable=list(stats), **options)
        return outputs, dict(new)
    return player.module.apply(variables, *inputs, train=train, rngs=rngs, **options), stats


Call = Callable[..., tuple[Any, Tree]]


def caller(players: Mapping[str, Player]) -> Call:
    """`call(name, params, stats, *inputs, train, key=None, **options)` -> (outputs, new stats of that player).

    `params` and `stats` are those of all players. `key` is the whole objective's: it is made the player's own by name.
    """

    def call(
        name: str, params: Players, stats: Players, *inputs, train: bool, key: Array | None = None, **options
    ) -> tuple[Any, Tree]:
        own = None if key is None else keys.named(key, name)
        return apply(players[name], params[name], stats[name], *inputs, train=train, key=own, **options)

    return call


def adam(learning_rate: str, b1: str = "b1", b2: str = "b2", eps: float = 1e-8):
    """Adam whose learning rate and betas are read from `hyper` by name: `adam("lr_generator")`."""
    return lambda hyper: optax.adam(hyper[learning_rate], b1=hyper[b1], b2=hyper[b2], eps=eps)


def adam_by(rate: Callable[[Mapping[str, Any], Any], Any], b1: str = "b1", b2: str = "b2", eps: float = 1e-8):
    """Adam whose rate at its own step n, an integer scalar, is `rate(hyper, n)`."""
    return lambda hyper: optax.chain(
        optax.scale_by_adam(b1=hyper[b1], b2=hyper[b2], eps=eps),
        optax.scale_by_schedule(lambda step: -rate(hyper, step)),
    )


def adam_falling(learning_rate: str, first: int, last: int, b1: str = "b1", b2: str = "b2", eps: float = 1e-8):
    """Adam whose rate falls in a line from hyper[learning_rate] at its step `first` to 0 at its step `last`."""
    fall = optax.linear_schedule(1.0, 0.0, max(last - first, 1), first)
    return adam_by(lambda hyper, step: hyper[learning_rate] * fall(step), b1, b2, eps)


def adam_for(learning_rate: str, steps: int, decay: float, b1: str = "b1", b2: str = "b2", eps: float = 1e-8):
    """`adam`, or, of decay above 0, `adam_falling` over this last share of `steps`."""
    if decay == 0:
        return adam(learning_rate, b1, b2, eps)
    return adam_falling(learning_rate, steps - round(decay * steps), steps, b1, b2, eps)


def during(optimizer: Callable, first: int, last: int | None = None) -> Callable:
    """`optimizer` in a player's own steps from `first` on and before `last` (None: to the end). In all others the
    parameters and its state, moments and count of steps, stay as they are."""

    def due(step: Any, **_: Any) -> Any:
        return step >= first if last is None else (step >= first) & (step < last)

    return lambda hyper: optax.conditionally_mask(optimizer(hyper), due)


def turns(opt: Any) -> Any:
    """How many steps a player whose optimizer is `during` some has had, those in which it rested among them; `opt` is
    its state."""
    return opt.step


def adam_l2(learning_rate: str, decay: str, b1: str = "b1", b2: str = "b2", eps: float = 1e-8):
    """Adam of the loss with hyper[decay] / 2 times the squared parameters added: the decay is part of the gradient, and
    so of its moments (PyTorch's `weight_decay`; AdamW's stands apart)."""
    plain = adam(learning_rate, b1, b2, eps)
    return lambda hyper: optax.chain(optax.add_decayed_weights(hyper[decay]), plain(hyper))


def rmsprop(learning_rate: str, decay: float = 0.99, eps: float = 1e-8):
    """PyTorch's RMSprop and its defaults: a step of lr g / (sqrt(v) + eps), v the running mean of g².

    The eps stands outside the root. Inside, as in optax by default, it would be a floor of sqrt(eps) = 1e-4 under the
    root, larger than the gradients of a critic with clipped weights.
    """
    return lambda hyper: optax.rmsprop(hyper[learning_rate], decay=decay, eps=eps, eps_in_sqrt=False)


def sgd(learning_rate: str):
    """Plain gradient descent whose learning rate is read from `hyper` by name."""
    return lambda hyper: optax.sgd(hyper[learning_rate])


def count_parameters(params: Mapping[str, Tree]) -> dict[str, int]:
    """Number of trainable scalars by player."""
    return {name: sum(leaf.size for leaf in jax.tree.leaves(tree)) for name, tree in params.items()}
