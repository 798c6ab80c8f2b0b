"""What a split is for, told by its name; and which sub-folders of a folder of data are splits."""

import re
from collections.abc import Collection, Mapping

from gen_jax.core.errors import UserError
from gen_jax.data.reading import short

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}


def of(name: str) -> str | None:
    """ "train", "val" or "test" by any of its usual names, in any case; None for another name."""
    return next((role for role, names in NAMES.items() if name.lower() in names), None)


def splits(what: str, below: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Role -> the name of its folder, where the sub-folders of `what` (KIND:PATH) are splits; else nothing.

    below: each sub-folder with the names of those in it. Raises UserError where it cannot be told which are splits, and
    for the two domains of unpaired translation.
    """
    _refuse_domains(what, below)
    found: dict[str, str] = {}
    for name in below:
        role = of(name)
        if role in found:
            raise UserError(f"{what} has {found[role]}/ and {name}/, two folders for one split; keep one of them")
        if role:
            found[role] = name
    others = [name for name in below if not of(name)]
    if found and "train" in found and (len(found) > 1 or not others):
        return found
    if found and not others:
        only = next(iter(found.values()))
        raise UserError(
            f"{what} has {only}/ and no train/; to train on it, give --data {what}/{only}, or call it train"
        )
    if with_folders := [name for name in found.values() if below[name]]:
        name = with_folders[0]
        raise UserError(
            f"{what} has {name}/, with folders in it, beside {short(others)}: a split or a class? Put classes into "
            f"train/ and test/, or rename {name}"
        )
    _refuse_below(what, below)
    return {}  # none, or a class that happens to be called train


def _refuse_domains(what: str, names: Collection[str]) -> None:
    """Raises UserError for trainA and trainB, the two domains of unpaired translation."""
    stems = {name: re.sub(r"[ _-]?[ab]$", "", name, flags=re.I) for name in names}
    pairs = [name for name, stem in stems.items() if stem != name and of(stem)]
    trains = [name for name in pairs if of(stems[name]) == "train"]
    if trains and len(pairs) > 1:
        raise UserError(
            f"{what} holds {short(pairs, 4)}: two domains to translate between, and a model learns one here; "
            f"give --data {what}/{trains[0]}"
        )


def _refuse_below(what: str, below: Mapping[str, Collection[str]]) -> None:
    for name, inner in below.items():
        if inside := sorted(each for each in inner if of(each)):
            raise UserError(
                f"{what}: {name}/ holds {inside[0]}/, and splits stand above classes (train/CLASS); order them so, or "
                f"give --data {what}/{name}"
            )
