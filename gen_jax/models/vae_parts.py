"""What the models with latents share: calling networks on k samples, latent priors as players, flows from networks."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.players import Player
from gen_jax.core.types import Array, Batch, Hyper, Tree
from gen_jax.objectives import flows
from gen_jax.objectives.binarize import binarize
from gen_jax.objectives.bounds import Estimator
from gen_jax.objectives.likelihoods import Binarization, Likelihood
from gen_jax.objectives.priors import Prior
from gen_jax.objectives.rate import FreeBits

CHUNK_NUMBERS = 2**22  # decoder outputs alive at once in `log_likelihood`: 16 MiB in float32, whatever k is
Encode = Callable[[Array], tuple[Array, Array]]  # images [K, ...] -> (mean, log_variance), each [K, d]


class Codes(NamedTuple):
    """What a regulariser sees of a batch: one sample z of each q(z|x), and how it came about."""

    latents: Array  # [B, d]
    mean: Array  # [B, d]
    log_variance: Array | None  # [B, d]; None of a deterministic encoder
    decode: Callable[[Array], Array]  # latents [B, d] -> images [B, ...], as in evaluation: examples stay apart
    hyper: Hyper
    key: Array  # own to this regulariser


class Regularizer(NamedTuple):
    """A term of the encoder's and decoder's loss: hyper[weight] * function(codes), a scalar over local rows."""

    weight: str
    function: Callable[[Codes], Array]


def add_regularizers(terms: Sequence[Regularizer], codes: Codes, metrics: dict[str, Array]) -> Array:
    """The weighted sum of the terms; each value joins `metrics` under its weight's name."""
    total = jnp.float32(0.0)
    for term in terms:
        value = term.function(codes._replace(key=jax.random.fold_in(codes.key, len(metrics))))
        metrics[f"regularizer/{term.weight}"] = value
        total = total + codes.hyper[term.weight] * value
    return total


class Parameters(nn.Module):
    """A bare tree of parameters as a module, so that a prior or a flow can be a player. Calling it gives the tree."""

    initial: Callable[[Array], Tree]

    @nn.compact
    def __call__(self, *, train: bool) -> Tree:
        return self.param("tree", self.initial)


def tree_player(initial: Callable[[Array], Tree], optimizer: Callable, average: str | None) -> Player:
    """A player that is a tree of parameters; read it with `tree_of`."""
    return Player(Parameters(initial), (), optimizer, ema=average)


def tree_of(params: Mapping[str, Tree], name: str) -> Tree:
    """The tree of a `tree_player`; {} where there is no such player (a prior without parameters)."""
    return params[name]["tree"] if name in params else {}


def has_parameters(prior: Prior) -> bool:
    return bool(jax.tree.leaves(jax.eval_shape(prior.init, jax.random.key(0))))


def repeat(values: Tree, samples: int) -> Tree:
    """Leaves [B, ...] -> [B·k, ...], each example's copies side by side, so that shards stay contiguous."""
    return jax.tree.map(lambda v: jnp.repeat(v, samples, axis=0), values)


def fold(values: Array) -> Array:
    """[k, B, ...] -> [B·k, ...], in the order of `repeat`."""
    return jnp.swapaxes(values, 0, 1).reshape(-1, *values.shape[2:])


def unfold(values: Array, samples: int) -> Array:
    """[B·k, ...] -> [k, B, ...]."""
    return jnp.swapaxes(values.reshape(-1, samples, *values.shape[1:]), 0, 1)


def observed(batch: Batch, key: Array | None, how: Binarization) -> Array:
    """The image as the model sees it. Without a key (encoding), grey pixels stand for dynamic binarisation's mean."""
    if key is None:
        return batch["x"] if how is Binarization.DYNAMIC else binarize(batch["x"], jax.random.key(0), how)
    return binarize(batch["x"], key, how)


def levels_of(likelihood: Likelihood, how: Binarization) -> int | None:
    """`Algorithm.levels`: a Bernoulli of pixels that are not binarised is a cross-entropy, no likelihood."""
    return 0 if likelihood.name == "bernoulli" and how is Binarization.NONE else likelihood.levels


def labels_of(classes: int | None, label: Array | None) -> tuple[Array, ...]:
    """What a network is called with beside its input: the label of a conditional model. UserError where it lacks."""
    if classes is None:
        return ()
    if label is None:
        raise UserError("this model is conditional: give a label with every latent or image")
    return (label,)


def check_latent_size(latent_size: int) -> None:
    if latent_size < 1:
        raise UserError(f"a latent size of {latent_size} leaves nothing to encode into; use 1 or more")


def check_samples_fit(samples: int, rows: int, outputs: Sequence[int]) -> None:
    """UserError where k samples of a batch cannot fit into memory, counting the decoder's outputs alone (about four
    copies live through a gradient), with the k that would. Checked as the program is traced: before any step."""
    one = 4 * 4 * rows * math.prod(outputs)
    limit = _memory_bytes()
    if samples * one > limit:
        raise UserError(
            f"{samples} importance samples of {rows} examples need at least {samples * one / 2**30:.0f} GiB, and the "
            f"device has {limit / 2**30:.0f}; use at most {max(limit // one, 1)} samples or a smaller batch"
        )


def _memory_bytes() -> int:
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def chunk_size(samples: int, numbers: int) -> int:
    """The largest divisor of `samples` whose chunk holds at most CHUNK_NUMBERS decoder outputs; `numbers` a sample."""
    if samples < 1:
        raise UserError(f"log_likelihood with {samples} importance samples: ask for 1 or more")
    most = max(1, min(samples, CHUNK_NUMBERS // numbers))
    return next(size for size in range(most, 0, -1) if samples % size == 0)


def check_options(
    plain: bool,
    analytic: bool,
    estimator: Estimator,
    posterior_flow: Any,
    free_bits: FreeBits,
    capacity: Any,
    geco: bool,
    prior: Any,
    classes: int | None,
) -> None:
    """UserError for combinations that have no meaning."""
    steered = [
        name
        for name, on in (
            ("free bits", free_bits is not FreeBits.NONE),
            ("capacity", capacity is not None),
            ("geco", geco),
        )
        if on
    ]
    if len(steered) > 1:
        raise UserError(f"{' and '.join(steered)} all steer the KL; choose one of them")
    if steered and not plain:
        raise UserError(f"{steered[0]} steers the KL of the plain elbo; with another bound or estimator there is none")
    if free_bits is FreeBits.PER_DIMENSION and not analytic:
        raise UserError("free bits per dimension need the standard normal prior and no flow; use per_layer")
    if posterior_flow is not None and estimator is not Estimator.REPARAMETERISED:
        raise UserError(f"a flow posterior has no {estimator.value} estimator here; use reparameterised")
    if classes is not None and prior is not None and not isinstance(prior, Prior):
        raise UserError("a VampPrior's pseudo-inputs have no labels; use another prior, or no classes")


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

    def layer(conditioner: flows.Conditioner) -> flows.Flow:
        return flows.invert(flows.masked_autoregressive(flows.gated(conditioner)))

    return _stack(modules, dims, context_size, layer)


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
