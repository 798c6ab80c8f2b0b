"""Examples completed by a model: the expected values and several draws of what is hidden; for verbs and metrics.

What is made of an example depends on the seed, its number and itself, never on its neighbours.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data import masks
from gen_jax.data.kinds import IMAGES, Kind

BATCH = 50  # examples of one compiled call; part of the protocol, since noise depends on the place in the batch
FILES = (".npy", ".png")


class Completed(NamedTuple):
    """float32 arrays; what was shown is in `expected` and `draws` as it was."""

    x: np.ndarray  # [N, *event], NaN where no value is known
    mask: np.ndarray  # [N, *cells], 1 where shown
    expected: np.ndarray  # [N, *event]
    draws: np.ndarray  # [M, N, *event]

    @property
    def hidden(self) -> np.ndarray:
        """True where a known value was hidden: [N, *event]."""
        return np.broadcast_to(self.mask == 0, self.x.shape) & np.isfinite(self.x)


def need(algorithm: Algorithm, tool: str) -> None:
    """Raises UserError where this model does not complete."""
    if not {"complete", "expected"} <= set(algorithm.samplers):
        raise UserError(
            f"{tool} is for models that fill gaps, and this one draws {', '.join(algorithm.samplers) or 'nothing'}; "
            "train inpaint_vae.py for images, vaeac.py, miwae.py or gain.py for tables"
        )


def masks_of(text: str, x: np.ndarray, kind: Kind, seed: int) -> np.ndarray:
    """Masks for examples x [N, *event], by what a person wrote: a family (`masks.FAMILIES`), or a .npy or .png file of
    one mask or of N. Raises UserError for a mask of another shape, and for one with nothing observed.
    """
    if Path(text).suffix.lower() in FILES:
        return _from_file(text, x, kind)
    family, key = masks.named(text), keys.named(jax.random.key(seed), "masks")

    def one(_: Any, rows: Any, number: int) -> Any:
        return masks.for_scores(family, jax.random.fold_in(key, number), rows)

    return _in_batches(one, jnp.zeros(()), x)


def refuse_nothing(mask: np.ndarray, what: str) -> None:
    """Raises UserError where an example has no observed cell."""
    empty = np.flatnonzero(mask.reshape(len(mask), -1).sum(axis=1) == 0)
    if len(empty):
        raise UserError(
            f"{what}: example {empty[0]} (counted from 0) has nothing observed, and there is nothing to complete it "
            "from; show at least one cell, or leave it out"
        )


def complete(algorithm: Algorithm, weights: Weights, x: np.ndarray, mask: np.ndarray, seed: int, draws: int):
    """`Completed` of x with its masks. draws: how many completions of each example."""
    need(algorithm, "complete")
    expected, one = algorithm.samplers["expected"], algorithm.samplers["complete"]
    root = keys.named(jax.random.key(seed), "completions")

    def mean(view: Weights, rows: Any, shown: Any, number: Any) -> Any:
        own = keys.named(jax.random.fold_in(root, number), "expected")
        return expected.draw(view, own, BATCH, {"x": rows, "mask": shown})

    def several(view: Weights, rows: Any, shown: Any, number: Any) -> Any:
        own = jax.random.split(keys.named(jax.random.fold_in(root, number), "draws"), max(draws, 1))
        found = jax.lax.map(lambda key: one.draw(view, key, BATCH, {"x": rows, "mask": shown}), own)
        return jnp.swapaxes(found, 0, 1)

    guess = _in_batches(mean, weights, x, mask)
    if not draws:
        return Completed(x, mask, guess, np.empty((0, *x.shape), np.float32))
    found = _in_batches(several, weights, x, mask)
    return Completed(x, mask, guess, np.swapaxes(found, 0, 1))


def _in_batches(function: Callable[..., Any], weights: Any, *arrays: np.ndarray) -> np.ndarray:
    """`function(weights, *rows, number of the batch)` of the arrays' rows."""
    count = len(arrays[0])

    def batches() -> Iterator[tuple]:
        for number, start in enumerate(range(0, count, BATCH)):
            rows = np.resize(np.arange(start, min(start + BATCH, count)), BATCH)
            yield (*(jnp.asarray(array[rows]) for array in arrays), number)

    return np.concatenate(list(dealing.by_device(function)(weights, batches())))[:count]


def _from_file(text: str, x: np.ndarray, kind: Kind) -> np.ndarray:
    path, cells = Path(text).expanduser(), (*x.shape[1:-1], 1) if x.ndim > 2 else x.shape[1:]
    if not path.is_file():
        raise UserError(f"--mask {text}: there is no such file; a mask is a file or one of {masks.FAMILIES}")
    if path.suffix.lower() == ".png":
        if kind is not IMAGES:
            raise UserError(f"--mask {text}: a picture masks images, and these are {kind.name}; give a .npy")
        from PIL import Image

        try:
            with Image.open(path, formats=("PNG",)) as opened:
                found = np.asarray(opened.convert("L")) > 127
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"--mask {text}: no sound PNG ({error})") from error
    else:
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"--mask {text}: no sound .npy ({error})") from error
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
            raise UserError(f"--mask {text}: a mask is of numbers or booleans, 0 or False where hidden")
    wanted = cells if len(cells) == 1 else cells[:2]
    if found.shape[-1:] == (1,) and found.ndim == x.ndim:
        found = found[..., 0]
    if found.shape == wanted:
        found = np.broadcast_to(found, (len(x), *wanted))
    if found.shape != (len(x), *wanted):
        raise UserError(
            f"--mask {text} has shape {list(found.shape)}; give {list(wanted)}, for all examples, or "
            f"{[len(x), *wanted]}, one for each"
        )
    shown = (found != 0).astype(np.float32).reshape(len(x), *cells)
    shown = np.where(np.isnan(x), 0.0, shown).astype(np.float32) if x.ndim == 2 else shown
    refuse_nothing(shown, f"--mask {text}")
    return shown
