"""Adaptive discriminator augmentation (Karras et al. 2020, "ADA"): the bgc pipeline, and the controller of p.

Each transformation of each image happens with probability p (times its own multiplier). Blits and geometry are one
affine map, warped once, bilinearly, with reflected borders; whole-pixel maps (flips, quarter turns, shifts) come out
exact. Colour is one 4x4 matrix. The reference filters with a wavelet around a twice finer grid; bilinear sampling in
its place blurs fractional warps a little more and aliases strong shrinking, and the reference filters even where a map
is exact here. Augment real and fake in both phases.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.ndimage import map_coordinates

from gen_jax.core import axis, keys
from gen_jax.core.errors import UserError


class Pipeline(NamedTuple):
    """Multipliers of p, 0 to leave a transformation out. The default is the paper's bgc; R3GAN: colour .5, cutout 1.

    Quarter turns and flips change what digits and letters mean: give 0 there if the leak p > .8 matters.
    """

    flip: float = 1.0
    quarter_turn: float = 1.0
    shift: float = 1.0  # whole pixels, up to an eighth of the side
    scale: float = 1.0  # 2^N(0, .2)
    rotation: float = 1.0  # any angle
    stretch: float = 1.0  # 2^N(0, .2) one way, its inverse the other
    fraction: float = 1.0  # shift by N(0, .125) of the side
    brightness: float = 1.0  # N(0, .2)
    contrast: float = 1.0  # 2^N(0, .5)
    luma_flip: float = 1.0
    hue: float = 1.0  # colour images only, as saturation
    saturation: float = 1.0  # 2^N(0, 1)
    cutout: float = 0.0  # one square of half the side, to 0


BGC = Pipeline()


def augment(images: jax.Array, key: jax.Array, p: jax.Array | float, pipeline: Pipeline = BGC) -> jax.Array:
    """Augment float images [B, H, W, C] in [-1, 1], each by its own draw, with strength p in [0, 1] (traced).

    p = 0 gives the images back bit for bit. Colour needs 1 or 3 channels: UserError for others, unless it is off.
    """
    if images.ndim != 4:
        raise UserError(f"augmentation needs images [batch, height, width, channels]: got shape {images.shape}")
    coloured = any((pipeline.brightness, pipeline.contrast, pipeline.luma_flip, pipeline.hue, pipeline.saturation))
    if coloured and images.shape[-1] not in (1, 3):
        raise UserError(
            f"ADA's colour changes need 1 or 3 channels, not {images.shape[-1]}; set their multipliers to 0"
        )
    p = jnp.asarray(p, jnp.float32)
    height, width = images.shape[1:3]

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        image = warp(image, geometry(keys.named(key, "geometry"), p, pipeline, (height, width)))
        if coloured:
            image = recolour(image, colour(keys.named(key, "colour"), p, pipeline, image.shape[-1] > 1))
        return _cut_out(image, keys.named(key, "cutout"), p * pipeline.cutout) if pipeline.cutout else image

    return jax.vmap(one)(images, keys.per_example(keys.named(key, "ada"), images.shape[0])).astype(images.dtype)


def geometry(key: jax.Array, p: jax.Array, pipeline: Pipeline, size: tuple[int, int]) -> jax.Array:
    """One image's draw of the map from output to input positions: 3x3 on (x, y, 1), in pixels from the centre."""
    height, width = size
    sides = jnp.array([width, height], jnp.float32)

    def happens(purpose: str, multiplier: float | jax.Array) -> jax.Array:
        return jax.random.uniform(keys.named(key, purpose)) < p * multiplier

    def uniform(purpose: str, *shape: int) -> jax.Array:
        return jax.random.uniform(keys.named(key, purpose), shape)

    def normal(purpose: str, *shape: int) -> jax.Array:
        return jax.random.normal(keys.named(key, purpose), shape)

    flip = jnp.where(happens("flip", pipeline.flip) & (uniform("flip_side") < 0.5), -1.0, 1.0)
    turns = jnp.where(happens("turn", pipeline.quarter_turn), jnp.floor(4 * uniform("turns")), 0.0).astype(jnp.int32)
    pixels = jnp.round(0.125 * (2 * uniform("pixels", 2) - 1) * sides)
    pixels = jnp.where(happens("shift", pipeline.shift), pixels, 0.0)
    scale = jnp.where(happens("scale", pipeline.scale), jnp.exp2(0.2 * normal("scale_size")), 1.0)
    # Two rotations, either side of the stretch, that together happen with probability p (appendix B).
    once = 1 - jnp.sqrt(jnp.clip(1 - p * pipeline.rotation, 0, 1))
    turned = jax.random.uniform(keys.named(key, "turned"), (2,)) < once
    before, after = jnp.where(turned, jnp.pi * (2 * uniform("angles", 2) - 1), 0.0)
    stretch = jnp.where(happens("stretch", pipeline.stretch), jnp.exp2(0.2 * normal("stretch_size")), 1.0)
    fraction = jnp.where(happens("fraction", pipeline.fraction), 0.125 * normal("fraction_size", 2) * sides, 0.0)

    inverses = (  # of each transformation, first to last: output positions are pulled back through them in reverse
        _linear(flip, 0.0, 0.0, 1.0),
        _quarter_turn(turns),
        _shift(-pixels),
        _linear(1 / scale, 0.0, 0.0, 1 / scale),
        _rotation(before),
        _linear(1 / stretch, 0.0, 0.0, stretch),
        _rotation(after),
        _shift(-fraction),
    )
    matrix = inverses[0]
    for inverse in inverses[1:]:
        matrix = jnp.matmul(matrix, inverse, precision=lax.Precision.HIGHEST)
    return matrix


