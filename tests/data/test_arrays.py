"""npz: and .npy of every make: labels, names of arrays, headers that lie, and how much memory reading takes."""

import contextlib
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import npz, reading, source, stored
from gen_jax.data.images import How
from gen_jax.data.load import load

PIXELS = np.random.RandomState(0).randint(0, 256, (60, 4, 5)).astype(np.uint8)
THIRDS = np.arange(60) % 3


def saved(tmp_path, name="data.npz", **arrays):
    np.savez(tmp_path / name, **arrays)
    return f"npz:{tmp_path}/{name}"


# ---- labels ----------------------------------------------------------------------------------------------------------
LABELS = [
    (THIRDS, None),
    (THIRDS + 1, ("1", "2", "3")),
    (np.array([3, 70, 1000])[THIRDS], ("3", "70", "1000")),
    (np.array([0, 2, 3], np.uint8)[THIRDS], ("0", "2", "3")),
    (np.array([5, 10**12, 7], np.uint64)[THIRDS], ("5", "7", str(10**12))),
    (np.array(["cat", "dog", "axolotl"])[THIRDS], ("axolotl", "cat", "dog")),
    (THIRDS > 0, ("False", "True")),
    (np.full(60, 7), ("7",)),
    ((THIRDS + 1)[:, None], ("1", "2", "3")),
]


@pytest.mark.parametrize(("train", "test"), [("u8", "i8"), ("i8", "u8"), ("u1", "i8"), ("i4", "u4"), ("u8", "u1")])
@pytest.mark.parametrize(("times", "names"), [(2, ("0", "2", "4")), (1, None), (2**60 + 1, ...)])
def test_whole_labels_of_two_widths_are_whole(tmp_path, train, test, times, names):
    labels = (np.arange(60) % 3).astype(np.int64) * times
    if labels.max() > min(np.iinfo(train).max, np.iinfo(test).max):
        return
    arrays = {"x_train": PIXELS[:40], "y_train": labels[:40].astype(train)}
    data = load(saved(tmp_path, **arrays, x_test=PIXELS[40:], y_test=labels[40:].astype(test)))
    assert data.names == (tuple(str(times * k) for k in range(3)) if names is ... else names)
    assert source.whole(data.test)["label"].tolist() == [k % 3 for k in range(40, 60)]


@pytest.mark.parametrize(("labels", "names"), LABELS)
@pytest.mark.parametrize("two", [False, True])
def test_labels_are_numbered_and_their_names_kept(tmp_path, labels, names, two):
    if two:
        arrays = {"x_train": PIXELS[:40], "y_train": labels[:40], "x_test": PIXELS[40:], "y_test": labels[40:]}
    else:
        arrays = {"images": PIXELS, "labels": labels}
    data = load(saved(tmp_path, **arrays))
    assert data.names == names
    assert data.classes == len(np.unique(labels))
    called = dict(zip([image.tobytes() for image in PIXELS], labels.reshape(-1).tolist(), strict=True))
    for split in (data.train, data.test):
        for image, label in zip(split.arrays["x"], split.arrays["label"], strict=True):
            assert reading.class_name(data, label) == str(called[image.tobytes()])
    assert sum(data.counts) == data.train.size


def test_a_class_in_one_split_alone_is_said(tmp_path):
    labels = np.where(np.arange(60) < 40, 0, 1)
    labels[50] = 2
    arrays = {"x_train": PIXELS[:51], "y_train": labels[:51], "x_test": PIXELS[51:], "y_test": labels[51:]}
    data = load(saved(tmp_path, **arrays))
    assert "no test images of 0, 2" in data.notes
    arrays = {"x_train": PIXELS[:40], "y_train": labels[:40], "x_test": PIXELS[40:], "y_test": labels[40:]}
    assert "no train images of 1, 2" in load(saved(tmp_path, **arrays)).notes


