"""TFDS data sets: small synthetic ones written record by record, and the real Fashion-MNIST where its files are given.

GEN_JAX_FASHION_MNIST names a folder with the four original .gz files; preparing them also needs tensorflow-cpu.
"""

import gzip
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prepared_data import examples, write

from gen_jax.core.errors import UserError
from gen_jax.data import load, prepare, prepared, source, tfds
from gen_jax.data.images import How

library = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")


def test_reads_what_was_written(tmp_path):
    train, test = examples(12), examples(5, seed=1)
    write(tmp_path, {"train": train, "test": test})
    data = load.load("tfds:tiny", data_dir=str(tmp_path))
    assert (data.name, data.shape, data.classes) == ("tfds:tiny", (6, 5, 3), 4)
    for split, (pictures, labels) in ((data.train, train), (data.test, test)):
        assert np.array_equal(split.arrays["x"], pictures)
        assert np.array_equal(split.arrays["label"], labels)
        assert split.arrays["label"].dtype == np.int32
    grey = load.load("tfds:tiny", data_dir=str(tmp_path), image_size=4, channels=1)
    assert grey.shape == (4, 4, 1)
    expected = Image.fromarray(train[0][0]).convert("L").crop((0, 0, 5, 5)).resize((4, 4), Image.Resampling.BICUBIC)
    assert np.array_equal(grey.train.arrays["x"][0, ..., 0], np.array(expected))
    assert grey.fingerprint != data.fingerprint


def test_large_ones_are_read_lazily(tmp_path, monkeypatch):
    pictures, labels = examples(12)
    write(tmp_path, {"train": (pictures, labels), "test": examples(3)})
    eager = tfds.tfds("tiny", str(tmp_path))
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 100)
    data = tfds.tfds("tiny", str(tmp_path))
    assert data.train.arrays is None
    assert data.train.nbytes == eager.train.nbytes
    batch = data.train.read(np.array([7, 0, 7]))
    assert np.array_equal(batch["x"], pictures[[7, 0, 7]])
    assert np.array_equal(batch["label"], labels[[7, 0, 7]])
    assert data.fingerprint == eager.fingerprint


def test_without_a_test_split_a_tenth_is_held_out(tmp_path, monkeypatch):
    pictures, _ = examples(40)
    write(tmp_path, {"train": (pictures, None)})
    data = tfds.tfds("tiny", str(tmp_path))
    assert (data.train.size, data.test.size, data.classes) == (36, 4, None)
    assert set(data.train.arrays) == {"x"}
    parts = np.concatenate([data.train.arrays["x"], data.test.arrays["x"]])
    assert {i.tobytes() for i in parts} == {i.tobytes() for i in pictures}
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 1)
    lazy = tfds.tfds("tiny", str(tmp_path))
    assert np.array_equal(source.whole(lazy.test)["x"], data.test.arrays["x"])


def test_an_unlabelled_test_split_gives_way_to_validation(tmp_path):
    pictures, _ = examples(3)
    write(tmp_path, {"train": examples(9), "validation": examples(4, seed=2), "test": (pictures, np.full(3, -1))})
    data = tfds.tfds("tiny", str(tmp_path))
    assert np.array_equal(data.test.arrays["x"], examples(4, seed=2)[0])


def test_fingerprint_follows_the_records(tmp_path):
    train, test = examples(12), examples(5)
    for root in ("a", "b"):
        write(tmp_path / root, {"train": train, "test": test})
    changed = train[0].copy()
    changed[3, 0, 0, 0] ^= 1
    write(tmp_path / "c", {"train": (changed, train[1]), "test": test})
    a, b, c = (tfds.tfds("tiny", str(tmp_path / root)).fingerprint for root in "abc")
    assert a == b != c
    assert len(a) == 64


