"""Labels as they are in files, and as models need them: 0 … K-1, with the names that the values had."""

import numpy as np

from gen_jax.data.reading import short

UNKNOWN = -1  # the label of an example whose class is not told


def numbered(*splits: np.ndarray) -> tuple[list[np.ndarray], tuple[str, ...] | None]:
    """(labels int32 of each split, names). Labels that are 0 … K-1 stay and have no names; of others (from 1, with
    gaps, words) the values that occur are numbered in order, and are the names.
    """
    parts = list(splits)
    if len({labels.dtype.kind for labels in parts}) > 1 and all(labels.dtype.kind in "iu" for labels in parts):
        # NumPy's common type of the two may be a float, whose names would be 0.0 and 2.0. None is negative here.
        parts = [labels.astype(np.uint64) for labels in parts]
    values = np.unique(np.concatenate([np.unique(labels) for labels in parts]))
    if values.dtype.kind in "iu" and np.array_equal(values, np.arange(len(values))):
        return [labels.astype(np.int32) for labels in parts], None
    return [np.searchsorted(values, labels).astype(np.int32) for labels in parts], tuple(map(str, values.tolist()))


def note(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """What to say where labels were numbered anew."""
    if names is None:
        return ()
    return (f"labels {short(names)} are classes 0 to {len(names) - 1}",)


def absent(labels: np.ndarray, classes: int, names: tuple[str, ...] | None, what: str) -> tuple[str, ...]:
    """What to say of classes without examples in a split that is called `what`."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    empty = [names[label] if names else str(label) for label in np.flatnonzero(counts == 0)]
    return (f"no {what} images of {short(empty)}",) if empty else ()
