"""Anomaly scores: functions of one example, against independent packages and closed forms, and what they refuse."""

import csv
import itertools
import os
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract_rows import ROWS
from evaluation_subjects import copier, gan, made, subject
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.core.players import adam
from gen_jax.core.types import weights
from gen_jax.data import load, one_class, source
from gen_jax.data.folder import folder as folder_of
from gen_jax.data.images import How
from gen_jax.data.kinds import MIXED
from gen_jax.data.source import joined, subset
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation import anomalies
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.scores import blurred, extremes, named, regret, residuals, table
from gen_jax.runs.scores.score import of_rows

EACH = [
    ("vae", "elbo"),
    ("vae", "regret"),
    ("ali", "f_anogan"),
    ("minibatch_stddev", "logit"),
    *(
        pytest.param(*pair, marks=pytest.mark.science)
        for pair in [("vae", "nll"), ("vae_conv", "reconstruction_probability"), ("ali", "latent_knn"),
                     ("ali", "alad"), ("dcgan", "anogan")]
    ),
]  # fmt: skip


def pictures(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)


def data():
    return source.from_arrays("npz:random", {"x": pictures(60, 0)}, {"x": pictures(24, 1)}, None)


def of_row(name):
    """A row of the contract as it begins."""
    algorithm = next(row for row in ROWS if row.name == name).build(adam)
    state = jax.jit(algorithm.init)(jax.random.key(0))
    return Subject(algorithm, weights(state), data(), Config(data="npz:random"), Options())


@pytest.mark.parametrize(("name", "score"), EACH)
def test_a_score_is_of_one_example(name, score, monkeypatch):
    """Whatever the neighbours, the place and the size of the batch; noise inside it included."""
    monkeypatch.setattr(regret, "STEPS", 3)
    monkeypatch.setattr(residuals, "SEARCH_STEPS", 3)
    one, chosen = of_row(name), named.score(score)
    rank = chosen.make(one)
    rows = np.arange(8)
    found = of_rows(chosen, rank, one.source.test, rows)
    shuffled = np.random.default_rng(2).permutation(rows)
    np.testing.assert_array_equal(of_rows(chosen, rank, one.source.test, shuffled), found[shuffled])
    alone = np.array([np.asarray(rank(one.source.test.read(rows[k : k + 1])))[0] for k in (0, 3)])
    np.testing.assert_allclose(alone, found[[0, 3]], rtol=1e-5, atol=1e-4)
    assert np.ptp(found) > 0


