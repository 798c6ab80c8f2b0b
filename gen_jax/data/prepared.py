"""Folders that TensorFlow Datasets prepared: found as DATA_DIR/NAME[/CONFIG]/VERSION, and opened without running code.

TFDS imports whatever module features.json names, and would read records wherever dataset_info.json says. Both files are
looked through before: features must be TFDS's own, and records lie in the folder.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core.errors import UserError, missing_package
from gen_jax.core.near import near
from gen_jax.data import source

VERSION = re.compile(r"\d+\.\d+\.\d+")
NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(:\d+\.\d+\.\d+)?")
FULL_DIGEST_BYTES = 256 * 2**20  # records up to this size are hashed whole, larger ones at both ends of each file
OF_CLASSES = ("type", "pythonClassName", "python_class_name")  # where features.json names classes


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
    known = package().list_builders(with_community_datasets=False)
    plain = name.partition(":")[0].partition("/")[0]
    if plain not in known:
        close = near(plain, known)
        hint = f"did you mean {close[0]}?" if close else "see https://www.tensorflow.org/datasets/catalog"
        raise UserError(f"TensorFlow Datasets has no data set named {plain!r}; {hint}")


def locate(name: str, root: Path) -> Path:
    """The folder of the newest prepared version, or of the one that `name` asks for. Raises UserError without one."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"tfds:{name} is no name of a data set: NAME, NAME/CONFIG or NAME[/CONFIG]:1.2.3, inside {root}"
        )
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


def builder(name: str, data_dir: str | None) -> tuple[Any, Path]:
    """(TFDS's reader of a prepared data set, its folder). Raises UserError for a damaged or other one."""
    root = directory(data_dir)
    folder = locate(name, root)
    library = package()
    anew = command(name.partition(":")[0], root)
    description = _json(folder / "dataset_info.json", anew)
    for split in description.get("splits", []) if isinstance(description.get("splits", []), list) else []:
        pattern = str(split.get("filepathTemplate", "") if isinstance(split, dict) else split)
        if "/" in pattern or ".." in pattern:
            raise UserError(f"{folder}/dataset_info.json names records elsewhere ({pattern}); {_again(anew)}")
    for named in _class_names(_json(folder / "features.json", anew)):
        if not _is_own(named, library):
            raise UserError(
                f"{folder}/features.json names {named}, which is no feature of TensorFlow Datasets; nothing that "
                "a data set names is imported"
            )
    try:
        found = library.builder_from_directory(folder)
        features, splits = found.info.features, found.info.splits
        if not hasattr(features, "items") or not splits:
            raise ValueError("it describes no features or no splits")
        form = getattr(found.info.file_format, "value", None)
    except Exception as error:  # protobuf, etils and TFDS raise what they like for a description that is damaged
        raise UserError(f"{folder} cannot be read ({_reason(error)}); {_again(anew)}") from None
    if form != "array_record":
        other = command(name.partition(":")[0], root / "array_record")
        raise UserError(
            f"{folder} is prepared as {form or 'an unknown format'}, not array_record; "
            f"prepare it elsewhere with: {other}"
        )
    return found, folder


def records(builder: Any, split: str, image: str, library: Any) -> Any:
    """The examples of a split by number, pictures not decoded. Raises UserError for records that are missing."""
    try:
        return builder.as_data_source(split=split, decoders={image: library.decode.SkipDecoding()})
    except Exception as error:  # as above
        raise UserError(f"tfds:{builder.info.name}: split {split} cannot be read ({_reason(error)})") from None


def examples(records: Any, indices: np.ndarray, needed: Sequence[str], what: str) -> list[Any]:
    """Some examples, with all entries that are needed. Raises UserError, naming `what`, for damaged records."""
    try:
        found = list(records.__getitems__([int(i) for i in indices]))
        if any(example[key] is None for example in found for key in needed):
            raise ValueError(f"an example lacks its {' or '.join(needed)}")
        return found
    except Exception as error:  # as above
        raise UserError(f"{what}: its records are damaged ({_reason(error)}); prepare the data set anew") from None


def fingerprint(folder: Path) -> str:
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


def _versions(folder: Path) -> list[str]:
    """Prepared versions in a folder, oldest first."""
    found = [info.parent.name for info in folder.glob("*/dataset_info.json") if VERSION.fullmatch(info.parent.name)]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def _json(path: Path, anew: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({_reason(error)}); {_again(anew)}") from None
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} describes nothing; {_again(anew)}")
    return found


def _class_names(value: Any) -> Iterator[str]:
    """All names of classes in features.json, also in the JSON that stands in it as text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in OF_CLASSES and isinstance(inner, str):
                yield inner
            elif key == "json" and isinstance(inner, str):
                try:
                    yield from _class_names(json.loads(inner))
                except (ValueError, RecursionError):
                    continue  # not JSON: TFDS will refuse it
            else:
                yield from _class_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _class_names(inner)


def _is_own(named: str, library: Any) -> bool:
    """Whether a class is one that TFDS offers, under the module that it comes from."""
    module, _, plain = named.rpartition(".")
    if not module:
        return True  # a type of another meaning ("uint8"), which nothing imports
    kind = getattr(library.features, plain, None)
    return module.startswith("tensorflow_datasets.core.features.") and getattr(kind, "__module__", None) == module


def _again(anew: str) -> str:
    return f"remove the folder and prepare it anew: {anew}"


def _reason(error: Exception, limit: int = 200) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
