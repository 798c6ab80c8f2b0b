"""From what a person writes after `--data` to a data set. The only place where sources are chosen by name."""

import difflib
from pathlib import Path
from typing import Protocol

from gen_jax.core.errors import UserError
from gen_jax.data import builtin, folder, images, npz, source, sprites, stacked, tfds, toy

PLAIN = {
    "mnist5k": builtin.mnist5k,
    "digits": builtin.digits,
    "ring8": toy.ring8,
    "grid25": toy.grid25,
    "sprites": sprites.sprites,
}
WITH_ARGUMENT = {"stacked": "stacked:SOURCE", "tfds": "tfds:NAME", "folder": "folder:PATH", "npz": "npz:PATH"}


class Asked(Protocol):
    """What settings say of the data; `runs.config.Config` does."""

    @property
    def data(self) -> str: ...
    @property
    def data_dir(self) -> Path | None: ...
    @property
    def image_size(self) -> int | None: ...
    @property
    def channels(self) -> int | None: ...


def of(config: Asked) -> source.Source:
    """The data that a run's settings ask for, as by `load`."""
    return load(config.data, config.data_dir and str(config.data_dir), config.image_size, config.channels)


def load(
    spec: str, data_dir: str | None = None, image_size: int | None = None, channels: int | None = None
) -> source.Source:
    """The data set that `spec` names: a key of `PLAIN`, or KIND:ARGUMENT as in `WITH_ARGUMENT`.

    `data_dir` is where TFDS data sets are prepared. `image_size` makes images square of that size, `channels` (1 or 3)
    makes them grey or colour. Raises UserError for whatever cannot be read.
    """
    images.check(image_size, channels)
    kind, colon, argument = spec.partition(":")
    if not colon and kind in PLAIN:
        return images.adapt(PLAIN[kind](), image_size, channels)
    if kind not in WITH_ARGUMENT or not argument:
        raise _unknown(spec, kind)
    if kind == "stacked":
        if channels not in (None, 3):
            raise UserError(f"{spec} has 3 channels by construction; leave --channels out")
        return stacked.stacked(load(argument, data_dir, image_size))
    if kind == "tfds":
        return tfds.tfds(argument, data_dir, image_size, channels)
    if kind == "folder":
        return folder.folder(argument, image_size, channels)
    return images.adapt(npz.npz(argument), image_size, channels)


def _unknown(spec: str, kind: str) -> UserError:
    known = {**{name: name for name in PLAIN}, **WITH_ARGUMENT}
    close = [known[kind]] if kind in known else [known[k] for k in difflib.get_close_matches(kind, known, n=1)]
    hint = f"did you mean {close[0]}? " if close else ""
    return UserError(f"there is no data set {spec!r}; {hint}there are {', '.join(known.values())}")
