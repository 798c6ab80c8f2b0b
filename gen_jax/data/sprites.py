"""A small dSprites, drawn here: white shapes on black whose five factors of variation are known exactly.

After dSprites (Matthey et al. 2017, github.com/google-deepmind/dsprites-dataset): shape, scale, rotation, x and y, all
combinations once, so that the factors are independent. 32×32 pixels and 41,472 images, where dSprites has 64×64 and
737,280; and rotations of less than a quarter turn, so that a square, too, has one rotation (dSprites turns it four
times over, which caps every score of rotation).

    images, factors = sprites.draw(factors), factors         # factors int [N, 5], as metrics.disentanglement takes them
"""

import numpy as np

from gen_jax.data import source

NAMES = ("shape", "scale", "rotation", "x", "y")
SIZES = (3, 6, 16, 12, 12)  # shape: square, ellipse, heart
SIDE = 32
PATCH = SIDE - SIZES[-1] + 1  # a shape's own square, which the position moves pixel by pixel
FINE = 4  # samples along each side of a pixel


def sprites() -> source.Source:
    """All images, uint8 [N, 32, 32, 1], a fixed tenth of them held out; the label is the shape."""
    every = all_factors()
    images = draw(every)
    train, test = ({"x": images[rows], "label": every[rows, 0].astype(np.int32)} for rows in source.holdout(len(every)))
    return source.from_arrays("sprites", train, test, classes=SIZES[0])


def all_factors() -> np.ndarray:
    """Every combination, int32 [41472, 5]; the last factor varies fastest."""
    return np.stack(np.unravel_index(np.arange(np.prod(SIZES)), SIZES), axis=1).astype(np.int32)


def split_factors() -> tuple[np.ndarray, np.ndarray]:
    """The factors of the source's train and test images, in their order."""
    every = all_factors()
    train, test = source.holdout(len(every))
    return every[train], every[test]


def random_factors(random: np.random.RandomState, count: int, fixed: int | None = None) -> np.ndarray:
    """Independent uniform factors, int32 [count, 5]; with `fixed`, that column has one value (the FactorVAE score)."""
    factors = np.stack([random.randint(0, size, count) for size in SIZES], axis=1).astype(np.int32)
    if fixed is not None:
        factors[:, fixed] = factors[0, fixed]
    return factors


def draw(factors: np.ndarray) -> np.ndarray:
    """Factors [N, 5] -> uint8 images [N, 32, 32, 1]."""
    factors = np.asarray(factors)
    kinds, which = np.unique(factors[:, :3], axis=0, return_inverse=True)
    patches = np.stack([_patch(*kind) for kind in kinds])
    images = np.zeros((len(factors), SIDE, SIDE, 1), np.uint8)
    places = factors[:, 3] * SIZES[4] + factors[:, 4]
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        x, y = divmod(int(place), SIZES[4])
        images[rows, y : y + PATCH, x : x + PATCH, 0] = patches[which.reshape(-1)[rows]]
    return images


def _patch(shape: int, scale: int, rotation: int) -> np.ndarray:
    """One shape in the middle of its square, uint8 [21, 21]: a pixel is the share of it that is covered."""
    ticks = ((np.arange(PATCH * FINE) + 0.5) / FINE - PATCH / 2) / (PATCH / 2)  # -1 to 1
    u, v = np.meshgrid(ticks, -ticks)
    angle = 0.5 * np.pi * rotation / SIZES[2]
    size = 0.5 + 0.5 * scale / (SIZES[1] - 1)
    x, y = (u * np.cos(angle) + v * np.sin(angle)) / size, (v * np.cos(angle) - u * np.sin(angle)) / size
    inside = (_square, _ellipse, _heart)[shape](x, y)
    share = inside.reshape(PATCH, FINE, PATCH, FINE).mean(axis=(1, 3))
    return np.rint(255 * share).astype(np.uint8)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) < 0.62


def _ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x / 0.9) ** 2 + (y / 0.45) ** 2 < 1


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x * 1.4, y * 1.4 + 0.1
    return (x**2 + y**2 - 1) ** 3 - x**2 * y**3 < 0
