"""From what a person writes after `--data` to a data set. The only place where sources are chosen by name."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from gen_jax.core.errors import UserError
from gen_jax.core.near import near
from gen_jax.data import (
    builtin,
    derived,
    few,
    folder,
    images,
    npz,
    one_class,
    pairs,
    places,
    poisson,
    source,
    sprites,
    stacked,
    table,
    tfds,
    toy,
    wav,
)
from gen_jax.data.labelled import few_labels

PLAIN = {
    "mnist5k": builtin.mnist5k,
    "digits": builtin.digits,
    "ring8": toy.ring8,
    "grid25": toy.grid25,
    "sprites": sprites.sprites,
}
WITH_ARGUMENT = {
    "stacked": "stacked:SOURCE", "tfds": "tfds:NAME", "folder": "folder:PATH", "npz": "npz:PATH", "table": "table:PATH",
    "pairs": "pairs:DIR", "shrunk": "shrunk:SOURCE", "edges": "edges:SOURCE",
    "few": "few:COUNT:SOURCE", "wav": "wav:DIR",
}  # fmt: skip
# Of TFDS's data sets, those that people name without tfds: (the package, which knows all, need not be installed).
OF_TFDS = (
    "mnist", "fashion_mnist", "kmnist", "emnist", "omniglot", "cifar10", "cifar100", "svhn_cropped", "stl10", "celeb_a",
    "lsun", "cats_vs_dogs", "oxford_flowers102", "tiny_imagenet", "imagenet2012", "imagenet_resized", "dsprites",
)  # fmt: skip
# Settings that say which data.
FIELDS = (
    "data",
    "data_dir",
    "image_size",
    "channels",
    "background",
    "levels",
    "normal_class",
    "labels_per_class",
    "columns",
)


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
    @property
    def background(self) -> str: ...
    @property
    def levels(self) -> int | None: ...
    @property
    def normal_class(self) -> str | None: ...
    @property
    def labels_per_class(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def batch_size(self) -> int: ...


def of(config: Asked) -> source.Source:
    """The data that a run's settings ask for, as by `load`."""
    how = images.How(config.image_size, config.channels, config.background, config.levels)
    columns = getattr(config, "columns", None)
    return narrowed(load(config.data, config.data_dir and str(config.data_dir), how=how, columns=columns), config)


def narrowed(found: source.Source, config: Asked) -> source.Source:
    """What of the data these settings leave to learn from: one class, few labels, batches as a private run draws."""
    if config.normal_class is not None:
        found = one_class.one_class(found, config.normal_class)
    if getattr(config, "private", False):  # of scripts whose models can be trained so
        found = poisson.poisson(found, config.batch_size)
    return found if config.labels_per_class is None else few_labels(found, config.labels_per_class, config.seed)


def key(config: Asked) -> tuple[Any, ...]:
    """What tells the data of these settings from those of others: the seed too, where it draws the labelled ones."""
    drawn = None if config.labels_per_class is None else config.seed
    poisson_batches = config.batch_size if getattr(config, "private", False) else None
    return (*(getattr(config, name, None) for name in FIELDS), drawn, poisson_batches)


def other(config: Any, spec: str, **changes: Any) -> source.Source:
    """The data set `spec`, read as these settings read theirs but with all of its classes and labels; `changes`: of the
    settings (a dataclass)."""
    changes = {"normal_class": None, "labels_per_class": None, **changes}
    if spec.partition(":")[0] != "table" and hasattr(config, "columns"):
        changes["columns"] = None
    if hasattr(config, "private"):
        changes["private"] = False
    if spec.partition(":")[0] in PLAIN:
        changes["levels"] = None  # what the project ships says itself how many there are
    return of(dataclasses.replace(config, data=spec, **changes))


def load(
    spec: str,
    data_dir: str | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    how: images.How | None = None,
    columns: str | None = None,
) -> source.Source:
    """The data set that `spec` names: a key of `PLAIN`, or KIND:ARGUMENT as in `WITH_ARGUMENT`.

    `data_dir` is where TFDS data sets are prepared. `image_size` makes images square of that size, `channels` (1 or 3)
    makes them grey or colour; `how` says these and more. `columns`: of a table, as `table_plan.plan` takes it. Raises
    UserError for whatever cannot be read.
    """
    how = images.How(image_size, channels) if how is None else how
    images.check(how)
    kind, colon, argument = spec.partition(":")
    if columns is not None and kind != "table":
        raise UserError(f"--columns says what a table's columns are, and {spec} is none; give --data table:PATH")
    if not colon and kind in PLAIN:
        if how.levels is not None:
            raise UserError(f"{spec} says itself what white is: --levels is for folder:, npz: and tfds: data")
        return images.adapt(PLAIN[kind](), how.size, how.channels)
    if kind not in WITH_ARGUMENT or not argument:
        raise _unknown(spec, kind)
    stands_for = WITH_ARGUMENT[kind].rpartition(":")[2]
    if Path(argument).name == stands_for and not Path(argument).exists():
        raise UserError(f"give --data {WITH_ARGUMENT[kind]} with yours in place of {stands_for}")
    if kind == "stacked":
        if how.channels not in (None, 3):
            raise UserError(f"{spec} has 3 channels by construction; leave --channels out")
        return stacked.stacked(load(argument, data_dir, how=how._replace(channels=None)))
    if kind in ("shrunk", "edges"):
        return getattr(derived, kind)(load(argument, data_dir, how=how))
    if kind == "few":
        most, base = few.count_of(argument)
        return few.few(load(base, data_dir, how=how), most)
    if kind == "pairs":
        return pairs.pairs(argument, how)
    if kind == "wav":
        return wav.wav(argument, how)
    if kind == "tfds":
        return tfds.tfds(argument, data_dir, how)
    if kind == "folder":
        return folder.folder(argument, how)
    if kind == "table":
        if how.levels is not None:
            raise UserError(f"{spec} holds rows of numbers: --levels is for images")
        return images.adapt(table.table(argument, columns), how.size, how.channels)
    return npz.npz(argument, how)


def _unknown(spec: str, kind: str) -> UserError:
    if meant := places.spec_of(spec) or (f"tfds:{spec.lower()}" if spec.lower() in OF_TFDS else None):
        own = "".join(f" or {name}" for name in PLAIN if name.startswith(spec.lower()))
        return UserError(f"there is no data set {spec!r}; give {meant}{own}")
    known = {**{name: name for name in PLAIN}, **WITH_ARGUMENT}
    close = [known[kind]] if kind in known else [known[k] for k in near(kind, known)]
    hint = f"did you mean {close[0]}? " if close else ""
    return UserError(f"there is no data set {spec!r}; {hint}there are {', '.join(known.values())}")
