"""Pictures of every make: alpha, EXIF, palettes, levels and formats, the same from folders, arrays and TFDS."""

import warnings

import numpy as np
import pytest
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.data import images
from gen_jax.data.images import How
from gen_jax.data.load import load, of
from gen_jax.runs.config import Config

INK = np.zeros((6, 6), np.uint8)
INK[2:4, 2:4] = 255  # where something is drawn


def write(root, make, count=12, suffix="png", **options):
    root.mkdir(exist_ok=True)
    for number in range(count):
        make(number).save(root / f"{number}.{suffix}", **options)
    return f"folder:{root}"


def everything(data):
    return np.concatenate([data.train.arrays["x"], data.test.arrays["x"]])


def hidden(number):
    """A colour that nobody sees under the transparent parts, another in each picture."""
    return np.random.RandomState(number).randint(0, 256, 3)


def rgba(number):
    colours = np.where(INK[..., None] > 0, [200, 30, 90], hidden(number)).astype(np.uint8)
    return Image.fromarray(np.dstack([colours, INK]))


def grey_alpha(number):
    return Image.fromarray(np.dstack([np.zeros_like(INK), INK]))


def palette(number):
    indexed = Image.fromarray((INK > 0).astype(np.uint8), "L").convert("P")
    indexed.putpalette([*hidden(number).tolist(), 200, 30, 90] + [0] * 762)
    indexed.info["transparency"] = 0
    return indexed


TRANSPARENT = [
    (rgba, "png", [200, 30, 90]),
    (rgba, "webp", [200, 30, 90]),
    (rgba, "tiff", [200, 30, 90]),
    (palette, "png", [200, 30, 90]),
    (palette, "gif", [200, 30, 90]),
    (grey_alpha, "png", [0]),
    (grey_alpha, "webp", [0, 0, 0]),
]


@pytest.mark.parametrize(("make", "suffix", "colour"), TRANSPARENT)
@pytest.mark.parametrize("background", ["white", "black"])
def test_what_is_transparent_shows_the_background(tmp_path, make, suffix, colour, background):
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    spec = write(tmp_path / "set", make, suffix=suffix, **options)
    levels = 256 if max(colour) == 0 and background == "black" else None  # black ink on black is said to be meant
    data = of(Config(data=spec, background=background, levels=levels))
    below = {"white": 255, "black": 0}[background]
    expected = np.where(INK[..., None] > 0, np.array(colour), below)
    assert (everything(data) == expected).all()


def test_every_source_composites_alike(tmp_path):
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (30, 5, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "four.npz", images=pixels)
    two = pixels[..., [0, 3]]
    np.savez(tmp_path / "two.npz", images=two)
    spec = write(tmp_path / "set", lambda number: Image.fromarray(pixels[number]), 30)
    found = {image.tobytes() for image in everything(load(f"npz:{tmp_path}/four.npz"))}
    assert found == {image.tobytes() for image in everything(load(spec))}
    share = two[..., 1:] / 255
    assert np.abs(images.composite(two, "white") - (two[..., :1] * share + 255 * (1 - share))).max() <= 0.51
    assert everything(load(f"npz:{tmp_path}/two.npz")).shape == (30, 5, 4, 1)
    with_word = load(f"npz:{tmp_path}/two.npz")
    assert "transparency on white" in with_word.notes


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, suffix, orientation):
    upright = np.zeros((8, 16, 3), np.uint8)
    upright[:4, :8] = 230  # one corner is bright: no turn or flip of it looks like another
    back = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}.get(orientation, [])
    stored = Image.fromarray(upright)
    for method in back:
        stored = stored.transpose(Image.Transpose(method))
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    options = {"quality": 95} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    data = load(write(tmp_path / "set", lambda number: stored, 4, suffix, exif=exif, **options))
    assert data.shape == (8, 16, 3)
    assert np.abs(everything(data).astype(int) - upright).max() < 30


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"MM\x00*\x00\x00\x00\x08\xff\xff" + b"\x01" * 40, b"II*\x00" + b"\xff" * 60]
)
def test_exif_that_cannot_be_read_says_nothing(tmp_path, junk):
    picture = Image.fromarray(np.full((8, 16, 3), 200, np.uint8))
    data = load(write(tmp_path / "set", lambda number: picture, 4, "jpg", exif=b"Exif\x00\x00" + junk))
    assert data.shape == (8, 16, 3)