# ---- values ----------------------------------------------------------------------------------------------------------
def test_floors_are_those_of_scikit_learn_and_zlib():
    from scipy.ndimage import gaussian_filter
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    one = subject()
    train, test = (
        source.to_float(source.whole(s)["x"]).reshape(s.size, -1) for s in (one.source.train, one.source.test)
    )
    rows = np.arange(len(test))

    def found(name):
        score = named.score(name)
        return of_rows(score, score.make(one), one.source.test, rows)

    pca = PCA(32, svd_solver="full").fit(train)
    residual = ((pca.inverse_transform(pca.transform(test)) - test) ** 2).sum(axis=1)
    np.testing.assert_allclose(found("pca"), residual, rtol=1e-4)
    distances = NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)[0][:, -1]
    np.testing.assert_allclose(found("knn"), distances, rtol=1e-5)
    blurred = [gaussian_filter(x.reshape(-1, 12, 12), (0, 1, 1)).reshape(len(x), -1) for x in (train, test)]
    distances = NearestNeighbors(n_neighbors=5).fit(blurred[0]).kneighbors(blurred[1])[0][:, -1]
    np.testing.assert_allclose(found("blurred_knn"), distances, rtol=1e-4)
    residual = (pca.inverse_transform(pca.transform(test)) - test).reshape(-1, 12, 12)
    blurred = (gaussian_filter(residual, (0, 1, 1)) ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(found("blurred_pca"), blurred, rtol=1e-4)
    sizes = [-8 * len(zlib.compress(x.tobytes(), 9)) for x in source.whole(one.source.test)["x"]]
    np.testing.assert_array_equal(found("zlib"), sizes)


@pytest.mark.parametrize("count", [1, 7, 20, 60])
def test_components_of_fewer_examples_than_dimensions(count):
    """As many as the examples vary in, at most 32 of them; what is left of others depends on nothing else."""
    from sklearn.decomposition import PCA

    data = source.from_arrays("npz:random", {"x": pictures(count, 0)}, {"x": pictures(24, 1)}, None)
    one, chosen = subject(gan(), data), named.score("pca")
    found = of_rows(chosen, chosen.make(one), data.test, np.arange(24))
    train, test = (source.to_float(source.whole(s)["x"]).reshape(s.size, -1) for s in (data.train, data.test))
    expected = ((test - train.mean(axis=0)) ** 2).sum(axis=1)
    if count > 1:
        pca = PCA(min(32, count - 1), svd_solver="full").fit(train)
        expected = ((pca.inverse_transform(pca.transform(test)) - test) ** 2).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_blurred_residual_forgives_what_single_pixels_do():
    """A reconstruction that misses by +1 in four pixels: side by side they are seen, far apart they are not."""
    from scipy.ndimage import gaussian_filter

    missed = np.zeros((2, 8, 8, 1), np.float32)
    missed[0, 3:5, 3:5], missed[1, 1::5, 1::5] = 1.0, 1.0
    x = np.zeros((2, 8, 8, 1), np.float32)

    def decode(view, latents, given=None):
        return latents.reshape(-1, 8, 8, 1)

    def encode(view, batch):
        return {"mean": (batch["x"] + batch["missed"]).reshape(len(batch["x"]), -1)}

    each = {"x": x, "missed": missed}
    one = subject(gan()._replace(encode=encode, decode=decode), source.from_arrays("npz:random", each, each, None))
    plain, blurred = (
        of_rows(named.score(name), named.score(name).make(one), one.source.test, np.arange(2))
        for name in ("reconstruction", "blurred_reconstruction")
    )
    assert plain[0] == plain[1] == 4.0
    smooth = gaussian_filter(missed[..., 0], (0, 1, 1))
    np.testing.assert_allclose(blurred, (smooth**2).sum(axis=(1, 2)), rtol=1e-5)
    assert blurred[0] > 2 * blurred[1]


@pytest.mark.parametrize("shape", [(7, 7, 1), (5, 9, 3), (2, 3, 1)])
def test_the_blur_is_scipy_s_of_each_image_and_channel(shape):
    """By NumPy and by JAX, and of an image whatever stands beside it."""
    from scipy.ndimage import gaussian_filter

    images = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    expected = gaussian_filter(images, (0, 1, 1, 0))
    np.testing.assert_allclose(blurred.blur(images), expected, atol=1e-5)
    np.testing.assert_allclose(blurred.blur(images, jnp.einsum), expected, atol=1e-5)
    np.testing.assert_array_equal(blurred.blur(images[2:3])[0], blurred.blur(images)[2])


def test_scores_of_blurred_images_are_of_images():
    rows = {"x": np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)}
    one = subject(gan()._replace(encode=None), source.from_arrays("a table", rows, rows, None))
    for name, instead in (("blurred_knn", "use knn"), ("blurred_pca", "use pca"),
                          ("blurred_reconstruction", "use reconstruction"),
                          ("blurred_residual_knn", "use residual_knn")):  # fmt: skip
        with pytest.raises(UserError, match=f"{name}.*{instead}"):
            named.score(name).check(one)


