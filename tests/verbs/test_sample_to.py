"""Samples as files, scored by code that knows nothing of this project: the distance is that of `evaluate`."""

import numpy as np
import pytest
from PIL import Image
from scipy import linalg

import gen_jax
from gen_jax.verbs.sample import sample

TINY = {"data": "digits", "batch_size": 16, "steps": 3, "sample_every": 0, "evaluate_every": 0, "width": 8}
COUNT = 300


def images(folder):
    """[N, pixels] of a folder of pictures, in [0, 1]."""
    pictures = [np.asarray(Image.open(path), float) / 255 for path in sorted(folder.iterdir())]
    return np.stack(pictures).reshape(len(pictures), -1)


def frechet(x, y):
    """Heusel et al. 2017 (arXiv:1706.08500), equation 6, of points [N, D] and [M, D], as pytorch-fid writes it."""
    root = linalg.sqrtm(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False))
    difference = x.mean(0) - y.mean(0)
    return difference @ difference + np.trace(np.cov(x, rowvar=False) + np.cov(y, rowvar=False) - 2 * root.real)


@pytest.mark.science
def test_another_scorer_finds_the_distance_that_evaluate_gives(tmp_path):
    run = gen_jax.train("experiments/gan.py", TINY, tmp_path / "run")
    sample(run.path, count=COUNT, to=tmp_path / "samples")
    found = run.evaluate("fd", features="pixels", samples=COUNT)["FD-pixels"]
    held_out = found["protocol"].get("reference", "test")
    real = run.examples(10**6, "train" if held_out == "train" else "test")["x"]
    assert len(list((tmp_path / "samples").iterdir())) == COUNT
    outside = frechet(images(tmp_path / "samples"), real.reshape(len(real), -1) / 255)
    scale = found["value"] / outside  # pixels may be counted in [-1, 1]: twice as wide, four times the distance
    assert scale == pytest.approx(round(scale), rel=2e-3)
    assert round(scale) in (1, 4)
