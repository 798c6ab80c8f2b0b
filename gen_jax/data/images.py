"""Decoding and reshaping of pictures, by Pillow alone, so that bits do not depend on which decoders are installed.

Transparent pixels are laid on a background (`composite`), the same for pictures, arrays and TFDS. Pictures in files are
turned upright by their EXIF orientation.
"""

import io
import warnings
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.kinds import IMAGES

# Those of the suffixes that are read. Of the others that Pillow knows, some start programs (PostScript).
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MODES_8_BIT = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}
ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places
BACKGROUNDS = {"white": 255, "black": 0}
DARK = 64  # data sets without any pixel as bright as this are asked about


class How(NamedTuple):
    """How a person wants images: square of a size, grey or colour, on which background, of how many levels."""

    size: int | None = None
    channels: int | None = None
    background: str = "white"
    levels: int | None = None


def check(how: How) -> None:
    """Raises UserError unless the size is positive, channels 1 or 3, levels 2 to 256, the background white or black."""
    if how.size is not None and how.size < 1:
        raise UserError(f"image size {how.size}: must be at least 1 pixel")
    if how.channels not in (None, 1, 3):
        raise UserError(f"{how.channels} channels: images have 1 (grey) or 3 (colour)")
    if how.levels is not None and not 2 <= how.levels <= 256:
        raise UserError(f"{how.levels} levels: pixels have 2 (black and white) to 256")
    if how.background not in BACKGROUNDS:
        raise UserError(f"background {how.background!r}: there are {' and '.join(BACKGROUNDS)}")


# ---- encoded pictures ------------------------------------------------------------------------------------------------
def quiet() -> None:
    """No warnings of Pillow's on stderr, of EXIF that was cut or of large pictures: what cannot be read is refused."""
    warnings.filterwarnings("ignore", module="PIL")


def decode(data: bytes | str, how: How, channels: int) -> np.ndarray:
    """A picture (encoded bytes, or a path) as uint8 [H, W, channels]; with a size, its central square at that size.

    A file is turned upright; bytes, of a TFDS data set that declares their shape, are taken as they lie. Raises OSError
    or SyntaxError (Pillow's) for damaged pictures, UserError for more than 8 bits a channel, and for values beyond the
    levels.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS) as opened:
        image = opened if isinstance(data, bytes) else _upright(opened)
        if image.mode not in MODES_8_BIT:
            raise UserError(
                f"an image of Pillow mode {image.mode} has more than 8 bits a channel; convert it to 8 bits first"
            )
        if image.mode in ("La", "RGBa"):  # colours that are multiplied by alpha already
            image = image.convert("LA" if image.mode == "La" else "RGBA")
        if image.has_transparency_data:
            pixels = np.array(image.convert("RGBA"))
        else:
            pixels = np.array(image.convert("L" if channels == 1 else "RGB"))  # luma by ITU-R 601
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    return conform(composite(scaled(pixels, how.levels), how.background), how.size, channels)


def header(file: str) -> tuple[tuple[int, int], bool]:
    """((width, height) of a picture as it is seen, whether it is grey), without decoding it. Raises as `decode`."""
    from PIL import Image

    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        # Pillow turns TIFF itself; a PNG's EXIF may stand behind the pixels, and to look for it would decode them.
        told = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        if width != height and told and _orientation(image) >= 5:
            width, height = height, width
        return (width, height), image.mode in ("1", "L", "LA", "La")


def _upright(image: Any) -> Any:
    """The picture as it is seen."""
    from PIL import Image

    turns = Image.Transpose
    back = {
        2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
        6: turns.ROTATE_270, 7: turns.TRANSVERSE, 8: turns.ROTATE_90,
    }  # fmt: skip
    image.load()  # turns TIFF, and reads what PNG says behind its pixels
    turn = back.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Any) -> int:
    """1 to 8 by EXIF; 1 where it says nothing or cannot be read, as in what other programs have cut."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow's readers raise what they meet
        return 1
    return found if isinstance(found, int) else 1