def test_regret_is_what_the_encoder_leaves_on_the_table():
    """-|m - a(x)|^2 / 2 - sum(e^v - v - 1) / 2 is largest, 0, at m = a, v = 0; at m = v = 0 it is -|a|^2 / 2."""

    def aim(batch):
        return batch["x"].reshape(len(batch["x"]), -1)[:, :2]

    def under(view, batch, q, key, samples):
        spread = (jnp.exp(q["log_variance"]) - q["log_variance"] - 1.0).sum(axis=-1)
        return -0.5 * ((q["mean"] - aim(batch)) ** 2).sum(axis=-1) - 0.5 * spread

    def encode(view, batch):
        return {"mean": jnp.zeros((len(batch["x"]), 2)), "log_variance": jnp.zeros((len(batch["x"]), 2))}

    one = subject(gan()._replace(elbo_under=under, encode=encode))
    chosen = named.score("regret")
    found = of_rows(chosen, chosen.make(one), one.source.test, np.arange(20))
    aims = source.to_float(source.whole(one.source.test)["x"][:20]).reshape(20, -1)[:, :2]
    np.testing.assert_allclose(found, 0.5 * (aims**2).sum(axis=1), atol=5e-3)


def test_the_ratio_is_the_difference_of_two_elbos(monkeypatch):
    from pathlib import Path

    from gen_jax.runs.opened import Opened
    from gen_jax.runs.scores import other as second

    one, other = of_row("vae"), of_row("vae")
    monkeypatch.setattr(second, "weights", lambda state: state)
    twice = jax.tree.map(lambda leaf: 2 * leaf, other.weights)
    one.options = one.options._replace(background=Path("there"))
    one.memory["other run"] = Opened(Path("there"), one.config, one.source, one.algorithm, twice, 3)  # pyright: ignore
    rows, elbo, chosen = np.arange(6), named.score("elbo"), named.score("ratio")
    chosen.check(one)
    found = of_rows(chosen, chosen.make(one), one.source.test, rows)
    own, theirs = (of_rows(elbo, elbo.make(each), one.source.test, rows) for each in (one, other.at(twice)))
    np.testing.assert_allclose(found, own - theirs, rtol=1e-5)
    before = chosen.stamp(one)  # of a background that was trained anew, in the same folder and as long, it is another
    one.memory["other run"] = one.memory["other run"]._replace(state=other.weights)
    assert chosen.stamp(one) != before


def test_a_run_is_no_background_of_itself(tmp_path):
    from gen_jax.runs.opened import Opened

    one = of_row("vae")
    one.run_dir, one.options = tmp_path / "run", one.options._replace(background=tmp_path / "x" / ".." / "run")
    one.memory["other run"] = Opened(one.options.background, one.config, one.source, one.algorithm, None, 3)  # pyright: ignore
    with pytest.raises(UserError, match="the run itself"):
        named.score("ratio").check(one)


# ---- one class -------------------------------------------------------------------------------------------------------
def test_one_class_is_normal_and_the_others_are_kept_apart():
    base = made(classes=3)
    found = one_class.one_class(base, "1")
    assert set(source.whole(found.train)["label"]) == set(source.whole(found.test)["label"]) == {1}
    strange = found.split("strange")
    assert set(source.whole(strange)["label"]) == {0}
    assert found.test.size + strange.size == base.test.size
    assert found.fingerprint not in (base.fingerprint, one_class.one_class(base, "0").fingerprint)
    assert found.counts == (0, 100, 0)
    planted = dict(source.whole(base.test))
    planted["x"] = np.where((planted["label"] == 1)[:, None, None, None], planted["x"], 0)
    other = one_class.one_class(source.from_arrays("npz:made", source.whole(base.train), planted, 3), "1")
    np.testing.assert_array_equal(source.whole(other.train)["x"], source.whole(found.train)["x"])
    np.testing.assert_array_equal(source.whole(other.test)["x"], source.whole(found.test)["x"])


