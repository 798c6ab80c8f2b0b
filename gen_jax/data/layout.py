"""What the sub-folders of a folder of pictures mean: classes, or splits with or without classes in them.

Splits are told by name (`roles`). Where there are test and val, test is held out and val is not used; where there is
one of them, it is held out; where there is neither, a tenth of the training pictures is, by a hash of their paths.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from gen_jax.core.errors import UserError
from gen_jax.data import roles, tree
from gen_jax.data.reading import counted, short
from gen_jax.data.tree import Folder, Skipped

Item = tuple[Path, int]  # a file and its class, -1 where there are none


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder by split, the names of their classes (None: no labels), and what to say of it."""

    train: list[Item]
    test: list[Item]
    names: tuple[str, ...] | None
    notes: tuple[str, ...]


def of(root: Path) -> Layout:
    """Looks through `root`. Raises UserError where it holds no pictures, or can be read two ways."""
    skipped = Skipped()
    flat, folders = tree.children(root, skipped)
    by_name = {folder.path.name: folder for folder in folders}
    found = roles.splits(f"folder:{root}", {name: folder.below for name, folder in by_name.items()})
    split_of = {role: by_name[name] for role, name in found.items()}
    left_out = skipped.note()
    if split_of:
        others = [f"{folder.path.name}/" for folder in folders if folder not in split_of.values()]
        others += [f"{counted(len(flat), 'image')} beside them"] if flat else []
        found = _by_split(root, split_of)
        notes = [*found.notes, *([f"{short(others)} not used"] if others else [])]
    else:
        if not flat and not folders:
            kinds = ", ".join(sorted(suffix[1:] for suffix in tree.SUFFIXES))
            raise UserError(f"folder:{root} holds no images ({kinds}){f'; {left_out}' if left_out else ''}")
        below = {folder.path.name: folder.files for folder in folders}
        found = _held_out_by_name(root, *_classes(Folder(root, flat, below)))
        notes = list(found.notes)
    notes += _missing(found)
    return Layout(found.train, found.test, found.names, (*notes, *([left_out] if left_out else [])))


# ---- splits by folder ------------------------------------------------------------------------------------------------
def _by_split(root: Path, split_of: dict[str, Folder]) -> Layout:
    train_folder = split_of["train"]
    train_name = train_folder.path.name
    names, train = _classes(train_folder)
    test: list[Item] | None = None
    notes = []
    for folder in (split_of[role] for role in ("test", "val") if role in split_of):
        own, items = _classes(folder)
        name = folder.path.name
        if names is None and own is not None:
            raise UserError(
                f"folder:{root}: {name}/ has class folders ({short(own)}) and {train_name}/ has none; both need them"
            )
        if test is not None or (names is not None and own is None):
            reason = "" if test is not None else ", for it has no class folders"
            notes.append(f"{name}/ ({counted(len(items), 'image')}) not used{reason}")
            continue
        names, train = _with_held_out(names, train, own, f"folder:{root}: {train_name}/ and {name}/")
        number: dict[str, int] = {known: label for label, known in enumerate(names or ())}
        test = [(file, number[own[label]] if own else -1) for file, label in items]
        notes.append(f"trained on {train_name}/, held out is {name}/")
    if test is None:
        found = _held_out_by_name(root, names, train)
        return Layout(found.train, found.test, names, (f"trained on {train_name}/", *found.notes, *notes))
    return Layout(train, test, names, tuple(notes))


def _with_held_out(
    names: tuple[str, ...] | None, train: list[Item], own: tuple[str, ...] | None, both: str
) -> tuple[tuple[str, ...] | None, list[Item]]:
    """The classes of both splits, and the train pictures with their numbers among them.

    Further classes may be held out, such as what is strange beside what is normal. Where each split has a class that
    the other lacks, one may be a misspelling of the other: a UserError.
    """
    extra = [name for name in own or () if name not in (names or ())]
    if names is None or not extra:
        return names, train
    if missing := [name for name in names if name not in (own or ())]:
        raise UserError(
            f"{both} have different sub-folders: {missing[0]} is in the first alone, {extra[0]} in the second; give "
            "classes the same names in both"
        )
    every = tuple(tree.in_order([*names, *extra]))
    return every, [(file, every.index(names[label])) for file, label in train]


# ---- classes by folder -----------------------------------------------------------------------------------------------
def _classes(folder: Folder) -> tuple[tuple[str, ...] | None, list[Item]]:
    """(names of the classes or None, pictures with their class) of a folder without splits."""
    if folder.flat and folder.below:
        raise UserError(
            f"folder:{folder.path} has images both in itself ({folder.flat[0].name}) and in sub-folders "
            f"({min(folder.below)}/); move the first into a folder of their own, or give one of the folders"
        )
    if folder.flat:
        return None, [(file, -1) for file in folder.flat]
    names = tree.in_order(folder.below)
    return tuple(names), [(file, label) for label, name in enumerate(names) for file in folder.below[name]]


def _held_out_by_name(root: Path, names: tuple[str, ...] | None, items: list[Item]) -> Layout:
    """A file keeps its side whatever is added or removed: the lowest tenth of the hashes of paths is held out."""
    if len(items) == 1:
        raise UserError(f"folder:{root} holds one image; at least 2 are needed, one of them to test")
    items = sorted(items, key=lambda item: _hash(item[0].relative_to(root)))
    count = sum(_hash(file.relative_to(root)) < 2**256 // 10 for file, _ in items)
    count = min(max(count, 1), len(items) - 1)  # tiny folders still get one of each
    return Layout(sorted(items[count:]), sorted(items[:count]), names, ("a tenth held out, by file names",))


def _hash(relative: Path) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(relative.as_posix())).digest(), "big")


def _missing(found: Layout) -> list[str]:
    """Classes that cannot be learnt or tested; and one class, whose folders may be the classes that were meant."""
    if found.names is None:
        return []
    notes = []
    for items, what in ((found.train, "train"), (found.test, "test")):
        there = {label for _, label in items}
        if empty := [name for label, name in enumerate(found.names) if label not in there]:
            notes.append(f"no {what} images of {short(empty)}")
    deeper = {file.parent.name for file, _ in found.train} - set(found.names)
    if len(found.names) == 1 and len(deeper) > 1:
        notes.append(f"its folders {short(sorted(deeper))} are read as one class")
    return notes
