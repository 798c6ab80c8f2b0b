"""Grouped convolution that is usable on a CPU: ResNeXt's (Xie et al. 2017), R3GAN's.

XLA's CPU back end takes a hundred times longer over the gradients of a grouped convolution than over those of the
groups' own convolutions one by one (64 × 28 × 28 × 64 in 4 groups, two cores: gradients 3.7 s against 0.08 s; as one
dense block-diagonal kernel 0.14 s; as batched matrix products over taps 0.22 s). So on a CPU the groups go one by one;
everywhere else the convolution stays the grouped one. Two primitives close under differentiation, as in `conv`: at
stride 1 the gradient to the input is again a grouped convolution, with the kernel mirrored.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import ad, batching

from gen_jax.core import portable
from gen_jax.core.errors import UserError
from gen_jax.nets import conv_cpu
from gen_jax.nets.conv import _primitive, _vary_alike
from gen_jax.nets.conv_plain import LAYOUT, Padding


def grouped_conv(x: jax.Array, kernel: jax.Array, groups: int) -> jax.Array:
    """Stride 1, "SAME", odd window: x [B, H, W, C], kernel [k, k, C / groups, features] -> [B, H, W, features].

    Output channels are `groups` blocks in order, each of its own block of input channels, as in PyTorch.
    """
    if x.shape[-1] != groups * kernel.shape[2] or kernel.shape[3] % groups or not kernel.shape[0] % 2:
        raise UserError(
            f"{groups} groups want channels in whole groups and an odd window: got {x.shape[-1]} channels and a kernel "
            f"of {kernel.shape}"
        )
    if portable.wanted():
        return _plain(x, kernel, groups=groups)
    return _conv_p.bind(*_vary_alike(x, kernel), groups=groups)


def _padding(window: tuple[int, ...]) -> Padding:
    return tuple((n // 2, n // 2) for n in window[:2])


def _plain(x: jax.Array, kernel: jax.Array, *, groups: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (1, 1), _padding(kernel.shape), dimension_numbers=LAYOUT, feature_group_count=groups
    )


def _plain_weight(x: jax.Array, g: jax.Array, *, groups: int, window: tuple[int, int]) -> jax.Array:
    kernel = jax.ShapeDtypeStruct((*window, x.shape[-1] // groups, g.shape[-1]), jnp.result_type(x))
    (gradient,) = jax.linear_transpose(lambda k: _plain(x, k, groups=groups), kernel)(g)
    return gradient


def _one_by_one(x: jax.Array, kernel: jax.Array, *, groups: int) -> jax.Array:
    pairs = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
    return jnp.concatenate([conv_cpu.conv(a, k, stride=1, padding=_padding(k.shape)) for a, k in pairs], -1)


def _one_by_one_weight(x: jax.Array, g: jax.Array, *, groups: int, window: tuple[int, int]) -> jax.Array:
    pairs = zip(jnp.split(x, groups, -1), jnp.split(g, groups, -1), strict=True)
    padding = _padding(window)
    return jnp.concatenate([conv_cpu.weight_grad(a, b, stride=1, padding=padding, window=window) for a, b in pairs], -1)


_conv_p = _primitive("gen_jax_grouped_conv", _plain, _one_by_one, _plain)
_weight_p = _primitive("gen_jax_grouped_weight_grad", _plain_weight, _one_by_one_weight, _plain_weight)


def _mirror(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel of the transposed convolution: turned by 180 degrees, inputs and outputs exchanged in each group."""
    rows, columns, inputs, outputs = kernel.shape
    blocks = jnp.flip(kernel, (0, 1)).reshape(rows, columns, inputs, groups, outputs // groups)
    return blocks.transpose(0, 1, 4, 3, 2).reshape(rows, columns, outputs // groups, groups * inputs)


def _conv_to_input(y, x, kernel, *, groups):
    return _conv_p.bind(y, _mirror(kernel, groups), groups=groups)


def _conv_to_kernel(y, x, kernel, *, groups):
    return _weight_p.bind(x, y, groups=groups, window=kernel.aval.shape[:2])


def _weight_to_input(kernel, x, g, *, groups, window):
    return _conv_p.bind(g, _mirror(kernel, groups), groups=groups)


def _weight_to_output(kernel, x, g, *, groups, window):
    return _conv_p.bind(x, kernel, groups=groups)


ad.defbilinear(_conv_p, _conv_to_input, _conv_to_kernel)
ad.defbilinear(_weight_p, _weight_to_input, _weight_to_output)


def _members_are_groups(primitive, arguments, axes, *, groups, **parameters):
    """vmap: members (seeds) side by side along the channels are just more groups."""
    members = next(a.shape[i] for a, i in zip(arguments, axes, strict=True) if i is not None)

    def beside(a: jax.Array, i: int | None) -> jax.Array:
        a = jnp.broadcast_to(a[..., None, :], (*a.shape[:-1], members, a.shape[-1])) if i is None else (
            jnp.moveaxis(a, i, -2)
        )  # fmt: skip
        return a.reshape(*a.shape[:-2], members * a.shape[-1])

    wide = [beside(a, i) for a, i in zip(arguments, axes, strict=True)]
    out = primitive.bind(*wide, groups=members * groups, **parameters)
    return out.reshape(*out.shape[:-1], members, out.shape[-1] // members), out.ndim - 1


for _p in (_conv_p, _weight_p):
    batching.primitive_batchers[_p] = lambda arguments, axes, _p=_p, **parameters: _members_are_groups(
        _p, arguments, axes, **parameters
    )
