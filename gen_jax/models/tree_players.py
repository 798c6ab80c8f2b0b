"""A bare tree of parameters as a player: priors, densities and flows."""

from collections.abc import Callable, Mapping

import jax
from flax import linen as nn

from gen_jax.core.players import Player
from gen_jax.core.types import Array, Tree
from gen_jax.models.hypers import player
from gen_jax.objectives.priors import Prior


class Parameters(nn.Module):
    """A bare tree of parameters as a module. Calling it gives the tree."""

    initial: Callable[[Array], Tree]

    @nn.compact
    def __call__(self, *, train: bool) -> Tree:
        return self.param("tree", self.initial)


def tree_player(initial: Callable[[Array], Tree], optimizer: Callable, hyper: Mapping[str, float]) -> Player:
    """A player that is a tree of parameters; read it with `tree_of`."""
    return player(Parameters(initial), (), optimizer, hyper)


def tree_of(params: Mapping[str, Tree], name: str) -> Tree:
    """The tree of a `tree_player`; {} where there is no such player (a prior without parameters)."""
    return params[name]["tree"] if name in params else {}


def has_parameters(prior: Prior) -> bool:
    return bool(jax.tree.leaves(jax.eval_shape(prior.init, jax.random.key(0))))
