"""Decoding and reshaping of pictures, by Pillow alone, so that bits do not depend on which decoders are installed."""

import io
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.kinds import IMAGES

MODES_8_BIT = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}


def decode(data: bytes | str, size: int | None, channels: int) -> np.ndarray:
    """A picture (encoded bytes, or a path) as uint8 [H, W, channels]; with `size`, its central square at that size.

    Raises OSError or SyntaxError (Pillow's) for damaged pictures, UserError for more than 8 bits a channel.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        return _finish(image, size, channels)


def conform(image: np.ndarray, size: int | None, channels: int) -> np.ndarray:
    """The same of an array, uint8 [H, W, C] with C 1 or 3."""
    from PIL import Image

    return _finish(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), size, channels)


def _finish(image: Any, size: int | None, channels: int) -> np.ndarray:
    from PIL import Image

    if image.mode not in MODES_8_BIT:
        raise UserError(
            f"an image of Pillow mode {image.mode} has more than 8 bits a channel; convert it to 8 bits first"
        )
    image = image.convert("L" if channels == 1 else "RGB")  # luma by ITU-R 601
    if size is not None:
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        if (width, height) != (side, side):
            image = image.crop((left, top, left + side, top + side))
        if side != size:
            image = image.resize((size, size), Image.Resampling.BICUBIC)  # antialiased when it shrinks
    array = np.array(image, dtype=np.uint8)
    return array[..., None] if channels == 1 else array


def check(size: int | None, channels: int | None) -> None:
    """Raises UserError unless size is positive and channels 1 or 3 (or not given)."""
    if size is not None and size < 1:
        raise UserError(f"image size {size}: must be at least 1 pixel")
    if channels not in (None, 1, 3):
        raise UserError(f"{channels} channels: images have 1 (grey) or 3 (colour)")


def adapt(data: source.Source, size: int | None, channels: int | None) -> source.Source:
    """The source at another (square) size or channel count; itself where nothing changes. UserError for points."""
    if size is None and channels is None:
        return data
    if data.kind is not IMAGES:
        raise UserError(f"{data.name} has {data.kind.name}, not images: --image-size and --channels do not apply")
    wanted = channels or data.shape[-1]
    shape = (size or data.shape[0], size or data.shape[1], wanted)
    if shape == data.shape:
        return data

    def change(batch: dict[str, np.ndarray] | source.Arrays) -> dict[str, np.ndarray]:
        changed = np.empty((len(batch["x"]), *shape), np.uint8)
        for i, image in enumerate(batch["x"]):
            changed[i] = conform(image, size, wanted)
        return {**batch, "x": changed}

    if data.train.arrays is not None and data.test.arrays is not None:
        return source.from_arrays(data.name, change(data.train.arrays), change(data.test.arrays), data.classes)

    def wrap(split: source.Split) -> source.Split:
        return source.lazy(split.size, lambda i: change(split.read(i)), shape, data.classes is not None)

    fingerprint = source.digest("adapted", data.fingerprint, shape)
    return source.Source(data.name, shape, data.classes, fingerprint, wrap(data.train), wrap(data.test))
