"""`tfds:NAME`: anything TensorFlow Datasets prepared as array_record and that has an image, read without TensorFlow.

The prepared folder alone is read (its features.json and records), never the builder's code: names, versions and
configurations are found as DATA_DIR/NAME[/CONFIG]/VERSION. Pictures are decoded by Pillow, whatever else is installed.

Splits: "train", and for test the first of "test" and "validation" whose examples have labels; where there is neither, a
fixed pseudo-random 10 % of train is held out.
"""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError, missing_package
from gen_jax.data import images, source

VERSION = re.compile(r"\d+\.\d+\.\d+")
FULL_DIGEST_BYTES = 256 * 2**20  # records up to this size are hashed whole, larger ones at both ends of each file


def tfds(name: str, data_dir: str | None, image_size: int | None = None, channels: int | None = None) -> source.Source:
    """The data set `NAME`, `NAME/CONFIG` or `NAME[/CONFIG]:VERSION` under `data_dir` (TFDS's own default where None).

    Raises UserError when it is unknown, not prepared, prepared in another format, or has no usable image.
    """
    library = package()
    folder = locate(name, directory(data_dir))
    builder = library.builder_from_directory(folder)
    if builder.info.file_format is None or builder.info.file_format.value != "array_record":
        found = getattr(builder.info.file_format, "value", "an unknown format")
        anew = command(name.partition(":")[0], directory(data_dir) / "array_record")
        raise UserError(f"{folder} is prepared as {found}, not array_record; prepare it elsewhere with: {anew}")
    features = builder.info.features
    image, label = _image(name, features, library), _label(features, library)
    height, width, depth = features[image].shape
    channels = channels or (1 if depth == 1 else 3)
    if image_size is None and (height is None or width is None):
        raise UserError(f"tfds:{name} has images of several sizes; choose one with --image-size")
    shape = (int(image_size or height), int(image_size or width), channels)

    def split(part: str) -> source.Split:
        records = builder.as_data_source(split=part, decoders={image: library.decode.SkipDecoding()})

        def read(indices: np.ndarray) -> dict[str, np.ndarray]:
            examples = records.__getitems__([int(i) for i in indices])
            pictures = np.empty((len(examples), *shape), np.uint8)
            for i, example in enumerate(examples):
                pictures[i] = images.decode(example[image], image_size, channels)
            batch: dict[str, np.ndarray] = {"x": pictures}
            if label:
                batch["label"] = np.array([example[label] for example in examples], np.int32)
            return batch

        return source.lazy(len(records), read, shape, labels=label is not None)

    train, test = _splits(name, list(builder.info.splits), split)
    return source.Source(
        name=f"tfds:{name}",
        shape=shape,
        classes=features[label].num_classes if label else None,
        fingerprint=source.digest("tfds", _fingerprint(folder), shape, test.size),
        train=_kept(train, f"{name} train"),
        test=_kept(test, f"{name} test"),
    )


def package() -> Any:
    """tensorflow_datasets, imported late; UserError where it is not installed."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        missing = error.name or "tensorflow-datasets"
        raise missing_package(missing, "pip install -r requirements.txt", "a tfds: data set") from None
    return tensorflow_datasets


def directory(data_dir: str | None) -> Path:
    """Where prepared data sets lie: `data_dir`, or else TFDS's default (~/tensorflow_datasets or $TFDS_DATA_DIR)."""
    return Path(data_dir or package().core.constants.DATA_DIR).expanduser()


def command(name: str, root: Path) -> str:
    """What a person types to prepare a data set."""
    return f"python -m gen_jax prepare {name} --data-dir {root}"


def check_name(name: str) -> None:
    """Raises UserError, suggesting a close match, unless TFDS knows a data set of this name (NAME or NAME/CONFIG)."""
    import difflib

    known = package().list_builders(with_community_datasets=False)
    plain = name.partition(":")[0].partition("/")[0]
    if plain not in known:
        close = difflib.get_close_matches(plain, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "see https://www.tensorflow.org/datasets/catalog"
        raise UserError(f"TensorFlow Datasets has no data set named {plain!r}; {hint}")


def locate(name: str, root: Path) -> Path:
    """The folder of the newest prepared version, or of the one that `name` asks for. Raises UserError without one."""
    plain, _, version = name.partition(":")
    folder = root / plain
    if not _versions(folder) and folder.is_dir():
        configs = [child.name for child in sorted(folder.iterdir()) if child.is_dir() and _versions(child)]
        if len(configs) > 1:
            options = ", ".join(f"tfds:{plain}/{config}" for config in configs)
            raise UserError(f"{plain} is prepared in several configurations; choose one of {options}")
        folder = folder / configs[0] if configs else folder
    versions = _versions(folder)
    if not versions:
        check_name(plain)
        raise UserError(f"{plain} is not prepared in {root}; prepare it with: {command(plain, root)}")
    if version and version not in versions:
        raise UserError(f"{plain} has no version {version} in {root}; prepared are {', '.join(versions)}")
    return folder / (version or versions[-1])


def _versions(folder: Path) -> list[str]:
    """Prepared versions in a folder, oldest first."""
    found = [info.parent.name for info in folder.glob("*/dataset_info.json") if VERSION.fullmatch(info.parent.name)]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


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
    found = [key for key, value in features.items() if isinstance(value, library.features.ClassLabel)]
    return "label" if "label" in found else found[0] if len(found) == 1 else None


def _splits(name: str, names: list[str], split: Any) -> tuple[source.Split, source.Split]:
    if "train" not in names:
        raise UserError(f"tfds:{name} has no split called train, only {', '.join(names)}")
    train = split("train")
    for candidate in (split(part) for part in ("test", "validation") if part in names):
        # Some published test splits are unlabelled: every label is -1.
        if candidate.size and candidate.read(np.arange(1)).get("label", np.zeros(1))[0] >= 0:
            return train, candidate
    kept, held_out = source.holdout(train.size)
    return source.subset(train, kept), source.subset(train, held_out)


def _kept(split: source.Split, what: str) -> source.Split:
    """The split in memory if it is small enough, with a line of progress on stderr when that takes a while."""
    if split.nbytes > source.IN_MEMORY_BYTES:
        return split
    parts = []
    for start in range(0, split.size, 5000):
        parts.append(split.read(np.arange(start, min(start + 5000, split.size))))
        if split.size > 5000 and sys.stderr.isatty():
            sys.stderr.write(f"\rdecoding {what}: {min(start + 5000, split.size):,} of {split.size:,} images")
    if split.size > 5000 and sys.stderr.isatty():
        sys.stderr.write("\n")
    return source.in_memory({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})


def _fingerprint(folder: Path) -> str:
    """Of the description of the splits and features and of the records: whole, or both ends of each file when large."""
    records = sorted(path for path in folder.iterdir() if path.is_file() and ".array_record" in path.name)
    everything = sum(path.stat().st_size for path in records) <= FULL_DIGEST_BYTES
    parts: list[Any] = [(folder / "features.json").read_bytes()]
    for path in records:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(size if everything else 2**20)
            if not everything:  # the end holds ArrayRecord's index of chunks, which moves with any record's length
                file.seek(max(0, size - 2**20))
                data += file.read()
        parts += [path.name, size, data]
    return source.digest(*parts)
