"""What style-based generators have beside other GANs: a penalty of path lengths, and truncation towards the mean style.

A generator here is a module with `styles(latents, *given)` -> [B, layers, d] and `synthesis(styles, train)` -> images,
which together are the call (`nets.stylegan2.Generator`).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Array, Sampler, Weights
from gen_jax.models.conditions import values_of
from gen_jax.models.gan_parts import Controller, Latents, Penalty, Term, View
from gen_jax.objectives.path_length import moved_mean, path_length_penalty, path_lengths

NAME = "path_length"
MEAN_OF = 1024  # latents whose mean style truncation goes to


def path_length(
    generator: nn.Module, latents: Latents, given: tuple[str, ...] = (), interval: int = 4, shrink: int = 2
) -> Term:
    """Path-length regularisation of the generator, hyper["path_length"] strong (2 in the paper, as counted here).

    On every `interval`-th round only, times as strong; on a batch / `shrink` of latents of its own; without mixing. The
    moving mean of the lengths is kept as controller "path_length".
    """

    def function(view: View) -> tuple[Array, dict[str, Any]]:
        variables, before = {"params": view.params["generator"]}, view.context.aux[NAME]
        batch = view.context.batch

        def due() -> tuple[Array, Array]:
            count = max(1, batch["x"].shape[0] // shrink)
            # Of every `shrink`-th example, not of the first ones: the same whichever shards the batch is laid out on.
            told = [value[::shrink][:count] for value in values_of(batch, given)]
            drawn = latents.draw(keys.named(view.key, "latents"), count)
            styles = jnp.asarray(generator.apply(variables, drawn, *told, method="styles"))
            noise = keys.normal(keys.named(view.key, "directions"), count, *batch["x"].shape[1:])

            def synthesis(styles: Array) -> Array:
                rngs = {"dropout": keys.named(view.key, "noise")}
                return jnp.asarray(generator.apply(variables, styles, True, method="synthesis", rngs=rngs))

            lengths = path_lengths(synthesis, styles, noise)
            after = moved_mean(before, lengths)
            return interval * path_length_penalty(lengths, after), after

        value, after = jax.lax.cond(view.context.step % interval == 0, due, lambda: (jnp.float32(0.0), before))
        return value, {NAME: after}

    return Term(generator_penalty=Penalty(NAME, function), controller=Controller(NAME, jnp.float32(0.0), update=None))


def with_truncation(
    algorithm: Algorithm, generator: nn.Module, latents: Latents, classes: int | None = None
) -> Algorithm:
    """The GAN with the truncation trick as its sampler "truncated": styles go `psi` of their way from the mean style
    (0: all the same image; 1: not truncated). The mean is that of 1,024 latents, of all classes in turn."""
    names = algorithm.given

    def truncated(weights: Weights, key: Array, count: int, given: Mapping[str, Array] = {}, *, psi: float = 0.7):
        """Raises UserError for a psi that is no finite number (where it is not traced)."""
        if isinstance(psi, int | float) and not abs(psi) < float("inf"):
            raise UserError(f"truncated at {psi}: styles go a finite part of their way, such as 0.7")
        variables = {"params": weights.params["generator"]}

        def styles(latents: Array, *told: Array) -> Array:
            return jnp.asarray(generator.apply(variables, latents, *told, method="styles"))

        some = latents.draw(keys.named(jax.random.key(0), "mean style"), MEAN_OF)
        each = () if classes is None else (jnp.arange(MEAN_OF, dtype=jnp.int32) % classes,)
        middle = styles(some, *each).mean(axis=0)
        found = styles(latents.draw(keys.named(key, "latents"), count), *values_of(given, names))
        return jnp.asarray(generator.apply(variables, middle + psi * (found - middle), method="synthesis"))

    return algorithm._replace(samplers={**algorithm.samplers, "truncated": Sampler(truncated, names, {"psi": 0.7})})
