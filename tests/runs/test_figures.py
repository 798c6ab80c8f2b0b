"""Pictures show what they were given, pixel by pixel where that can be said."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from gen_jax.data.kinds import IMAGES, POINTS, canvas, images
from gen_jax.data.kinds.points import scatter
from gen_jax.runs import figures


def read(path):
    return np.asarray(Image.open(path))


def test_levels():
    assert images.to_uint8(np.array([-1.0, 0.0, 1.0, 2.0, -9.0, np.nan, np.inf])).tolist() == [
        0,
        128,
        255,
        255,
        0,
        0,
        255,
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_puts_each_image_where_it_belongs(channels):
    pixels = np.random.default_rng(0).uniform(-1, 1, (5, 4, 6, channels)).astype(np.float32)
    picture = images.grid(pixels, 3, padding=2)
    assert picture.shape == (2 * 6 + 2, 3 * 8 + 2, channels)
    assert picture.dtype == np.uint8
    for number in range(5):
        top, left = 2 + 6 * (number // 3), 2 + 8 * (number % 3)
        np.testing.assert_array_equal(picture[top : top + 4, left : left + 6], images.to_uint8(pixels[number]))
    assert (picture[8:12, 18:24] == 128).all()  # the sixth place is empty
    assert (picture[:2] == 128).all()
    assert (picture[:, :2] == 128).all()


def test_pairs_are_inputs_over_outputs():
    inputs, outputs = np.full((3, 4, 4, 1), 1.0), np.full((3, 4, 4, 1), -1.0)
    picture = images.pairs(inputs, outputs, columns=2)
    column = picture[:, images.PADDING, 0]
    runs = [int(level) for level, before in zip(column, [None, *column], strict=False) if level != before]
    assert runs == [128, 255, 128, 0, 128, 255, 128, 0, 128]


@pytest.mark.parametrize(("shape", "scale"), [((30, 20, 1), 18), ((600, 300, 3), 1), ((100, 10), 5)])
def test_small_pictures_are_enlarged_without_smoothing(tmp_path, shape, scale):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = read(figures.save_png(tmp_path / "deep" / "x.png", picture))
    expected = np.kron(picture.squeeze(), np.ones((scale, scale, 1)[: picture.squeeze().ndim], np.uint8))
    np.testing.assert_array_equal(found, expected)
    assert read(figures.save_png(tmp_path / "y.png", picture, scale=2)).shape[0] == 2 * shape[0]


def test_scatter_is_the_picture_it_returns_and_shows_points():
    points = np.random.default_rng(0).normal(size=(500, 2))
    picture, file = scatter(points, points + 0.1)
    np.testing.assert_array_equal(picture, read(io.BytesIO(file))[..., :3])
    empty = scatter(points[:0], points + 0.1).pixels
    reddish = lambda image: ((image[..., 0] > 180) & (image[..., 2] < 150)).sum()  # noqa: E731
    assert reddish(picture) > 10 * max(reddish(empty), 1)
    scatter(points)
    scatter(np.full((3, 2), np.nan))
    scatter(np.full((3, 2), np.nan), points)  # a collapsed or broken model still has a picture


def test_rows_have_their_names():
    assert read(io.BytesIO(images.labelled_rows(np.zeros((3, 5, 8, 8, 1)), ["z0", "z1", "z2"]).png)).ndim == 3


@pytest.mark.parametrize(("kind", "shape"), [(IMAGES, (8, 8, 1)), (IMAGES, (6, 9, 3)), (POINTS, (2,)), (POINTS, (1,))])
def test_every_kind_draws_what_is_asked_of_it(kind, shape):
    x = np.random.default_rng(0).uniform(-1, 1, (6, *shape)).astype(np.float32)
    drawn = (
        kind.picture(x, x, None),
        kind.picture(x, x, 3),
        kind.pairs(x, x),
        kind.rows(x.reshape(2, 3, *shape), "ab"),
    )
    for pixels, file in drawn:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert read(io.BytesIO(file)).size
    assert kind.samples > 0
    assert kind.name in kind.describe(shape)
    assert kind.signs is None or kind.signs(x).shape[0] == len(x)


def test_features_of_a_kind_where_nobody_chooses():
    chosen = [IMAGES.features(shape, classes) for shape, classes in (((28, 28, 1), 10), ((28, 28, 1), None))]
    assert [*chosen, IMAGES.features((128, 128, 3), None), POINTS.features((2,), 8)] == [
        "lenet", "pixels", "pca", "points",
    ]  # fmt: skip


def test_curves_are_valid_svg_and_the_same_every_time():
    steps = np.arange(0, 6000, 20)
    values = np.sin(steps / 500) + 0.1 * np.random.default_rng(0).normal(size=300)
    values[100:110] = np.nan
    metrics = {"critic/loss": (steps, values), "generator/loss": (steps, values + 1), "elbo": ([10], [3.0])}
    text = figures.curves(metrics, ["critic/loss", "generator/loss"], "losses")
    assert text == figures.curves(metrics, ["critic/loss", "generator/loss"], "losses")
    words = "".join(ElementTree.fromstring(text).itertext())
    for word in ("losses", "step", "critic/loss", "generator/loss", "4k"):
        assert word in words
    assert "elbo" in figures.curves(metrics, ["elbo"], "elbo")
    figures.curves({"nothing": ([1, 2], [np.nan, np.nan])}, ["nothing"])


def test_smoothing_is_a_running_mean_that_ignores_gaps():
    values = np.arange(300.0)
    values[150] = np.nan
    found = figures.smoothed(values)
    assert found[100] == pytest.approx(100.0)
    assert np.isnan(found[150])  # a gap stays a gap, and its neighbours are not spoilt
    assert found[149] == pytest.approx(np.nanmean(values[144:155]))
    assert found[0] == pytest.approx(np.mean(values[:6]))
    assert figures.smoothed(values[:20]) is not None
    np.testing.assert_array_equal(figures.smoothed(values[:20]), values[:20])


def test_no_global_figures_are_kept():
    from matplotlib import pyplot

    figures.curves({"a": ([1, 2], [1.0, 2.0])}, ["a"])
    assert pyplot.get_fignums() == []
    assert canvas.png(np.zeros((4, 4, 3), np.uint8)) == canvas.png(np.zeros((4, 4, 3), np.uint8))
    assert Image.open(io.BytesIO(canvas.png(np.zeros((4, 4, 3), np.uint8), 1))).size == (4, 4)


def band(half, count=20):
    steps = np.arange(count)
    mean = np.linspace(0.0, 1.0, count)
    return steps, mean, mean - half, mean + half


def test_a_band_that_would_fill_the_picture_is_drawn_as_its_edges():
    narrow = figures.bands({"a": band(0.1), "b": band(0.2)}, "loss", "nats")
    broad = figures.bands({"a": band(0.1), "b": band(5.0)}, "loss", "nats")
    assert "nats" in "".join(ElementTree.fromstring(narrow).itertext())
    assert [svg.count("FillBetween") for svg in (narrow, broad)] == [2, 1]
    assert figures.bands({"one seed": (*band(0)[:2], *np.full((2, 20), np.nan))}).count("FillBetween") == 1


@pytest.mark.parametrize(("value", "ends"), [(0.0, (-0.04, 1.0)), (16.0, (-1.28, 32.0)), (-2.0, (-4.16, 0.0))])
def test_what_never_changes_is_shown_by_how_far_it_is_from_0(value, ends, monkeypatch):
    seen, steps = [], np.arange(30)
    monkeypatch.setattr(figures.canvas, "render", lambda figure, *_: seen.append(figure.axes[0].get_ylim()) or b"")
    figures.curves({"a": (steps, np.full(30, value))}, ["a"])
    figures.bands({"a": (steps, *[np.full(30, value)] * 3)})
    np.testing.assert_allclose(seen, [ends, ends])


def test_probabilities_are_at_the_heights_of_their_logits():
    metrics = {"logits/real": (np.arange(50), np.linspace(-4, 4, 50))}
    text = figures.curves(metrics, ["logits/real"], axis=figures.Axis("logit", True))
    words = "".join(ElementTree.fromstring(text).itertext())
    assert all(word in words for word in ("logit", "probability", "0.1", "0.5", "0.9"))
    assert "probability" not in figures.curves(metrics, ["logits/real"], axis=figures.Axis("logit"))


def test_codes_of_named_classes_have_a_legend(tmp_path, monkeypatch):
    points = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % 3
    said = []
    render = canvas.render
    monkeypatch.setattr(
        canvas,
        "render",
        lambda figure, *a, **k: (
            said.extend(t.get_text() for g in figure.legends for t in g.texts) or render(figure, *a, **k)
        ),
    )
    figures.classes(tmp_path / "a.png", points, labels, ("z0", "z1"))
    assert said == []
    figures.classes(tmp_path / "b.png", points, labels, ("z0", "z1"), ["cat", "dog", "\x1b[2Jcow"])
    assert said == ["0  cat", "1  dog", "2  \\x1b[2Jcow"]


@pytest.mark.parametrize(
    "places", [[(0, 0), (0, 0)], [(0, 0), (0.1, 0), (0, 0.1)], [(0, 0)] * 5, [(0, 0), (0.2, 0.1), (5, 5)], [(1, 2)]]
)
def test_numbers_of_classes_do_not_lie_on_one_another(places):
    places = np.array(places, float)
    moved = figures.apart(places, 1.0)
    each = [np.hypot(*(a - b)) for i, a in enumerate(moved) for b in moved[:i]]
    assert min(each, default=1.0) > 0.99
    assert np.abs(moved.mean(axis=0) - places.mean(axis=0)).max() < 1e-3  # pushed alike
    far = np.array([(0.0, 0.0), (3.0, 0.0)])
    assert np.array_equal(figures.apart(far, 1.0), far)
