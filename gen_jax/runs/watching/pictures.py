"""What a run shows of its model: sample grids on fixed latents, pairs, labelled rows, as PNG; points as a scatter."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from gen_jax.core import keys
from gen_jax.core.types import Algorithm, Array, Weights
from gen_jax.data.kinds.kind import Picture
from gen_jax.data.source import Source, to_float
from gen_jax.runs.abilities import need_sampler
from gen_jax.runs.files import atomic_write_bytes
from gen_jax.runs.given import in_turn


def sampler(algorithm: Algorithm, source: Source, seed: int) -> Callable[[Weights], Array]:
    """weights -> samples from the same latents (and labels) each time, compiled once.

    Raises UserError where the model has no sampler "prior".
    """
    prior, count = need_sampler(algorithm, "a grid of samples"), source.kind.samples
    key = keys.named(jax.random.key(seed), "sample grid")
    given = in_turn(prior.given, source, count)
    # The key is an argument, so that runs of one algorithm share the program whatever their seeds.
    compiled = jax.jit(prior.draw, static_argnums=2)
    return lambda weights: compiled(weights, key, count, given)


def save_samples(run_dir: Path, step: int, images: np.ndarray, source: Source) -> np.ndarray:
    """samples/step_*.png of the grid; returns the picture as uint8 [H, W, C]."""
    return save_grid(run_dir / "samples" / f"step_{step:08d}.png", images, source)


def save_grid(path: Path, images: np.ndarray, source: Source, columns: int | None = None) -> np.ndarray:
    """Samples [N, ...] as the kind of data is drawn, as PNG, and as WAV beside it where they are sounds; returns the
    picture as uint8 [H, W, C]."""
    kind = source.kind
    if kind.sound is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path.with_suffix(".wav"), kind.sound(images))
    real = source.test.read(np.arange(min(kind.samples, source.test.size)))["x"]
    return _save(path, kind.picture(images, to_float(real), columns))


def save_pairs(path: Path, images: np.ndarray, again: np.ndarray, source: Source) -> None:
    """Originals beside their reconstructions."""
    _save(path, source.kind.pairs(images, again))


def save_rows(path: Path, images: np.ndarray, names: list[str], source: Source) -> None:
    """Rows of pictures [R, F, ...] with a name each."""
    _save(path, source.kind.rows(images, names))


def _save(path: Path, picture: Picture) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, picture.png)
    return picture.pixels
