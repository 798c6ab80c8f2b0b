"""Flows from networks: stacks of layers whose parameters are one tree, for priors and posteriors."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.types import Array, Tree
from gen_jax.objectives import flows


class FlowStack(NamedTuple):
    """A flow with parameters: `init(key)` and `build(params, context)`; context [N, c] or None."""

    init: Callable[[Array], Tree]
    build: Callable[..., flows.Flow]


def autoregressive_stack(modules: Sequence[nn.Module], dims: int, context_size: int = 0) -> FlowStack:
    """Masked autoregressive layers with reversed order between them, fast in `inverse` (density): a prior (MAF).

    Each module is (z [N, d], context [N, c]?, train) -> (shift, log_scale), autoregressive in z (`nets.made`).
    """
    return _stack(modules, dims, context_size, flows.masked_autoregressive)


def inverse_autoregressive_stack(modules: Sequence[nn.Module], dims: int, context_size: int = 0) -> FlowStack:
    """IAF's gated layers (Kingma et al. 2016), fast in `forward` (a sample with its density): a posterior."""
    return _stack(modules, dims, context_size, flows.gated_autoregressive)


def coupling_stack(modules: Sequence[nn.Module], dims: int, context_size: int = 0) -> FlowStack:
    """RealNVP's affine couplings over even and odd coordinates in turn, as fast one way as the other."""
    return _stack(modules, dims, context_size, flows.coupling, flows.alternating_masks(dims, len(modules)))


def _stack(modules: Sequence[nn.Module], dims: int, context_size: int, layer: Callable, masks: Any = None) -> FlowStack:
    given = (jnp.zeros((2, context_size)),) if context_size else ()

    def init(key: Array) -> Tree:
        example = jnp.zeros((2, dims))
        return {
            f"layer_{i}": module.init(jax.random.fold_in(key, i), example, *given, train=False).get("params", {})
            for i, module in enumerate(modules)
        }

    def build(params: Tree, context: Array | None = None) -> flows.Flow:
        steps = []
        for i, module in enumerate(modules):

            def conditioner(z: Array, module=module, i=i):
                extra = () if context is None else (context,)
                return module.apply({"params": params[f"layer_{i}"]}, z, *extra, train=False)

            steps += [layer(conditioner) if masks is None else layer(conditioner, masks[i])]
            if masks is None and i + 1 < len(modules):
                steps += [flows.reverse(dims)]
        return flows.chain(steps)

    return FlowStack(init, build)
