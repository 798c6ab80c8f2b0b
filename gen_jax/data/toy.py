"""Two-dimensional Gaussian mixtures on which mode collapse is visible: the ring of 8 and the grid of 25.

Set-up of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1): ring of radius 1, sigma 0.01; grid on
{-4, -2, 0, 2, 4}^2, sigma 0.05; 100,000 training points. Points are float32, not rescaled; the label is the mode.
"""

import numpy as np

from gen_jax.data import source

TRAIN, TEST = 100_000, 10_000


def _ring() -> source.Modes:
    angles = 2 * np.pi * np.arange(8) / 8
    return source.Modes(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), 0.01)


def _grid() -> source.Modes:
    ticks = np.arange(-4, 5, 2, dtype=np.float32)
    return source.Modes(np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2), 0.05)


RING8 = _ring()
GRID25 = _grid()


def ring8() -> source.Source:
    """8 modes on the unit circle, sigma 0.01."""
    return _mixture("ring8", RING8)


def grid25() -> source.Source:
    """25 modes on {-4, -2, 0, 2, 4}^2, sigma 0.05."""
    return _mixture("grid25", GRID25)


def _mixture(name: str, modes: source.Modes) -> source.Source:
    """Draws both splits from one fixed stream. RandomState, unlike default_rng, promises the same stream for ever."""
    random = np.random.RandomState(0)
    labels = random.randint(0, len(modes.centres), TRAIN + TEST).astype(np.int32)
    points = (modes.centres[labels] + modes.sigma * random.standard_normal((TRAIN + TEST, 2))).astype(np.float32)
    train, test = ({"x": points[part], "label": labels[part]} for part in (slice(TRAIN), slice(TRAIN, None)))
    return source.from_arrays(name, train, test, len(modes.centres), modes)
