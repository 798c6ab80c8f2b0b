"""`prepare NAME`: have TFDS prepare a data set, once, so that `--data tfds:NAME` can read it."""

from pathlib import Path

import tyro

from gen_jax.verbs.common import show


def prepare(
    name: tyro.conf.Positional[str],
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    json: bool = False,
) -> None:
    """Download (or read from --manual-dir) and prepare a data set as array_record. Needs TensorFlow; training does not.

    Args:
        name: what TFDS calls it, such as fashion_mnist or celeb_a
        data_dir: where to put it; by default TFDS's own folder, ~/tensorflow_datasets
        manual_dir: a folder with the original files, where they must not or cannot be downloaded
        json: print JSON
    """
    from gen_jax.data.prepare import prepare as prepare_data

    path = prepare_data(name, str(data_dir) if data_dir else None, str(manual_dir) if manual_dir else None)
    show(name, [("prepared", path), ("use it with", f"--data tfds:{name}")], json)
