"""Preparing a TensorFlow Datasets data set as array_record: the one place that needs TensorFlow (reading does not)."""

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gen_jax.core.errors import UserError, missing_package
from gen_jax.data import tfds


def prepare(name: str, data_dir: str | None = None, manual_dir: str | None = None) -> Path:
    """Downloads (or takes from `manual_dir`) and writes NAME[/CONFIG][:VERSION] under `data_dir`; returns its folder.

    Raises UserError when the name is unknown, TensorFlow is missing, or files must first be fetched by hand.
    """
    library, root = tfds.package(), tfds.directory(data_dir)
    tfds.check_name(name)
    if manual_dir is not None and not Path(manual_dir).is_dir():
        raise UserError(f"--manual-dir {manual_dir} is not a folder; put the downloaded files of {name} into one")
    if importlib.util.find_spec("tensorflow") is None:
        raise missing_package("tensorflow", "pip install tensorflow-cpu", "preparing a data set (reading it does not)")
    try:
        existing = library.builder(name, data_dir=root)
        if existing.is_prepared() and existing.info.file_format.value != "array_record":
            elsewhere = tfds.command(name, root / "array_record")
            raise UserError(f"{existing.data_dir} holds it in another format; prepare it elsewhere with: {elsewhere}")
        builder = library.builder(name, data_dir=root, file_format="array_record")
    except (ValueError, library.core.registered.DatasetNotFoundError) as error:
        raise UserError(f"TensorFlow Datasets has no {name}: {_line(error)}") from error
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions and (manual_dir is None or not any(Path(manual_dir).iterdir())):
        raise UserError(
            f"{name} must be downloaded by hand: put its files in a folder and pass --manual-dir. {_line(instructions)}"
        )
    try:
        with _own_extraction(root, manual_dir) as extract_dir:
            config = library.download.DownloadConfig(manual_dir=manual_dir, extract_dir=extract_dir)
            builder.download_and_prepare(download_config=config)
    except (OSError, AssertionError, library.download.DownloadError) as error:
        raise UserError(
            f"{name} could not be prepared ({_line(error)}); check the connection and the disk, "
            "or put the files into a folder and pass --manual-dir"
        ) from error
    return Path(builder.data_dir)


@contextlib.contextmanager
def _own_extraction(root: Path, manual_dir: str | None) -> Iterator[str | None]:
    """A new folder to unpack the files of `manual_dir` into. TFDS keeps what it unpacks by the name of the file alone,
    and would take MNIST's train-images for Fashion-MNIST's, which are called the same."""
    if manual_dir is None:
        yield None
        return
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix="unpacked-") as folder:
        yield folder


def _line(message: object, limit: int = 300) -> str:
    """A message in one line of at most `limit` characters."""
    text = " ".join(str(message).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
