"""Samples as files, one PNG each, for scorers of other projects: the very samples that `evaluate` measures."""

import io
from pathlib import Path

from gen_jax.core.errors import UserError
from gen_jax.core.types import Weights
from gen_jax.metrics.features import as_uint8
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.files import writing
from gen_jax.runs.opened import Opened


def write(opened: Opened, weights: Weights, folder: Path, count: int, seed: int) -> int:
    """00000.png, 00001.png, … of the first sample set of `evaluate --seed SEED`, 8 bits a channel; how many there are.

    Classes of a conditional model are those of the test split in order, as there. Raises UserError for a folder that
    holds files already (a scorer would count them), for samples that are no images, and where the model has no prior.
    """
    from PIL import Image

    if len(opened.source.shape) != 3:
        raise UserError(f"--to writes images, and {opened.source.name} holds {opened.source.kind.name}; use --npz")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"--to {folder} holds files already, which a scorer would count too; give a new folder")
    subject = Subject(opened.algorithm, weights, opened.source, opened.config, Options(seed=seed))
    subject.need_samples("--to")
    digits, number = max(5, len(str(count - 1))), 0
    for images, _ in subject.batches(count, repeat=0):
        for image in as_uint8(images):
            content = io.BytesIO()
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(content, "PNG")
            path = folder / f"{number:0{digits}d}.png"
            with writing(path):  # not one by one to the disk, as files of a run are: there may be 50,000
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.getvalue())
            number += 1
    return number
