"""folder: and npz: sources, and every mistake that a person can make with them."""

import numpy as np
import pytest
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.data import folder, images, npz, source
from gen_jax.data.images import How

RANDOM = np.random.RandomState(0)


def picture(path, shape=(6, 5, 3), array=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = RANDOM.randint(0, 256, shape).astype(np.uint8) if array is None else array
    Image.fromarray(array).save(path)
    return array


def classes_folder(root, count=30, shape=(6, 5, 3)):
    return {f"{'ab'[i % 2]}/{i}.png": picture(root / "ab"[i % 2] / f"{i}.png", shape) for i in range(count)}


def test_classes_by_sub_folder(tmp_path):
    written = classes_folder(tmp_path)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    data = folder.folder(str(tmp_path))
    assert (data.shape, data.classes) == ((6, 5, 3), 2)
    assert data.train.size + data.test.size == 30
    assert 1 <= data.test.size <= 9
    content = {array.tobytes(): name for name, array in written.items()}
    found = []
    for split in (data.train, data.test):
        for image, label in zip(split.arrays["x"], split.arrays["label"], strict=True):
            name = content[image.tobytes()]
            assert name[0] == "ab"[label]
            found.append(name)
    assert sorted(found) == sorted(written)
    assert folder.folder(str(tmp_path)).fingerprint == data.fingerprint


def test_a_file_keeps_its_side_when_others_come(tmp_path):
    classes_folder(tmp_path, 40)
    before = folder.folder(str(tmp_path))
    for i in range(40):
        picture(tmp_path / "a" / f"0_new_{i}.png")
    after = folder.folder(str(tmp_path))
    assert after.test.size > before.test.size
    for old, new in ((before.train, after.train), (before.test, after.test)):
        assert {i.tobytes() for i in old.arrays["x"]} <= {i.tobytes() for i in new.arrays["x"]}


def test_flat_folder_has_no_labels_and_tiny_ones_still_split(tmp_path):
    for i in range(2):
        picture(tmp_path / f"{i}.jpg")
    data = folder.folder(str(tmp_path))
    assert data.classes is None
    assert set(data.train.arrays) == {"x"}
    assert (data.train.size, data.test.size) == (1, 1)


def test_train_and_test_sub_folders(tmp_path):
    for part, count in (("train", 6), ("test", 4)):
        classes_folder(tmp_path / part, count)
    data = folder.folder(str(tmp_path))
    assert (data.train.size, data.test.size, data.classes) == (6, 4, 2)
    assert np.bincount(data.train.arrays["label"]).tolist() == [3, 3]
    picture(tmp_path / "train" / "c" / "x.png")
    picture(tmp_path / "test" / "d" / "x.png")
    with pytest.raises(
        UserError, match="different sub-folders: c is in the first alone, d in the second; give classes"
    ):
        folder.folder(str(tmp_path))


def test_grey_folders_have_one_channel(tmp_path):
    written = [picture(tmp_path / f"{i}.png", (4, 4)) for i in range(5)]
    data = folder.folder(str(tmp_path))
    assert data.shape == (4, 4, 1)
    assert {i.tobytes() for i in source.whole(data.train)["x"]} <= {i.tobytes() for i in written}
    colour = folder.folder(str(tmp_path), How(channels=3))
    assert colour.shape == (4, 4, 3)
    assert (colour.train.arrays["x"] == data.train.arrays["x"]).all()
    assert colour.fingerprint != data.fingerprint
    picture(tmp_path / "colour.png", (4, 4, 3))
    assert folder.folder(str(tmp_path)).shape == (4, 4, 3)


def test_mixed_sizes_are_cropped_at_the_centre_and_resized(tmp_path):
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200  # the central square
    picture(tmp_path / "wide.png", array=wide)
    picture(tmp_path / "tall.png", array=np.ascontiguousarray(wide.transpose(1, 0, 2)))
    with pytest.raises(UserError, match=r"several sizes \(4x12, 12x4, …\); choose one with --image-size"):
        folder.folder(str(tmp_path))
    data = folder.folder(str(tmp_path), How(size=8))
    assert data.shape == (8, 8, 3)
    assert (data.train.arrays["x"] == 200).all()
    assert (data.test.arrays["x"] == 200).all()


def test_large_folders_are_read_lazily(tmp_path, monkeypatch):
    classes_folder(tmp_path, 80)
    eager = folder.folder(str(tmp_path))
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 100)
    lazy = folder.folder(str(tmp_path))
    assert lazy.train.arrays is None
    assert lazy.train.nbytes == eager.train.nbytes
    batch = lazy.train.read(np.array([5, 0, 5]))
    for name in ("x", "label"):
        assert np.array_equal(batch[name], eager.train.arrays[name][[5, 0, 5]])
        assert np.array_equal(source.whole(lazy.train)[name], eager.train.arrays[name])
    assert lazy.fingerprint == folder.folder(str(tmp_path)).fingerprint
    picture(tmp_path / "a" / "new.png")
    assert lazy.fingerprint != folder.folder(str(tmp_path)).fingerprint


@pytest.mark.parametrize("content", [b"not an image", None])
def test_a_corrupt_image_is_named(tmp_path, content):
    classes_folder(tmp_path, 4)
    bad = tmp_path / "a" / "0.png"
    bad.write_bytes(content if content else bad.read_bytes()[:-60])  # nonsense, or cut short
    with pytest.raises(UserError, match=r"a/0\.png cannot be read as an image") as caught:
        folder.folder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_lazy_corrupt_image_is_named_when_it_is_read(tmp_path, monkeypatch):
    classes_folder(tmp_path, 4)
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 1)
    data = folder.folder(str(tmp_path), How(4, 3))
    for file in tmp_path.glob("*/*.png"):
        file.write_bytes(b"gone bad")
    with pytest.raises(UserError, match=r"\.png cannot be read as an image"):
        data.train.read(np.arange(1))