def warp(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """Resample an image [H, W, C]: output position q is read at `matrix` q, bilinearly, with mirrored borders."""
    height, width, _ = image.shape
    y, x = jnp.meshgrid(jnp.arange(height) - (height - 1) / 2, jnp.arange(width) - (width - 1) / 2, indexing="ij")
    x_in = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + (width - 1) / 2
    y_in = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + (height - 1) / 2
    sample = lambda channel: map_coordinates(channel, [y_in, x_in], order=1, mode="mirror")  # noqa: E731
    return jax.vmap(sample, in_axes=-1, out_axes=-1)(image)


def colour(key: jax.Array, p: jax.Array, pipeline: Pipeline, chromatic: bool) -> jax.Array:
    """One image's draw of its colour map: 4x4, homogeneous (r, g, b, 1). Hue and saturation only if `chromatic`."""

    def chosen(purpose: str, multiplier: float, value: jax.Array, neutral: float) -> jax.Array:
        return jnp.where(jax.random.uniform(keys.named(key, purpose)) < p * multiplier, value, neutral)

    def normal(purpose: str) -> jax.Array:
        return jax.random.normal(keys.named(key, purpose + "_size"))

    def uniform(purpose: str) -> jax.Array:
        return jax.random.uniform(keys.named(key, purpose + "_size"))

    identity = jnp.eye(4)
    luma = jnp.asarray(_LUMA)
    bright = chosen("brightness", pipeline.brightness, 0.2 * normal("brightness"), 0.0)
    strong = chosen("contrast", pipeline.contrast, jnp.exp2(0.5 * normal("contrast")), 1.0)
    flipped = chosen("luma_flip", pipeline.luma_flip, jnp.floor(2 * uniform("luma_flip")), 0.0)
    steps = [
        identity.at[:3, 3].set(bright),
        jnp.diag(jnp.stack([strong, strong, strong, jnp.ones(())])),
        identity - 2 * flipped * luma,
    ]
    if chromatic:
        angle = chosen("hue", pipeline.hue, jnp.pi * (2 * uniform("hue") - 1), 0.0)
        vivid = chosen("saturation", pipeline.saturation, jnp.exp2(normal("saturation")), 1.0)
        # Rodrigues about the grey axis; I + (1 - cos) K^2 + sin K is exactly I where the angle is 0.
        steps.append(identity + (1 - jnp.cos(angle)) * jnp.asarray(_CROSS @ _CROSS) + jnp.sin(angle) * _CROSS)
        steps.append(identity + (vivid - 1) * (identity - luma) * jnp.array([[1.0], [1.0], [1.0], [0.0]]))
    matrix = steps[0]
    for step in steps[1:]:
        matrix = jnp.matmul(step, matrix, precision=lax.Precision.HIGHEST)
    return matrix


def recolour(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """Apply a 4x4 colour map to an image [H, W, 3]; to [H, W, 1] its effect on a grey pixel, averaged to grey."""
    if image.shape[-1] == 1:
        return image * jnp.mean(jnp.sum(matrix[:3, :3], axis=1)) + jnp.mean(matrix[:3, 3])
    return jnp.einsum("hwc,dc->hwd", image, matrix[:3, :3], precision=lax.Precision.HIGHEST) + matrix[:3, 3]


def update_p(
    p: jax.Array,
    sign_mean: jax.Array,
    batch_size: int | jax.Array,
    target: float | jax.Array = 0.6,
    speed: float = 500_000,
    interval: int = 4,
) -> jax.Array:
    """The next p: a step of batch_size * interval / speed up where E sign D(real) > target, down where it is below.

    Call it once every `interval` steps with the mean over them (section 3.2; p goes from 0 to 1 in `speed` images).
    Clipped to [0, 1]; the authors' code lets p grow past 1, where it means no more than 1.
    """
    step = jnp.sign(sign_mean - target) * batch_size * interval / speed
    return jnp.clip(p + step, 0.0, 1.0)


def init_controller(p: float = 0.0) -> dict[str, jax.Array]:
    """The controller's state, to be kept in `aux`: p, and the signs seen since it last moved."""
    return {"p": jnp.float32(p), "signs": jnp.float32(0.0), "steps": jnp.int32(0)}


def observe(
    controller: Mapping[str, jax.Array],
    real_logits: jax.Array,
    target: float | jax.Array = 0.6,
    speed: float = 500_000,
    interval: int = 4,
) -> dict[str, jax.Array]:
    """The controller after one discriminator step: counts sign D(real) over the global batch; p moves when due."""
    signs = axis.gather(jnp.sign(lax.stop_gradient(real_logits)))
    total = controller["signs"] + jnp.mean(signs).astype(jnp.float32)
    steps = controller["steps"] + 1
    due = steps >= interval
    moved = update_p(controller["p"], total / steps, signs.shape[0], target, speed, interval)
    return {
        "p": jnp.where(due, moved, controller["p"]),
        "signs": jnp.where(due, 0.0, total),
        "steps": jnp.where(due, 0, steps),
    }


_AXIS = np.array([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)  # grey
_LUMA = np.outer(_AXIS, _AXIS).astype(np.float32)
_CROSS = (np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / math.sqrt(3)).astype(np.float32)


def _linear(a: jax.Array | float, b: jax.Array | float, c: jax.Array | float, d: jax.Array | float) -> jax.Array:
    rows = [[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]]
    return jnp.stack([jnp.stack([jnp.asarray(v, jnp.float32) for v in row]) for row in rows])


def _shift(by: jax.Array) -> jax.Array:
    return jnp.eye(3).at[:2, 2].set(by)


def _rotation(angle: jax.Array) -> jax.Array:
    return _linear(jnp.cos(angle), -jnp.sin(angle), jnp.sin(angle), jnp.cos(angle))


def _quarter_turn(turns: jax.Array) -> jax.Array:
    # A table, since cos(pi / 2) is not 0 in floating point and whole-pixel maps have to be exact.
    cosine, sine = jnp.array([1.0, 0.0, -1.0, 0.0])[turns], jnp.array([0.0, 1.0, 0.0, -1.0])[turns]
    return _linear(cosine, -sine, sine, cosine)


def _cut_out(image: jax.Array, key: jax.Array, probability: jax.Array) -> jax.Array:
    chance, row, column = jax.random.uniform(key, (3,))
    height, width, _ = image.shape
    rows = jnp.abs((jnp.arange(height) + 0.5) / height - row) >= 0.25
    columns = jnp.abs((jnp.arange(width) + 0.5) / width - column) >= 0.25
    kept = rows[:, None] | columns[None, :] | (chance >= probability)
    return image * kept[..., None].astype(image.dtype)
