"""A data set that is too small on purpose: a few training examples of a data set, with all of its held-out ones."""

from pathlib import Path

import numpy as np

FOLDER = Path("runs/failures")


def few(count: int, data: str = "mnist5k") -> str:
    """Writes the file where it is not there yet; returns what `--data` takes."""
    from gen_jax.data import load
    from gen_jax.data.source import whole

    path = FOLDER / f"{data}-{count}.npz"
    if not path.exists():
        source = load.load(data)
        chosen = np.linspace(0, source.train.size - 1, count).astype(np.int64)
        train, test = source.train.read(chosen), whole(source.test)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            train_images=train["x"],
            train_labels=train["label"],
            test_images=test["x"],
            test_labels=test["label"],
        )
    return f"npz:{path}"