def test_sixteen_bit_images_are_refused(tmp_path):
    for i in range(2):
        picture(tmp_path / f"{i}.png", array=np.full((4, 4), 40000, np.uint16))
    with pytest.raises(UserError, match=r"\d\.png: an image of Pillow mode I;16 has more than 8 bits"):
        folder.folder(str(tmp_path))


def test_missing_empty_and_ambiguous_folders(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        folder.folder(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="holds no images"):
        folder.folder(str(tmp_path))
    picture(tmp_path / "one.png")
    with pytest.raises(UserError, match="holds one image"):
        folder.folder(str(tmp_path))
    picture(tmp_path / "a" / "two.png")
    with pytest.raises(UserError, match=r"both in itself \(one.png\) and in sub-folders \(a/\)"):
        folder.folder(str(tmp_path))


# npz


def grey(count, value=None):
    return RANDOM.randint(0, 256, (count, 4, 5)).astype(np.uint8)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return str(tmp_path / "data.npz")


@pytest.mark.parametrize("names", npz.PAIRS)
def test_npz_with_two_splits(tmp_path, names):
    arrays = dict(zip(names, (grey(6), np.arange(6) % 3, grey(3), np.arange(3)[:, None]), strict=True))
    data = npz.npz(saved(tmp_path, **arrays))
    assert (data.shape, data.classes, data.train.size, data.test.size) == ((4, 5, 1), 3, 6, 3)
    assert np.array_equal(data.train.arrays["x"][..., 0], arrays[names[0]])
    assert data.test.arrays["label"].tolist() == [0, 1, 2]
    assert data.test.arrays["label"].dtype == np.int32


def test_npz_of_images_alone_is_split(tmp_path):
    colour = RANDOM.randint(0, 256, (40, 4, 5, 3)).astype(np.uint8)
    data = npz.npz(saved(tmp_path, images=colour))
    assert (data.shape, data.classes, data.train.size, data.test.size) == ((4, 5, 3), None, 36, 4)
    both = np.concatenate([data.train.arrays["x"], data.test.arrays["x"]])
    assert {i.tobytes() for i in both} == {i.tobytes() for i in colour}
    labelled = npz.npz(saved(tmp_path, images=colour, labels=np.arange(40)))
    assert np.array_equal(colour[labelled.test.arrays["label"]], data.test.arrays["x"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": grey(4)}, "must hold train_images and test_images, .* it holds pictures"),
        ({"images": grey(4) / 255.0}, "images is float64; uint8"),
        ({"images": grey(4).reshape(4, -1)}, r"images has shape \(4, 20\)"),
        ({"images": grey(0)}, r"images has shape \(0, 4, 5\)"),
        ({"images": np.zeros((4, 3, 5, 5), np.uint8)}, "images has 5 channels"),
        ({"images": grey(1)}, "images holds one image"),
        ({"images": grey(4), "labels": np.arange(3)}, r"labels is int64 \(3,\); 4 integers are needed"),
        ({"images": grey(4), "labels": np.zeros(4)}, "labels is float64"),
        ({"images": grey(4), "labels": np.array([0, -1, 1, 2])}, "labels runs from -1 to 2"),
        ({"x_train": grey(4), "x_test": grey(2)[:, :3]}, r"train images are \(4, 5, 1\), test images \(3, 5, 1\)"),
        ({"x_train": grey(4), "x_test": grey(2), "y_test": np.arange(2)}, "only one of train and test has labels"),
        ({"images": np.array([{}], object)}, "not a sound .npz file"),
    ],
)
def test_npz_mistakes(tmp_path, arrays, message):
    with pytest.raises(UserError, match=message) as caught:
        npz.npz(saved(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_npz_missing_or_damaged(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        npz.npz(str(tmp_path / "nowhere.npz"))
    path = saved(tmp_path, images=grey(40))
    whole = (tmp_path / "data.npz").read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2], whole[:300] + b"xxxx" + whole[304:]):
        (tmp_path / "data.npz").write_bytes(content)
        with pytest.raises(UserError, match="not a sound .npz file"):
            npz.npz(path)


# resizing


def test_adapt_matches_pillow_and_changes_the_fingerprint(tmp_path):
    data = npz.npz(saved(tmp_path, images=RANDOM.randint(0, 256, (20, 8, 8, 3)).astype(np.uint8)))
    small = images.adapt(data, 4, None)
    assert small.shape == (4, 4, 3)
    expected = np.array(Image.fromarray(data.train.arrays["x"][3]).resize((4, 4), Image.Resampling.BICUBIC))
    assert np.array_equal(small.train.arrays["x"][3], expected)
    luma = images.adapt(data, None, 1)
    weights = data.train.arrays["x"] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma.train.arrays["x"][..., 0] - weights).max() <= 1
    assert len({data.fingerprint, small.fingerprint, luma.fingerprint}) == 3
    assert images.adapt(data, 8, 3) is data


def test_adapt_of_a_lazy_source_is_the_same(tmp_path):
    data = npz.npz(saved(tmp_path, images=grey(20), labels=np.arange(20) % 2))
    lazy = source.Source(
        "lazy",
        data.shape,
        2,
        data.fingerprint,
        *(source.lazy(s.size, s.read, data.shape, labels=True) for s in (data.train, data.test)),
    )
    small, eager = images.adapt(lazy, 3, 3), images.adapt(data, 3, 3)
    assert small.train.arrays is None
    for name in ("x", "label"):
        assert np.array_equal(source.whole(small.train)[name], eager.train.arrays[name])
    assert small.train.nbytes == eager.train.nbytes
    assert small.fingerprint != lazy.fingerprint