@pytest.mark.parametrize("name", ["ps", "pdf", "icns"])
def test_only_pictures_of_the_suffixes_are_opened(tmp_path, name):
    """A PostScript file under a picture's name would be handed to Ghostscript."""
    write(tmp_path / "set", rgba, 3)
    content = {
        "ps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        "pdf": b"%PDF-1.4\n1 0 obj\nendobj\n%%EOF\n",
        "icns": b"icns\x00\x00\x00\x08",
    }[name]
    (tmp_path / "set" / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.png cannot be read as an image \(cannot identify image file"):
        load(f"folder:{tmp_path}/set")


def test_a_picture_of_a_billion_pixels_is_refused(tmp_path):
    write(tmp_path / "set", rgba, 3)
    header = (tmp_path / "set" / "0.png").read_bytes()
    import struct
    import zlib

    size = struct.pack(">II", 50_000, 50_000) + header[24:29]
    chunk = header[:16] + size + struct.pack(">I", zlib.crc32(b"IHDR" + size)) + header[33:]
    (tmp_path / "set" / "x.png").write_bytes(chunk)
    with warnings.catch_warnings(), pytest.raises(UserError, match=r"x\.png cannot be read as an image .*pixels"):
        warnings.simplefilter("ignore")
        load(f"folder:{tmp_path}/set")


def test_other_suffixes_of_jpeg_and_netpbm(tmp_path):
    grey = Image.fromarray(INK)
    for number, suffix in enumerate(("jfif", "jpe", "pbm", "pnm")):
        (tmp_path / f"{number}.{suffix}").write_bytes(b"")
        kind = "JPEG" if suffix.startswith("j") else "PPM"
        (grey.convert("1") if suffix == "pbm" else grey).save(tmp_path / f"{number}.{suffix}", kind)
    data = load(f"folder:{tmp_path}")
    assert data.train.size + data.test.size == 4


# ---- levels ----------------------------------------------------------------------------------------------------------
LEVELS = [
    (lambda r: r.randint(0, 2, (40, 5, 5)), 2),  # binarised digits, masks, dSprites
    (lambda r: r.randint(0, 4, (40, 5, 5)), 4),  # 10 bits cut to 8 the wrong way
    (lambda r: r.randint(0, 16, (40, 5, 5)), 16),  # 4 bits
    (lambda r: r.randint(0, 17, (40, 5, 5, 1)), 17),  # scikit-learn's digits
    (lambda r: r.randint(0, 21, (40, 5, 5, 3)), 21),  # indices of a palette
]


@pytest.mark.parametrize(("make", "levels"), LEVELS)
@pytest.mark.parametrize("kind", ["npz", "npy", "folder"])
def test_few_levels_are_asked_about_and_scaled(tmp_path, make, levels, kind):
    pixels = make(np.random.RandomState(0)).astype(np.uint8)
    pixels[0].flat[0] = levels - 1
    if kind == "folder":
        spec = write(tmp_path / "set", lambda number: Image.fromarray(pixels[number].squeeze()), 40)
    else:
        getattr(np, {"npz": "savez", "npy": "save"}[kind])(tmp_path / f"set.{kind}", pixels)
        spec = f"npz:{tmp_path}/set.{kind}"
        if kind == "npz":
            np.savez(tmp_path / "set.npz", images=pixels)
    with pytest.raises(UserError, match=f"give --levels {levels} if {levels - 1} is white, or --levels 256"):
        load(spec)
    scaled = everything(of(Config(data=spec, levels=levels)))
    expected = np.rint(np.unique(pixels) * (255 / (levels - 1)))
    assert np.unique(scaled).tolist() == expected.tolist()
    assert everything(of(Config(data=spec, levels=256))).max() == levels - 1
    if levels > 2:
        with pytest.raises(UserError, match=f"a pixel is {levels - 1}, and --levels {levels - 1} means 0 to"):
            of(Config(data=spec, levels=levels - 1))


def test_levels_of_what_has_all_and_of_what_is_shipped(tmp_path):
    with pytest.raises(UserError, match="digits says itself what white is: --levels is for"):
        of(Config(data="digits", levels=2))
    np.savez(tmp_path / "black.npz", images=np.zeros((20, 4, 4), np.uint8))
    with pytest.raises(UserError, match="every pixel is 0, which is black"):
        load(f"npz:{tmp_path}/black.npz")
    np.savez(tmp_path / "bool.npz", images=np.arange(20 * 16).reshape(20, 4, 4) % 3 == 0)
    assert np.unique(everything(load(f"npz:{tmp_path}/bool.npz"))).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (How(levels=1), "1 levels: pixels have 2"),
        (How(levels=300), "300 levels"),
        (How(background="pink"), "background 'pink': there are white and black"),
    ],
)
def test_options_of_other_values(how, message):
    with pytest.raises(UserError, match=message):
        load("digits", how=how)
