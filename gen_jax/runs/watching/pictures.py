"""What a run shows of its model: sample grids on fixed latents, pairs, labelled rows, as PNG; points as a scatter."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from gen_jax.core import keys
from gen_jax.core.types import Algorithm, Array, Weights
from gen_jax.data.source import Source
from gen_jax.runs import figures
from gen_jax.runs.abilities import need_sampler
from gen_jax.runs.given import in_turn

SAMPLES = 64  # in a grid of images
POINTS = 2500  # in a scatter: what the protocol for rings and grids of Gaussians counts


def sampler(algorithm: Algorithm, source: Source, seed: int) -> Callable[[Weights], Array]:
    """weights -> samples from the same latents (and labels) each time, compiled once.

    Raises UserError where the model has no sampler "prior".
    """
    prior, count = need_sampler(algorithm, "a grid of samples"), POINTS if source.is_points else SAMPLES
    key = keys.named(jax.random.key(seed), "sample grid")
    given = in_turn(prior.given, source, count)
    # The key is an argument, so that runs of one algorithm share the program whatever their seeds.
    compiled = jax.jit(prior.draw, static_argnums=2)
    return lambda weights: compiled(weights, key, count, given)


def save_samples(run_dir: Path, step: int, images: np.ndarray, source: Source) -> np.ndarray:
    """samples/step_*.png of the grid; returns the picture as uint8 [H, W, C]."""
    return save_grid(run_dir / "samples" / f"step_{step:08d}.png", images, source)


def save_grid(path: Path, images: np.ndarray, source: Source, columns: int | None = None) -> np.ndarray:
    """A grid of images, or a scatter of points over the real ones, as PNG; returns the picture as uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if source.is_points:
        real = source.test.read(np.arange(min(POINTS, source.test.size)))["x"]
        return figures.scatter(path, images, real)
    picture = figures.grid(images, columns or int(np.ceil(np.sqrt(len(images)))))
    figures.save_png(path, picture)
    return picture


def save_pairs(path: Path, images: np.ndarray, again: np.ndarray, source: Source) -> None:
    """Originals over reconstructions; for points, a scatter of both."""
    if source.is_points:
        figures.scatter(path, again, images)
    else:
        figures.save_png(path, figures.pairs(images, again))


def save_rows(path: Path, images: np.ndarray, names: list[str], source: Source) -> None:
    """Rows of pictures [R, F, ...] with a name each; for points, a scatter of all."""
    if source.is_points:
        figures.scatter(path, images.reshape(-1, images.shape[-1]), None)
    else:
        figures.labelled_rows(path, images, names)
