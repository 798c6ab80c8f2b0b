"""Hypers as models take them: a dataclass of a script, or a mapping; and what their presence switches on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
from flax import linen as nn

from gen_jax.core.compose import without
from gen_jax.core.errors import UserError
from gen_jax.core.players import Player


def values_of(hyper: Any) -> dict[str, float]:
    """Name to value of a mapping or a dataclass; fields that are None are left out. UserError for what is no number."""
    if isinstance(hyper, Mapping):
        found: Mapping[str, Any] = hyper
    elif is_dataclass(hyper) and not isinstance(hyper, type):
        found = asdict(hyper)
    else:
        raise UserError(f"hyper={hyper!r}: give a mapping or a dataclass of numbers, such as {{'lr': 1e-3}}")
    values = {name: value for name, value in found.items() if value is not None}
    for name, value in values.items():
        if isinstance(value, (str, bytes, Mapping)) or callable(value) or np.ndim(value):
            raise UserError(f"hyper {name}: {value!r} is no number, which every hyperparameter is")
    return values


def need(hyper: Mapping[str, float], names: Iterable[str]) -> None:
    """UserError in one line where a hyper that the model reads is not there."""
    if missing := [name for name in names if name not in hyper]:
        raise without(missing)


def player(
    module: nn.Module, inputs: tuple[Any, ...], optimizer: Callable, hyper: Mapping[str, float], average: bool = True
) -> Player:
    """A player whose gradient norm is held to hyper["clip_norm"] and, with `average`, whose parameters are averaged by
    hyper["ema_decay"], each where there is one."""
    ema = "ema_decay" if average and "ema_decay" in hyper else None
    return Player(module, inputs, optimizer, ema=ema, clip="clip_norm" if "clip_norm" in hyper else None)
