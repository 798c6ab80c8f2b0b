"""The latent scatter: principal components against scikit-learn's, and pictures that hold what they should."""

import numpy as np
from PIL import Image

from gen_jax.runs import figures
from gen_jax.verbs.latents import principal


def test_principal_components_are_scikit_learns():
    from sklearn.decomposition import PCA

    codes = np.random.default_rng(0).normal(size=(200, 5)) * [5.0, 3.0, 1.0, 0.5, 0.1] + 7.0
    plane, share = principal(codes)
    reference = PCA(2).fit(codes)
    np.testing.assert_allclose(np.abs(plane), np.abs(reference.transform(codes)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(share, reference.explained_variance_ratio_, rtol=1e-9)


def test_one_dimension_is_drawn_on_a_line():
    plane, share = principal(np.arange(6.0)[:, None])
    assert (plane[:, 1] == 0).all()
    assert share[1] == 0


def test_every_class_has_its_colour(tmp_path):
    """Three classes far apart: in the picture, each corner holds a colour of its own."""
    points = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], 30, axis=0)
    path = figures.classes(tmp_path / "a.png", points, np.repeat([0, 1, 2], 30), ("a", "b"))
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)
    vivid = pixels[(pixels.max(1) - pixels.min(1)) > 80]
    hues = {tuple(np.argsort(-colour)[:1]) for colour in vivid}
    assert len(hues) == 3  # blue, orange (red first) and green