# ---- names of arrays -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arrays", "note"),
    [
        ({"images": PIXELS, "y": THIRDS}, "arrays not used: y (labels would be called labels)"),
        (
            {"train_images": PIXELS, "test_images": PIXELS, "train_label": THIRDS, "test_label": THIRDS},
            "arrays not used: train_label, test_label (labels would be called train_labels and test_labels)",
        ),
        ({"images": PIXELS, "labels": THIRDS, "factors": THIRDS}, "arrays not used: factors"),
        ({"images": PIXELS, "meta": np.array([{}], object)}, None),  # refused as it always was: never unpickled
    ],
)
def test_arrays_that_are_not_used_are_said(tmp_path, arrays, note):
    spec = saved(tmp_path, **arrays)
    if note is None:
        with pytest.raises(UserError, match="meta holds Python objects, which are never loaded"):
            load(spec)
        return
    data = load(spec)
    assert note in data.notes
    assert note in reading.line(data)


def test_arrays_without_names(tmp_path):
    np.savez(tmp_path / "data.npz", PIXELS, THIRDS)
    data = load(f"npz:{tmp_path}/data.npz")
    assert (data.classes, data.train.size, data.notes) == (3, 54, ("a tenth held out",))


@pytest.mark.parametrize("name", ["plain.npy", "plain.npz", "plain"])
def test_a_single_array_under_any_name(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        np.save(file, PIXELS)
    data = load(f"npz:{tmp_path}/{name}")
    assert (data.shape, data.train.size, data.test.size) == ((4, 5, 1), 54, 6)
    assert data.fingerprint == load(saved(tmp_path, "other.npz", images=PIXELS)).fingerprint


def test_channels_first_is_recognised(tmp_path):
    with pytest.raises(UserError, match=r"channels seem to stand first: store images.transpose\(0, 2, 3, 1\)"):
        load(saved(tmp_path, images=np.zeros((9, 3, 16, 16), np.uint8)))
    with pytest.raises(UserError, match=r"of rows with a single 1, store labels.argmax\(1\)"):
        load(saved(tmp_path, images=PIXELS, labels=np.eye(3, dtype=int)[THIRDS]))


# ---- headers that lie ------------------------------------------------------------------------------------------------
def header(shape, dtype="|u1", fortran=False):
    text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def archive(content, compression=zipfile.ZIP_STORED, **changes):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("images.npy", content)
    found = bytearray(buffer.getvalue())
    entry = found.rindex(b"PK\x01\x02")
    for place, value in changes.values():
        found[entry + place : entry + place + 4] = struct.pack("<I", value)
    return bytes(found)


CLAIMS = [
    ("10^12 rows", header((10**12, 28, 28)) + b"x" * 784, "claims 713.* TiB, and 784 bytes are there"),
    ("10^30 rows", header((10**30, 28, 28)) + b"x" * 784, "claims some 10.32 bytes, and 784 bytes are there"),
    ("10^400 rows", header((10**400, 28, 28)) + b"x" * 784, "claims .*, and 784 bytes are there"),
    ("fewer than none", header((-5, 28, 28)) + b"x" * 784, "claims a shape of"),
    ("wide items", header((4, 28, 28), "|S1000000000") + b"x" * 784, "claims .* and 784 bytes are there"),
    ("no shape", header("None") + b"x" * 784, "not a sound"),
    ("objects", header((4,), "|O") + b"x" * 784, "Python objects, which are never loaded"),
    ("a word", header("'abc'") + b"x" * 784, "not a sound"),
    ("deep", header("(" * 5000 + ")" * 5000) + b"x" * 784, "not a sound"),
    ("a later version", b"\x93NUMPY\x09\x00" + b"x" * 784, "not a sound"),
    ("cut", header((4, 28, 28))[:20], "not a sound"),
    ("nothing", b"", "not a sound"),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
@pytest.mark.parametrize("form", ["npy", "stored", "deflated"])
def test_a_header_is_not_believed(tmp_path, content, message, form):
    path = tmp_path / "data.npz"
    if form == "npy":
        path.write_bytes(content)
    else:
        path.write_bytes(archive(content, zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED))
    tracemalloc.start()
    with pytest.raises(UserError, match=message) as caught:
        load(f"npz:{path}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert peak < 8 * 2**20


SIZES = {"compressed": 20, "uncompressed": 24}  # where a zip's directory says them


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": (SIZES["uncompressed"], 2**32 - 2)}, "claims 4.0 GiB in a file of"),
        ({"a": (SIZES["compressed"], 2**32 - 2)}, "claims .* in a file of"),
        ({"a": (8, 0x00080001)}, "is encrypted"),
        ({"a": (8, 0x000E0000)}, "packed by a method"),
    ],
)
def test_a_directory_is_not_believed(tmp_path, changes, message):
    path = tmp_path / "data.npz"
    path.write_bytes(archive(header((60, 4, 5)) + PIXELS.tobytes(), zipfile.ZIP_DEFLATED, **changes))
    with pytest.raises(UserError, match=message):
        load(f"npz:{path}")


def test_what_memory_does_not_hold_is_refused_with_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(npz.memory, "available", lambda: 1000)
    np.savez_compressed(tmp_path / "data.npz", images=PIXELS)
    with pytest.raises(UserError, match=r"take 1.2 KiB of memory, and 1000 bytes are free; save them uncompressed"):
        load(f"npz:{tmp_path}/data.npz")


def test_a_checksum_is_looked_at_in_what_is_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 100)
    spec = saved(tmp_path, images=PIXELS)
    data = bytearray((tmp_path / "data.npz").read_bytes())
    data[400] ^= 1
    (tmp_path / "data.npz").write_bytes(data)
    with pytest.raises(UserError, match="not a sound .npz file .Bad CRC-32"):
        load(spec)