def test_the_settings_choose_it_and_another_data_set_has_all_of_its_classes(monkeypatch):
    monkeypatch.setitem(load.PLAIN, "digits", lambda: made(classes=3))
    config = Config(data="digits", normal_class="0")
    assert load.of(config).counts == (100, 0, 0)
    assert load.other(config, "digits").counts == made(classes=3).counts


@pytest.mark.parametrize(
    ("changes", "own"), [({"normal_class": "0"}, True), ({"labels_per_class": 2}, True), ({"normal_class": "1"}, False)]
)
def test_the_data_of_which_a_run_sees_a_part_are_its_own(monkeypatch, changes, own):
    monkeypatch.setitem(load.PLAIN, "digits", lambda: made())
    learnt = load.of(Config(data="digits", **({"normal_class": "0"} if not own else changes)))
    one = subject(gan(), learnt, against="digits")
    one.config = Config(data="digits", **changes)
    if own:
        with pytest.raises(UserError, match="the run's own data"):
            anomalies.sides(one, "auroc")
    else:
        assert set(anomalies.sides(one, "auroc")) == {"normal", "strange"}


@pytest.mark.parametrize(
    ("base", "text", "words"),
    [
        (made(classes=None), "0", ["--normal-class 0", "no labels"]),
        (made(), "2", ["--normal-class 2", "classes 0 to 1"]),
        (made(), "owl", ["--normal-class owl", "classes 0 to 1"]),
        (made(classes=3), "2", ["no train examples"]),
    ],
)
def test_a_class_that_is_not_there_is_refused(base, text, words):
    with pytest.raises(UserError) as caught:
        one_class.one_class(base, text)
    assert all(word in str(caught.value) for word in words)


# ---- tables and mistakes ---------------------------------------------------------------------------------------------
def test_a_table_has_one_row_an_example(tmp_path):
    one = subject()
    found = table.measure(one, ["knn", "zlib"], None, "test", 30)
    table.write(tmp_path / "scores.csv", found)
    with (tmp_path / "scores.csv").open() as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["example", "class", "knn", "zlib"]
    assert len(lines) == 31
    assert [int(line[0]) for line in lines[1:]] == found.rows.tolist()
    np.testing.assert_allclose([float(line[2]) for line in lines[1:]], found.scores["knn"], rtol=1e-8)


def test_all_are_the_train_and_the_test_examples(tmp_path):
    one = subject()
    found = {split: table.measure(one, ["zlib"], None, split, None) for split in ("train", "test", "all")}
    both = np.concatenate([found["train"].scores["zlib"], found["test"].scores["zlib"]])
    np.testing.assert_array_equal(found["all"].scores["zlib"], both)
    assert found["all"].labels == [*found["train"].labels, *found["test"].labels]
    table.write(tmp_path / "scores.csv", found["all"])
    with (tmp_path / "scores.csv").open() as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["split", "example", "class", "zlib"]
    assert [line[:2] for line in lines[1:]] == [
        [split, str(row)] for split in ("train", "test") for row in range(one.source.split(split).size)
    ]


@pytest.mark.parametrize(("split", "count"), [("test", None), ("all", None), ("all", 7)])
def test_the_picture_s_rows_are_the_examples_of_the_highest_and_of_the_lowest_scores(split, count):
    one = subject()
    found = table.measure(one, ["zlib", "knn"], None, split, count)
    images, names = extremes.of(found)
    shown = 12 if count is None else 3
    assert images.shape == (4, shown, *one.source.shape)
    assert [name.splitlines()[0] for name in names] == ["zlib:", "zlib:", "knn:", "knn:"]
    whole = [one.source.split(name).read(np.arange(one.source.split(name).size))["x"] for name in ("train", "test")]
    pool = source.to_float(np.concatenate(whole) if split == "all" else whole[1])
    knn = found.scores["knn"]
    strangest, least = pool[found.places[knn == knn.max()]], pool[found.places[knn == knn.min()]]
    assert knn.max() > knn.min()
    assert any(np.array_equal(images[2, 0], x) for x in strangest)
    assert any(np.array_equal(images[3, 0], x) for x in least)


