"""`npz:PATH`: arrays in one NumPy file, uint8 [N, H, W] or [N, H, W, C] with C 1 or 3, and integer labels or none.

Names: train_images, test_images (train_labels, test_labels), or x_train, x_test (y_train, y_test), or images (labels),
of which a fixed pseudo-random 10 % is held out to test.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data import source

PAIRS = (("train_images", "train_labels", "test_images", "test_labels"), ("x_train", "y_train", "x_test", "y_test"))


def npz(path: str) -> source.Source:
    """Reads the file into memory. Raises UserError for a missing or damaged file and for arrays of another kind."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"npz:{path}: there is no such file")
    try:
        with np.load(file, allow_pickle=False) as loaded:
            arrays = {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, AttributeError) as error:
        raise UserError(f"npz:{path} is not a sound .npz file ({' '.join(str(error).split())})") from None
    train, test = _splits(path, arrays)
    if train["x"].shape[1:] != test["x"].shape[1:]:
        raise UserError(f"npz:{path}: train images are {train['x'].shape[1:]}, test images {test['x'].shape[1:]}")
    if ("label" in train) != ("label" in test):
        raise UserError(f"npz:{path}: only one of train and test has labels; give both or neither")
    classes = None
    if "label" in train:
        classes = 1 + max(int(train["label"].max()), int(test["label"].max()))
    return source.from_arrays(f"npz:{file.name}", train, test, classes)


def _splits(path: str, arrays: Mapping[str, np.ndarray]) -> tuple[source.Arrays, source.Arrays]:
    for images, labels, test_images, test_labels in PAIRS:
        if images in arrays and test_images in arrays:
            return _checked(path, arrays, images, labels), _checked(path, arrays, test_images, test_labels)
    if "images" not in arrays:
        raise UserError(
            f"npz:{path} must hold train_images and test_images, or x_train and x_test, or images; "
            f"it holds {', '.join(arrays) or 'nothing'}"
        )
    everything = _checked(path, arrays, "images", "labels")
    if len(everything["x"]) < 2:
        raise UserError(f"npz:{path}: images holds one image; at least 2 are needed, one of them to test")
    kept, held_out = source.holdout(len(everything["x"]))
    train, test = ({key: a[chosen] for key, a in everything.items()} for chosen in (kept, held_out))
    return train, test


def _checked(path: str, arrays: Mapping[str, np.ndarray], images: str, labels: str) -> source.Arrays:
    image = arrays[images]
    if image.dtype != np.uint8:
        raise UserError(f"npz:{path}: {images} is {image.dtype}; uint8 pixels of 0..255 are needed")
    if image.ndim not in (3, 4) or 0 in image.shape:
        raise UserError(
            f"npz:{path}: {images} has shape {image.shape}; [N, H, W] or [N, H, W, C] is needed, none of them 0"
        )
    image = image[..., None] if image.ndim == 3 else image
    if image.shape[-1] not in (1, 3):
        raise UserError(
            f"npz:{path}: {images} has {image.shape[-1]} channels (shape {image.shape}); 1 or 3 are needed, last"
        )
    if labels not in arrays:
        return {"x": image}
    label = arrays[labels]
    label = label[:, 0] if label.ndim == 2 and label.shape[1] == 1 else label
    if label.shape != (len(image),) or not np.issubdtype(label.dtype, np.integer):
        raise UserError(
            f"npz:{path}: {labels} is {label.dtype} {label.shape}; {len(image)} integers are needed, one an image"
        )
    if label.min() < 0 or label.max() > 2**20:
        raise UserError(f"npz:{path}: {labels} runs from {label.min()} to {label.max()}; classes count from 0")
    return {"x": image, "label": label.astype(np.int32)}
