"""Paired pictures: what goes with what, splits, sizes; inputs made of images; a line for each mistake."""

import numpy as np
import pytest
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.data import derived, load, pairs, source
from gen_jax.data.feed import to_batch


def write(folder, names, size=(4, 4), value=0, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        fill = value + number if mode == "L" else (value + number,) * 3
        Image.new(mode, size, fill).save(folder / name)


def test_pictures_are_paired_by_name_whatever_the_suffix(tmp_path):
    names = [f"{n:02}" for n in range(20)]
    write(tmp_path / "x", [f"{n}.png" for n in names])
    write(tmp_path / "y", [f"{n}.bmp" for n in reversed(names)], (8, 8), 100)  # y of name n is 119 - n
    (tmp_path / "y" / ".hidden.png").write_bytes(b"")
    data = load.load(f"pairs:{tmp_path}")
    assert (data.shape, data.train.size, data.test.size, data.classes) == ((8, 8, 1), 18, 2, None)
    assert pairs.input_shape(data) == (4, 4, 1)
    raw = source.whole(data.train)
    np.testing.assert_array_equal(raw["x"][:, 0, 0, 0], 119 - raw["input"][:, 0, 0, 0].astype(int))
    batch = to_batch(dict(raw))
    assert batch["input"].dtype == batch["x"].dtype == np.float32
    assert float(batch["input"].min()) == -1.0


def test_splits_that_are_given_are_kept_and_colour_counts_for_a_side(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        write(tmp_path / split / "x", [f"{n}.png" for n in range(count)], mode="RGB")
        write(tmp_path / split / "y", [f"{n}.png" for n in range(count)])
    data = load.load(f"pairs:{tmp_path}")
    assert (data.train.size, data.test.size, data.shape, pairs.input_shape(data)) == (3, 2, (4, 4, 1), (4, 4, 3))
    assert load.load(f"pairs:{tmp_path}", channels=1).fingerprint != data.fingerprint


def mistakes(root):
    """Name -> (what is done to a good folder, what the line says)."""
    good = ["a.png", "b.png", "c.png"]

    def fresh(x=good, y=good, size_x=(4, 4), size_y=(4, 4)):
        write(root / "x", x, size_x)
        write(root / "y", y, size_y)

    return {
        "no folder": (lambda: None, "there is no such folder"),
        "no y": (lambda: write(root / "x", good), "no folder y/"),
        "nothing in x": (lambda: ((root / "x").mkdir(parents=True), write(root / "y", good)), "holds no images"),
        "no partner": (lambda: fresh(y=["a.png", "b.png", "d.png"]), "without a partner .*: c, d"),
        "a name twice": (lambda: fresh(x=["a.png", "a.bmp", "b.png"]), "two pictures called a"),
        "sizes of a side": (lambda: (fresh(), write(root / "x", ["b.png"], (5, 4))), "is 5x4 where a.png is 4x4"),
        "no multiple": (lambda: fresh(size_x=(3, 3)), "whole number of times"),
        "two factors": (lambda: fresh(size_x=(2, 4)), "whole number of times"),
        "wanted smaller": (lambda: fresh(size_x=(8, 8)), "whole number of times"),
        "one pair": (lambda: fresh(x=["a.png"], y=["a.png"]), "one pair"),
        "half a split": (lambda: write(root / "train" / "x", good), "only one of train/ and test/"),
        "damaged": (lambda: (fresh(), (root / "y" / "b.png").write_bytes(b"no")), "b.png cannot be read"),
    }


@pytest.mark.parametrize("case", list(mistakes(None)))
def test_mistakes(tmp_path, case):
    root = tmp_path / "data"
    make, says = mistakes(root)[case]
    make()
    with pytest.raises(UserError, match=says) as caught:
        load.load(f"pairs:{root}")
    assert "\n" not in str(caught.value)


def test_nothing_is_resized_unasked(tmp_path):
    with pytest.raises(UserError, match="leave --image-size out"):
        load.load(f"pairs:{tmp_path}", image_size=8)


def test_data_without_pairs_say_what_has_them():
    with pytest.raises(UserError, match="edges:digits"):
        pairs.input_shape(load.load("digits"))


def test_shrunk_is_pillows_bicubic():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 28, 28, 1), np.uint8)
    base = source.from_arrays("some", {"x": images}, {"x": images[:1]}, None)
    found = source.whole(derived.shrunk(base).train)["input"]
    wanted = [np.asarray(Image.fromarray(each[..., 0]).resize((7, 7), Image.Resampling.BICUBIC)) for each in images]
    assert np.abs(found[..., 0].astype(int) - np.stack(wanted)).max() <= 1  # Pillow rounds its weights


def test_edges_of_a_step_a_ramp_and_nothing():
    images = np.zeros((3, 6, 8, 1), np.uint8)
    images[0, :, 4:] = 200  # a step
    images[1] = np.arange(8)[None, :, None] * 10  # a slope of 10 a pixel: 20 over two
    images[2] = 77
    base = source.from_arrays("some", {"x": images}, {"x": images[:1]}, None)
    found = source.whole(derived.edges(base).train)["input"][..., 0]
    np.testing.assert_array_equal(found[0, 2], [0, 0, 0, 200, 200, 0, 0, 0])
    np.testing.assert_array_equal(found[1, 2, 1:-1], 20)
    assert not found[2].any()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("shrunk:ring8", "is for images"),
        ("edges:grid25", "is for images"),
        ("shrunk:", "there is no data set"),
        ("edges:nothing", "there is no data set"),
        ("edges:shrunk:ring8", "is for images"),
    ],
)
def test_sources_that_cannot_be_paired(spec, says):
    with pytest.raises(UserError, match=says):
        load.load(spec)


def test_lazy_sources_make_their_inputs_as_they_are_read():
    data = load.load("edges:stacked:digits")
    raw = data.train.read(np.arange(3))
    assert raw["input"].shape == (3, 8, 8, 1)
    assert data.train.arrays is None
