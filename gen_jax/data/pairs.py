"""`pairs:DIR`: pictures in two folders, x/ (given) and y/ (wanted), paired by their names without the suffix.

DIR/x and DIR/y, of which a tenth is held out by a fixed draw; or DIR/train/x, DIR/train/y, DIR/test/x and DIR/test/y.
In a batch the wanted picture is "x", as always what a model makes, and the given one "input". Pictures are taken as
they are: those of a side have one size, and the wanted size is a whole multiple of the given one.
"""

from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import images, places, source, tree
from gen_jax.data.folder import named
from gen_jax.data.images import How
from gen_jax.data.reading import counted, short

Pairs = list[tuple[Path, Path]]  # (given, wanted)


def pairs(path: str, how: How = How()) -> source.Source:
    """The pictures. Raises UserError for folders that are not there, pictures without a partner, sizes that differ, and
    for --image-size, since it would resize masks and undo what is to be learnt."""
    if how.size is not None:
        raise UserError(f"pairs:{path}: pictures are paired as they are; resize the files, and leave --image-size out")
    root = places.folder_at(path, "pairs")
    images.quiet()
    split = [(root / name).is_dir() for name in ("train", "test")]
    if any(split) and not all(split):
        raise UserError(f"pairs:{path} has only one of train/ and test/; give both, or x/ and y/ alone")
    notes: tuple[str, ...] = ()
    if all(split):
        train, test = (_found(root / name, f"pairs:{path}/{name}") for name in ("train", "test"))
    else:
        every = _found(root, f"pairs:{path}")
        if len(every) < 2:
            raise UserError(f"pairs:{path} has one pair; one more is needed to hold out")
        train, test = ([every[i] for i in rows] for rows in source.holdout(len(every)))
        notes = ("a tenth held out",)
    sides = [_shape([pair[side] for pair in train + test], how, f"pairs:{path}") for side in (0, 1)]
    _check_sizes(path, *sides)
    size = len(train + test) * sum(int(np.prod(shape)) for shape in sides)
    if size > source.IN_MEMORY_BYTES:
        raise UserError(
            f"pairs:{path} holds {size / 2**30:.1f} GiB of pictures, and {source.IN_MEMORY_BYTES / 2**30:.0f} are "
            "read at most; cut or shrink them"
        )
    kept, held_out = (_read(part, sides, how) for part in (train, test))
    name = f"pairs:{visible(root.name or root.resolve().name)}"
    given = "×".join(map(str, sides[0][1::-1]))
    return source.from_arrays(name, kept, held_out, None, notes=(*notes, f"given at {given}"))


def input_shape(data: source.Source) -> tuple[int, ...]:
    """[h, w, c] of what is given. UserError where the data are no pairs."""
    first = data.train.read(np.zeros(1, np.int64))
    if "input" not in first:
        raise UserError(
            f"{data.name} has no pairs: use pairs:DIR (folders x/ and y/), shrunk:{data.name} or edges:{data.name}"
        )
    return first["input"].shape[1:]


def _found(folder: Path, what: str) -> Pairs:
    """The pairs of a folder, in the order of their names."""
    sides: list[dict[str, Path]] = []
    for side in ("x", "y"):
        if not (folder / side).is_dir():
            raise UserError(f"{what} has no folder {side}/: x/ holds what is given, y/ what is wanted")
        files = [file for file in sorted((folder / side).iterdir()) if file.suffix.lower() in tree.SUFFIXES]
        files = [file for file in files if not file.name.startswith(".")]
        if not files:
            raise UserError(f"{what}/{side} holds no images ({', '.join(sorted(s[1:] for s in tree.SUFFIXES))})")
        by_name = {file.stem: file for file in files}
        if len(by_name) < len(files):
            twice = next(file.stem for file in files if by_name[file.stem] != file)
            raise UserError(f"{what}/{side} has two pictures called {twice}; keep one of them")
        sides.append(by_name)
    alone = sorted(sides[0].keys() ^ sides[1].keys())
    if alone:
        raise UserError(
            f"{what}: {counted(len(alone), 'picture')} without a partner of the same name in x/ and y/: {short(alone)}"
        )
    return [(sides[0][name], sides[1][name]) for name in sorted(sides[0])]


def _shape(files: list[Path], how: How, what: str) -> tuple[int, int, int]:
    headers = [(file, *_header(file)) for file in files]
    first, size, _ = headers[0]
    for file, other, _ in headers:
        if other != size:
            raise UserError(
                f"{what}: {file.parent.name}/{file.name} is {other[0]}x{other[1]} where {first.name} is "
                f"{size[0]}x{size[1]}; cut or resize the files to one size"
            )
    channels = how.channels or (1 if all(grey for *_, grey in headers) else 3)
    return size[1], size[0], channels


def _check_sizes(path: str, given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if wanted[0] % given[0] or wanted[1] % given[1] or wanted[0] // given[0] != wanted[1] // given[1]:
        raise UserError(
            f"pairs:{path}: y/ is {wanted[1]}x{wanted[0]} and x/ {given[1]}x{given[0]}; y/ has to be as large, or a "
            "whole number of times as large"
        )


def _read(part: Pairs, sides: list[tuple[int, int, int]], how: How) -> dict[str, np.ndarray]:
    made = [[_decode(pair[side], how, sides[side][-1]) for pair in part] for side in (0, 1)]
    return {"input": np.stack(made[0]), "x": np.stack(made[1])}


def _header(file: Path) -> tuple[tuple[int, int], bool]:
    with named(file):
        return images.header(str(file))


def _decode(file: Path, how: How, channels: int) -> np.ndarray:
    with named(file):
        return images.decode(str(file), how, channels)