# ---- memory ----------------------------------------------------------------------------------------------------------
FILES = [
    (form, two)
    for form in ("savez", "savez_compressed", "save")
    for two in ((False,) if form == "save" else (False, True))
]


@pytest.mark.parametrize(("form", "two"), FILES)
@pytest.mark.parametrize("how", [How(), How(size=14)])
def test_reading_takes_little_more_than_is_held(tmp_path, monkeypatch, form, two, how):
    monkeypatch.setattr(stored, "BLOCK_BYTES", 2**18)
    count = 4000 if how == How() else 800  # resizing goes image by image
    pixels = np.random.RandomState(0).randint(0, 256, (count, 28, 28)).astype(np.uint8)
    path = tmp_path / "data.npz"
    with path.open("wb") as file:
        if form == "save":
            np.save(file, pixels)
        else:
            getattr(np, form)(file, **({"x_train": pixels, "x_test": pixels[::4]} if two else {"images": pixels}))
    del pixels
    monkeypatch.setattr(stored, "BLOCK_BYTES", 2**16)
    source.from_arrays("warm", {"x": PIXELS[..., None]}, {"x": PIXELS[..., None]}, None)
    tracemalloc.start()
    data = npz.npz(str(path), how)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held >= 0.95 * (data.train.nbytes + data.test.nbytes)
    assert peak <= 1.3 * held + 2**19  # blocks, and numbers of examples


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("two", [False, True])
def test_large_arrays_stay_in_the_file_and_are_the_same_data(tmp_path, monkeypatch, fortran, two):
    pixels = np.asfortranarray(PIXELS) if fortran else PIXELS
    arrays = {"x_train": pixels, "y_train": THIRDS, "x_test": pixels[::-1][:30], "y_test": THIRDS[:30]}
    spec = saved(tmp_path, **(arrays if two else {"images": pixels, "labels": THIRDS}))
    eager = load(spec)
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 100)
    lazy = load(spec)
    assert lazy.train.arrays is None
    assert (lazy.fingerprint, lazy.shape, lazy.classes, lazy.counts) == (
        eager.fingerprint,
        eager.shape,
        eager.classes,
        eager.counts,
    )
    rows = np.array([5, 0, 5])
    for name in ("x", "label"):
        assert np.array_equal(lazy.test.read(rows)[name], eager.test.arrays[name][rows])
    assert load(spec, image_size=3).train.read(rows)["x"].shape == (3, 3, 3, 1)


def test_damage_is_found_in_any_form(tmp_path):
    expected = load(saved(tmp_path, images=PIXELS)).fingerprint
    for form in (np.savez, np.savez_compressed):
        form(tmp_path / "data.npz", images=PIXELS)
        sound = (tmp_path / "data.npz").read_bytes()
        random = np.random.RandomState(0)
        for _ in range(60):
            broken = bytearray(sound)
            broken[random.randint(len(broken))] ^= 1 << random.randint(8)
            (tmp_path / "data.npz").write_bytes(broken)
            with contextlib.suppress(UserError):  # else it was a bit that says nothing: of a date, say
                assert load(f"npz:{tmp_path}/data.npz").fingerprint == expected
