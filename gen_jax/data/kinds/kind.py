"""What the tools want to know of one kind of x."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    """A drawing: its pixels, uint8 [H, W, C] with C of 1 or 3, and the PNG file that shows them."""

    pixels: np.ndarray
    png: bytes


class Kind(NamedTuple):
    """`x` below is float32 [N, *event], as models make it."""

    name: str  # what examples are called: images, points
    samples: int  # in a picture
    describe: Callable[[tuple[int, ...]], str]  # shape -> what a message calls the examples
    picture: Callable[[np.ndarray, np.ndarray, int | None], Picture]  # (x, real x, columns or None) -> samples
    pairs: Callable[[np.ndarray, np.ndarray], Picture]  # (x, the same again) -> inputs beside their reconstructions
    rows: Callable[[np.ndarray, Sequence[str]], Picture]  # (x [R, F, *event], a name each row)
    features: Callable[[tuple[int, ...], int | None], str]  # (shape, classes) -> the features that scores take
    mixed: bool = False  # rows of which some columns hold categories, a number each
    scores: tuple[str, ...] = ()  # metrics of samples that are measured where nobody chooses
    # x -> features [N, F] in which neighbours mean something; None: x has them itself, and distances are enough
    signs: Callable[[np.ndarray], np.ndarray] | None = None
    sound: Callable[[np.ndarray], bytes] | None = None  # x -> a WAV file of all, one after another
    rate: int | None = None  # of sounds: samples a second
