"""Stacked images: three random grey images as the channels of one, so that 10 classes make 1,000 modes to count.

Stacked MNIST of Unrolled GAN (Metz et al. 2017, arXiv:1611.02163) as counted by PacGAN (Lin et al. 2018). Only the
choice of triples is stored; images are composed when read. Train triples come from the train split, test from test.
"""

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.kinds import IMAGES

TRAIN, TEST = 128_000, 26_000


def stacked(base: source.Source, train: int = TRAIN, test: int = TEST) -> source.Source:
    """Stacks grey images [H, W, 1] to [H, W, 3]; label = a K^2 + b K + c for K classes (100a + 10b + c for ten)."""
    if base.kind is not IMAGES or base.shape[-1] != 1:
        raise UserError(f"stacked: needs a source of grey images, but {base.name} has {base.kind.describe(base.shape)}")
    shape = (*base.shape[:2], 3)
    classes = base.classes**3 if base.classes else None
    return source.Source(
        name=f"stacked:{base.name}",
        shape=shape,
        classes=classes,
        fingerprint=source.digest("stacked", base.fingerprint, train, test),
        train=_split(base.train, base.classes, train, shape, seed=0),
        test=_split(base.test, base.classes, test, shape, seed=1),
        notes=base.notes,
    )


def _split(base: source.Split, classes: int | None, size: int, shape: tuple[int, ...], seed: int) -> source.Split:
    # RandomState, unlike default_rng, promises the same stream for ever.
    triples = np.random.RandomState(seed).randint(0, base.size, (size, 3)).astype(np.int32)

    def read(indices: np.ndarray) -> dict[str, np.ndarray]:
        chosen = triples[indices].reshape(-1).astype(np.int64)
        parts = base.read(chosen)
        # [n * 3, H, W, 1] -> [n, H, W, 3]
        images = np.moveaxis(parts["x"].reshape(-1, 3, *shape[:2]), 1, -1)
        batch = {"x": np.ascontiguousarray(images)}
        if classes:
            batch["label"] = (parts["label"].reshape(-1, 3) @ np.array([classes**2, classes, 1])).astype(np.int32)
        return batch

    return source.lazy(size, read, shape, labels=classes is not None)