def test_a_row_says_which_file_it_is_of(tmp_path):
    """Of a folder in classes, of which one alone is normal: files follow their pictures through every choice."""
    for number, (split, owner) in enumerate(itertools.product(("train", "test"), ("good", "bad", "good"))):
        folder = tmp_path / "parts" / split / owner
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 40 * number + 20, np.uint8)).save(folder / f"{number}.png")
    data = one_class.one_class(folder_of(str(tmp_path / "parts"), How(levels=256)), "good")
    few = subset(joined(data.train, data.test), np.array([3, 0]))
    assert [int(x.flat[0]) for x in few.read(np.arange(2))["x"]] == [220, 20]
    names = [os.path.join("test", "good", "5.png"), os.path.join("train", "good", "0.png")]
    assert list(few.files or ()) == names
    places = np.array([3, 0])
    scored = table.Scored(data.name, data.test, places, places, {"knn": np.array([1.0, 2.0])}, None, files=names)
    table.write(tmp_path / "scores.csv", scored)
    with (tmp_path / "scores.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["example", "file", "knn"],
            ["3", names[0], "1"],
            ["0", names[1], "2"],
        ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: table.requested("elbow"), ["no anomaly score 'elbow'", "did you mean elbo"]),
        (lambda: table.requested(" , "), ["names no score"]),
        (lambda: table.measure(subject(), ["elbo"], None, "test", None), ["elbo needs", "logits"]),
        (lambda: table.measure(subject(), ["regret"], None, "test", None), ["regret", "`elbo_under`"]),
        (lambda: table.measure(of_row("dcgan"), ["f_anogan"], None, "test", None), ["no encoder", "anogan"]),
        (lambda: table.measure(of_row("vae"), ["ratio"], None, "test", None), ["--background RUN"]),
        (lambda: table.measure(of_row("vae"), ["alad"], None, "test", None), ["`features`"]),
        (lambda: table.measure(subject(), ["knn"], None, "test", 500), ["--count 500", "1 to 120"]),
        (lambda: table.measure(subject(), ["knn"], None, "strange", None), ["'strange'", "train, test"]),
        (lambda: table.measure(subject(), ["knn"], "digits", "test", None), ["(8, 8, 1)", "(12, 12, 1)"]),
        (lambda: named.score("zlib").check(subject(copier(made()), toy())), ["zlib"]),
        (lambda: table.measure(rows(gap="train"), ["knn"], None, "test", None), ["knn", "1 of 30", "rows", "miss"]),
        (lambda: table.measure(rows(gap="train"), ["pca"], None, "test", None), ["pca", "1 of 30", "rows", "miss"]),
        (lambda: table.measure(rows(gap="test"), ["knn"], None, "test", None), ["1 of 30", "missing values"]),
        (lambda: table.measure(rows(kind=MIXED), ["knn"], None, "test", None), ["knn", "categories", "use model"]),
        (lambda: table.measure(rows(kind=MIXED), ["pca"], None, "test", None), ["pca", "categories", "use model"]),
        (lambda: named.score("reconstruction").check(rows(kind=MIXED)), ["reconstruction", "categories", "use model"]),
    ],
)
def test_a_mistake_is_one_line(call, words):
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def rows(gap=None, kind=None):
    """A table of four columns; `gap`: the split of which one row misses a value."""
    parts = {
        name: np.random.default_rng(seed).normal(size=(30, 4)).astype(np.float32)
        for seed, name in enumerate(("train", "test"))
    }
    if gap is not None:
        parts[gap][7, 2] = np.nan
    return subject(gan(), source.from_arrays("rows", {"x": parts["train"]}, {"x": parts["test"]}, None, kind=kind))


def toy():
    from gen_jax.data.toy import ring8

    return ring8()
