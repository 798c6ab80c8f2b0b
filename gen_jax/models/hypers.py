"""Hypers as models take them: a dataclass of a script, or a mapping; and what their presence switches on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from flax import linen as nn

from gen_jax.core.compose import without
from gen_jax.core.players import Player


def values_of(hyper: Any) -> dict[str, float]:
    """Name to value of a mapping or a dataclass; fields that are None are left out."""
    found: Mapping[str, Any] = hyper if isinstance(hyper, Mapping) else asdict(hyper)
    return {name: value for name, value in found.items() if value is not None}


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
