"""`tfds:NAME`: anything TensorFlow Datasets prepared as array_record and that has an image, read without TensorFlow.

The prepared folder alone is read (`prepared`), never the builder's code. Pictures are decoded by Pillow, whatever else
is installed, and are not turned: their EXIF orientation is not part of what TFDS shows.

Splits, by their names (`roles`): train, and held out is the first of test and val that has examples whose labels are
known; where there is none, a fixed pseudo-random 10 % of train. Examples without a label (-1) are left out of data that
have labels.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import images, labels, prepared, roles, source
from gen_jax.data.images import How
from gen_jax.data.prepared import check_name as check_name
from gen_jax.data.prepared import command as command
from gen_jax.data.prepared import directory as directory
from gen_jax.data.prepared import package as package
from gen_jax.data.reading import short

SCANNED = 2_000  # examples of a split too large for memory whose labels are looked at before they are needed


class _Part(NamedTuple):
    """A split as it lies there: read by number, with labels alone for a look at them."""

    name: str
    size: int
    images: Callable[[np.ndarray], dict[str, np.ndarray]]
    labels: Callable[[np.ndarray], np.ndarray] | None


def tfds(name: str, data_dir: str | None, how: How = How()) -> source.Source:
    """The data set `NAME`, `NAME/CONFIG` or `NAME[/CONFIG]:VERSION` under `data_dir` (TFDS's own default where None).

    Raises UserError when it is unknown, not prepared, prepared in another format, damaged, or has no usable image.
    """
    library = package()
    images.quiet()
    builder, folder = prepared.builder(name, data_dir)
    features = builder.info.features
    image, label = _image(name, features, library), _label(features, library)
    height, width, depth = features[image].shape
    if how.size is None and (height is None or width is None):
        raise UserError(f"tfds:{name} has images of several sizes; choose one with --image-size")
    shape = (int(how.size or height), int(how.size or width), how.channels or (1 if depth == 1 else 3))

    def part(split: str) -> _Part:
        records = prepared.records(builder, split, image, library)
        needed = (image, label) if label else (image,)

        def read(indices: np.ndarray) -> dict[str, np.ndarray]:
            examples = prepared.examples(records, indices, needed, f"tfds:{name} {split}")
            pictures = np.empty((len(examples), *shape), np.uint8)
            for i, example in enumerate(examples):
                pictures[i] = _decode(example[image], f"tfds:{name} {split}: example {indices[i]}", how, shape)
            batch: dict[str, np.ndarray] = {"x": pictures}
            return batch | ({"label": _classes(examples, label)} if label else {})

        def look(indices: np.ndarray) -> np.ndarray:
            return _classes(prepared.examples(records, indices, needed, f"tfds:{name} {split}"), label)

        return _Part(split, len(records), read, look if label else None)

    sizes = {split: info.num_examples for split, info in builder.info.splits.items()}
    train, test, labelled, notes = _splits(name, sizes, part, shape)
    notes += [f"transparency on {how.background}"] if depth == 4 else []
    train, test = (_kept(split, f"{name} {what}") for split, what in ((train, "train"), (test, "test")))
    classes = features[label].num_classes if labelled else None
    known = features[label].names if classes else None  # names that are the numbers say nothing
    names = tuple(known) if known and list(known) != [str(number) for number in range(len(known))] else None
    counts = None
    if classes and train.arrays is not None and test.arrays is not None:
        counts = source.count(train.arrays["label"], classes)
        notes += labels.absent(test.arrays["label"], classes, names, "test")
    data = source.Source(
        name=f"tfds:{name}",
        shape=shape,
        classes=classes,
        fingerprint=source.digest(
            "tfds", prepared.fingerprint(folder), shape, test.size, *_unusual(how, depth, notes, train.size)
        ),
        train=train,
        test=test,
        names=names,
        counts=counts,
        notes=tuple(notes),
    )
    images.check_levels(data.name, images.brightest(train, test), how)
    return data


def _unusual(how: How, depth: int, notes: list[str], size: int) -> tuple[Any, ...]:
    """What else tells data apart, where there is any of it: so that the fingerprints of all others stay."""
    plain = how == How(how.size, how.channels) and depth != 4
    return () if plain and not any(" a label" in note for note in notes) else (how.background, how.levels, size)


def _image(name: str, features: Any, library: Any) -> str:
    """The feature that is the image: "image", or else the only one of the kind."""
    kind, not_picture = library.features.Image, library.features.LabeledImage
    found = sorted(k for k, value in features.items() if isinstance(value, kind) and not isinstance(value, not_picture))
    if "image" not in found and len(found) != 1:
        what = f"several images ({', '.join(found)}) and none is called 'image'" if found else "no image feature"
        raise UserError(f"tfds:{name} cannot be used: it has {what}; its features are {', '.join(sorted(features))}")
    chosen = "image" if "image" in found else found[0]
    if features[chosen].np_dtype != np.uint8:
        raise UserError(f"tfds:{name} cannot be used: its images are {features[chosen].np_dtype}, not uint8")
    return chosen


def _label(features: Any, library: Any) -> str | None:
    """The feature that is the class: "label", or else the only one of the kind, or None."""
    kinds = library.features.ClassLabel
    found = [key for key, value in features.items() if isinstance(value, kinds) and value.num_classes]
    return "label" if "label" in found else found[0] if len(found) == 1 else None


def _classes(examples: list[Any], label: str | None) -> np.ndarray:
    return np.array([example[label] for example in examples], np.int32).reshape(len(examples))


def _decode(data: bytes, what: str, how: How, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image

    try:
        found = images.decode(data, how, shape[-1])
    except UserError as error:
        raise UserError(f"{what}: {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what} cannot be read as an image ({reason}); prepare the data set anew") from None
    if found.shape != shape:
        raise UserError(f"{what} is of shape {found.shape} where {shape} is declared; choose one with --image-size")
    return found


# ---- splits ----------------------------------------------------------------------------------------------------------
def _splits(
    name: str, sizes: dict[str, int], part: Callable[[str], _Part], shape: tuple[int, int, int]
) -> tuple[source.Split, source.Split, bool, list[str]]:
    """(train, test, whether they have labels, what to say)."""
    by_role = {role: next((split for split in sizes if roles.of(split) == role), None) for role in roles.NAMES}
    if by_role["train"] is None:
        raise UserError(f"tfds:{name} has no split called train, only {', '.join(sizes)}")
    if not sizes[by_role["train"]]:
        raise UserError(f"tfds:{name}: its split {by_role['train']} has no examples; prepare the data set anew")
    train, labelled, notes = _labelled(part(by_role["train"]), shape)
    unused = [split for split in sizes if split not in by_role.values()]
    test = None
    for split in (by_role[role] for role in ("test", "val")):
        if split is None:
            continue
        if test is not None:
            unused.append(split)
        elif not sizes[split]:
            notes.append(f"{split} is empty")
        else:
            found, known, said = _labelled(part(split), shape)
            if labelled and not known:
                notes.append(f"{split} has no labels and is not used")
                continue
            test = found if labelled or not known else _unlabelled(found, shape)
            notes += [f"held out is {split}", *said]
    if unused:
        notes.append(f"splits not used: {short(unused)}")
    if test is None:
        if train.size < 2:
            raise UserError(f"tfds:{name} holds one example; at least 2 are needed, one of them to test")
        kept, held_out = source.holdout(train.size)
        train, test = source.subset(train, kept), source.subset(train, held_out)
        notes.append("a tenth held out")
    return train, test, labelled, notes


def _labelled(part: _Part, shape: tuple[int, int, int]) -> tuple[source.Split, bool, list[str]]:
    """(a split, whether its examples have labels, what to say): without those of no label, where others have one."""
    split = source.lazy(part.size, part.images, shape, part.labels is not None)
    if part.labels is None:
        return split, False, []
    some = part.size if split.nbytes <= source.IN_MEMORY_BYTES else SCANNED
    known = _known(part.labels, source.evenly(part.size, some))
    if known.all():
        return split, True, []
    if len(known) < part.size:
        known = _known(part.labels, np.arange(part.size))
    if not known.any():
        return _unlabelled(split, shape), False, [f"no example of {part.name} has a label"]
    kept = np.flatnonzero(known)
    missing = part.size - len(kept)
    return source.subset(split, kept), True, [f"{missing:,} examples of {part.name} without a label left out"]


def _known(labels_of: Callable[[np.ndarray], np.ndarray], indices: np.ndarray) -> np.ndarray:
    """Whether examples have a label, bool [n]."""
    return np.concatenate([labels_of(indices[i : i + 5000]) for i in range(0, len(indices), 5000)]) >= 0


def _unlabelled(split: source.Split, shape: tuple[int, int, int]) -> source.Split:
    return source.lazy(split.size, lambda indices: {"x": split.read(indices)["x"]}, shape, labels=False)


def _kept(split: source.Split, what: str) -> source.Split:
    """The split in memory if it is small enough, with a line of progress on stderr when that takes a while."""
    if split.nbytes > source.IN_MEMORY_BYTES:
        return split
    screen = sys.stderr if split.size > 5000 and sys.stderr is not None and sys.stderr.isatty() else None
    whole: dict[str, np.ndarray] = {}
    for start in range(0, split.size, 5000):
        stop = min(start + 5000, split.size)
        for key, values in split.read(np.arange(start, stop)).items():
            whole.setdefault(key, np.empty((split.size, *values.shape[1:]), values.dtype))[start:stop] = values
        if screen:
            screen.write(f"\rdecoding {what}: {stop:,} of {split.size:,} images")
    if screen:
        screen.write("\n")
    return source.in_memory(whole)