def test_large_records_are_sampled_for_the_fingerprint(tmp_path, monkeypatch):
    folder = write(tmp_path, {"train": examples(12), "test": examples(5)})
    monkeypatch.setattr(prepared, "FULL_DIGEST_BYTES", 10)
    before = prepared.fingerprint(folder)
    assert before == prepared.fingerprint(folder)
    record = next(folder.glob("*train.array_record*"))
    record.write_bytes(record.read_bytes() + b"x")
    assert prepared.fingerprint(folder) != before


def test_versions_and_configurations(tmp_path):
    for version, count in (("1.0.0", 3), ("1.10.0", 5), ("1.9.0", 4)):
        write(tmp_path, {"train": examples(count), "test": examples(2)}, version=version)
    assert tfds.tfds("tiny", str(tmp_path)).train.size == 5  # 1.10.0 is newer than 1.9.0
    assert tfds.tfds("tiny:1.9.0", str(tmp_path)).train.size == 4
    with pytest.raises(UserError, match=r"no version 2.0.0 in .*; prepared are 1.0.0, 1.9.0, 1.10.0"):
        tfds.tfds("tiny:2.0.0", str(tmp_path))
    write(tmp_path, {"train": examples(6), "test": examples(2)}, name="shapes/round")
    assert tfds.tfds("shapes", str(tmp_path)).train.size == 6
    write(tmp_path, {"train": examples(7), "test": examples(2)}, name="shapes/square")
    assert tfds.tfds("shapes/square:1.0.0", str(tmp_path)).train.size == 7
    with pytest.raises(UserError, match="choose one of tfds:shapes/round, tfds:shapes/square"):
        tfds.tfds("shapes", str(tmp_path))


def test_images_of_several_sizes_need_a_size(tmp_path):
    pictures = [examples(1, (4, 6, 3))[0][0], examples(1, (8, 5, 3))[0][0]]
    write(tmp_path, {"train": (pictures, [0, 1]), "test": (pictures, [0, 1])}, shape=(None, None, 3))
    with pytest.raises(UserError, match="several sizes; choose one with --image-size"):
        tfds.tfds("tiny", str(tmp_path))
    assert tfds.tfds("tiny", str(tmp_path), How(4)).train.arrays["x"].shape == (2, 4, 4, 3)


def test_unusable_features(tmp_path):
    kinds = library.features
    split = {"train": examples(2), "test": examples(2)}
    two = kinds.FeaturesDict({"left": kinds.Image(shape=(6, 5, 3)), "right": kinds.Image(shape=(6, 5, 3))})
    write(tmp_path, split, name="two", features=two)
    with pytest.raises(UserError, match="several images .left, right. and none is called 'image'"):
        tfds.tfds("two", str(tmp_path))
    write(tmp_path, split, name="none", features=kinds.FeaturesDict({"label": kinds.ClassLabel(num_classes=4)}))
    with pytest.raises(UserError, match="no image feature; its features are label"):
        tfds.tfds("none", str(tmp_path))
    deep = kinds.FeaturesDict({"image": kinds.Image(shape=(6, 5, 3), dtype=np.uint16)})
    write(tmp_path, split, name="deep", features=deep)
    with pytest.raises(UserError, match="its images are .*uint16.*, not uint8"):
        tfds.tfds("deep", str(tmp_path))
    write(tmp_path, {"test": examples(2)}, name="trainless")
    with pytest.raises(UserError, match="no split called train, only test"):
        tfds.tfds("trainless", str(tmp_path))


def test_unknown_unprepared_and_other_formats(tmp_path):
    with pytest.raises(UserError, match="no data set named 'fashion_mnits'; did you mean fashion_mnist"):
        load.load("tfds:fashion_mnits", data_dir=str(tmp_path))
    expected = f"python -m gen_jax prepare fashion_mnist --data-dir {tmp_path}"
    with pytest.raises(UserError, match="fashion_mnist is not prepared in .*; prepare it with: ") as caught:
        load.load("tfds:fashion_mnist", data_dir=str(tmp_path))
    assert str(caught.value).endswith(expected)
    write(tmp_path, {"train": examples(2), "test": examples(2)}, file_format="tfrecord")
    with pytest.raises(UserError, match="prepared as tfrecord, not array_record"):
        tfds.tfds("tiny", str(tmp_path))