# ---- arrays ----------------------------------------------------------------------------------------------------------
def scaled(pixels: np.ndarray, levels: int | None) -> np.ndarray:
    """Colours 0 .. levels - 1 of uint8 [..., C] as 0 .. 255, rounded; alpha (the last of 2 or 4 channels) stays.

    None: as they are. Raises UserError for a colour beyond.
    """
    if levels is None or levels == 256:
        return pixels
    colours = pixels.shape[-1] - (pixels.shape[-1] in (2, 4))
    if (largest := int(pixels[..., :colours].max())) >= levels:
        raise UserError(f"a pixel is {largest}, and --levels {levels} means 0 to {levels - 1}")
    table = np.rint(np.minimum(np.arange(256), levels - 1) * (255 / (levels - 1))).astype(np.uint8)
    changed = pixels.copy()
    changed[..., :colours] = table[pixels[..., :colours]]
    return changed


def composite(pixels: np.ndarray, background: str) -> np.ndarray:
    """uint8 [..., 2] (grey, alpha) or [..., 4] (RGB, alpha) on the background: [..., 1] or [..., 3]; others stay."""
    if pixels.shape[-1] not in (2, 4):
        return pixels
    colour, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype(np.uint32)
    return ((colour * alpha + BACKGROUNDS[background] * (255 - alpha) + 127) // 255).astype(np.uint8)


def conform(image: np.ndarray, size: int | None, channels: int) -> np.ndarray:
    """uint8 [H, W, 1 or 3] with `channels`, and with `size` its central square at that size; itself if it is so."""
    from PIL import Image

    height, width, depth = image.shape
    if depth == channels and size in (None, height) and size in (None, width):
        return image
    picture = Image.fromarray(image[..., 0] if depth == 1 else image).convert("L" if channels == 1 else "RGB")
    if size is not None:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        if width != height:
            picture = picture.crop((left, top, left + side, top + side))
        if side != size:
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)  # antialiased when it shrinks
    array = np.array(picture, dtype=np.uint8)
    return array[..., None] if channels == 1 else array


def conform_all(images: np.ndarray, how: How, channels: int) -> np.ndarray:
    """uint8 [N, H, W, C], C of 1 to 4, as `decode` makes them of pictures: levels, background, channels, size."""
    images = composite(scaled(images, how.levels), how.background)
    if images.shape[-1] == channels and how.size in (None, images.shape[1]) and how.size in (None, images.shape[2]):
        return images
    side = how.size
    changed = np.empty((len(images), side or images.shape[1], side or images.shape[2], channels), np.uint8)
    for number, image in enumerate(images):
        changed[number] = conform(image, side, channels)
    return changed


def check_levels(name: str, brightest: int, how: How) -> None:
    """Raises UserError where pixels that never come near white were not said to be so: {0, 1} is not black."""
    if how.levels is not None or brightest >= DARK:
        return
    if brightest == 0:
        raise UserError(
            f"{name}: every pixel is 0, which is black; check the data, or give --levels 256 to take them so"
        )
    raise UserError(
        f"{name}: no pixel is above {brightest} of 255, so all would be nearly black; give --levels {brightest + 1} if "
        f"{brightest} is white, or --levels 256 if they are as dark as that"
    )


def brightest(*splits: source.Split) -> int:
    """The largest value of what splits hold in memory, or of some hundred images where they are read as needed."""
    found = 0
    for split in splits:
        if split.arrays is not None:
            images: Any = split.arrays["x"]
        else:
            images = split.read(source.evenly(split.size, 128))["x"]
        found = max(found, int(images.max()))
    return found


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
    how = How(size, wanted)

    def change(batch: dict[str, np.ndarray] | source.Arrays) -> dict[str, np.ndarray]:
        return {**batch, "x": conform_all(batch["x"], how, wanted)}

    if data.train.arrays is not None and data.test.arrays is not None:
        train, test = change(data.train.arrays), change(data.test.arrays)
        return source.from_arrays(data.name, train, test, data.classes, names=data.names, notes=data.notes)

    def wrap(split: source.Split) -> source.Split:
        return source.lazy(split.size, lambda i: change(split.read(i)), shape, data.classes is not None)

    return source.Source(
        data.name,
        shape,
        data.classes,
        source.digest("adapted", data.fingerprint, shape),
        wrap(data.train),
        wrap(data.test),
        names=data.names,
        counts=data.counts,
        notes=data.notes,
    )
