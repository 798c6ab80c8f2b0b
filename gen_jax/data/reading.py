"""What was read of a data set: one line for a person, plain values for the manifest.

The line tells sizes, shape, classes with how many train examples each has, which split is held out, and what was left
out; so that a folder that is not what it looks like is seen at the first line and not in the pictures.
"""

from collections.abc import Sequence
from typing import Any

from gen_jax.core.lines import counted as counted
from gen_jax.core.lines import visible
from gen_jax.data.kinds import IMAGES
from gen_jax.data.source import Source

FEW = 12  # classes that the line counts one by one


def line(data: Source) -> str:
    """`data` in one line, without control characters."""
    parts = [_sizes(data), *([_classes(data)] if data.classes is not None else ["no labels"]), *data.notes]
    return visible(f"{data.name}: {'; '.join(parts)}")


def record(data: Source) -> dict[str, Any]:
    """`data` as JSON values: sizes, shape, names of the classes, train examples of each (None: not counted), notes."""
    return {
        "train": data.train.size,
        "test": data.test.size,
        "shape": list(data.shape),
        "classes": data.classes,
        "class_names": None if data.names is None else [visible(name) for name in data.names],
        "class_counts": None if data.counts is None else list(data.counts),
        "notes": [visible(note) for note in data.notes],
    }


def class_name(data: Source, label: int) -> str:
    """What class number `label` is called: its name, or its number where it has none."""
    return str(label) if data.names is None else visible(data.names[label])


def class_number(data: Source, text: str) -> int | None:
    """The class that a person calls `text`: by its name first, then by its number from 0. None where there is none."""
    if data.names is not None:
        known = [*data.names, *map(visible, data.names)]
        if text in known:
            return known.index(text) % len(data.names)
    number = int(text) if text.isascii() and text.isdigit() else -1
    return number if 0 <= number < (data.classes or 0) else None


def short(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are: "a, b, c and 4 more"."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def _sizes(data: Source) -> str:
    if data.kind is IMAGES:
        height, width, channels = data.shape
        what = f"images of {width}×{height} pixels, {'grey' if channels == 1 else 'RGB'}"
    else:
        what = data.kind.describe(data.shape) if data.kind.mixed else f"{data.kind.name} of {data.shape[-1]} numbers"
    return f"{data.train.size:,} train and {data.test.size:,} test {what}"


def _classes(data: Source) -> str:
    assert data.classes is not None
    names = [class_name(data, label) for label in range(data.classes)]
    what = f"{data.classes:,} {'class' if data.classes == 1 else 'classes'}"
    if data.counts is None:
        return f"{what} ({short(names, FEW)})" if data.names else what
    if data.classes <= FEW:
        listed = ", ".join(f"{name}: {count:,}" for name, count in zip(names, data.counts, strict=False))
        return f"{what} ({listed})"
    empty = [name for name, count in zip(names, data.counts, strict=False) if not count]
    absent = f", none of {short(empty)}" if empty else ""
    return f"{what} ({short(names)}; {min(data.counts):,} to {max(data.counts):,} train examples each{absent})"