def test_prepare_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no data set named 'mnits'; did you mean"):
        prepare.prepare("mnits", str(tmp_path))
    with pytest.raises(UserError, match="--manual-dir /nowhere is not a folder"):
        prepare.prepare("mnist", str(tmp_path), "/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package tensorflow.*pip install tensorflow-cpu"):
        prepare.prepare("mnist", str(tmp_path))


needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="preparing needs tensorflow-cpu, which is not installed"
)


@needs_tensorflow
def test_prepare_leaves_other_formats_alone(tmp_path):
    folder = write(tmp_path, {"train": examples(2)}, name="mnist", version="3.0.1", file_format="tfrecord")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"holds it in another format; prepare it elsewhere with: .*/array_record$"):
        prepare.prepare("mnist", str(tmp_path))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@needs_tensorflow
def test_prepare_asks_for_files_that_must_be_fetched_by_hand(tmp_path):
    with pytest.raises(UserError, match="imagenet2012 must be downloaded by hand: put its files in a folder") as caught:
        prepare.prepare("imagenet2012", str(tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="TensorFlow Datasets has no mnist/nope"):
        prepare.prepare("mnist/nope", str(tmp_path))


def idx(path: Path) -> np.ndarray:
    """The arrays of the original files: a big-endian header, then bytes."""
    data = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


@pytest.fixture(scope="module")
def fashion_mnist(tmp_path_factory):
    """(original files, folder with the data set prepared). GEN_JAX_DATA_DIR may name one prepared before."""
    manual = os.environ.get("GEN_JAX_FASHION_MNIST")
    if not manual:
        pytest.skip("GEN_JAX_FASHION_MNIST, the folder of the original files, is not set")
    ready = os.environ.get("GEN_JAX_DATA_DIR")
    if ready:
        return Path(manual), ready
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip(
            "preparing needs tensorflow-cpu, which is not installed; GEN_JAX_DATA_DIR may name a prepared folder"
        )
    root = str(tmp_path_factory.mktemp("tfds"))
    folder = prepare.prepare("fashion_mnist", root, manual)
    assert folder == Path(root) / "fashion_mnist" / folder.name
    assert prepare.prepare("fashion_mnist", root, manual) == folder  # already there: nothing to do
    return Path(manual), root


def test_all_of_fashion_mnist(fashion_mnist):
    """Every image of the original files is there, with its label, in its split (TFDS shuffles them)."""
    manual, root = fashion_mnist
    data = load.load("tfds:fashion_mnist", data_dir=root)
    assert (data.shape, data.classes, data.train.size, data.test.size) == ((28, 28, 1), 10, 60_000, 10_000)
    for split, prefix in ((data.train, "train"), (data.test, "t10k")):
        original = zip(
            idx(manual / f"{prefix}-images-idx3-ubyte.gz"), idx(manual / f"{prefix}-labels-idx1-ubyte.gz"), strict=True
        )
        read = zip(split.arrays["x"], split.arrays["label"], strict=True)
        assert sorted((i.tobytes(), int(k)) for i, k in read) == sorted((i.tobytes(), int(k)) for i, k in original)


def test_files_of_one_name_are_unpacked_apart(tmp_path):
    """TFDS keeps what it unpacked by the file's name: train-images of MNIST would become those of Fashion-MNIST."""
    with prepare._own_extraction(tmp_path / "root", "/files") as first:
        (Path(first) / "GZIP.train-images-idx3-ubyte.gz").write_text("mnist")
        with prepare._own_extraction(tmp_path / "root", "/others") as second:
            assert second != first
            assert not list(Path(second).iterdir())
    assert not list((tmp_path / "root").iterdir())
    with prepare._own_extraction(tmp_path, None) as where:
        assert where is None
