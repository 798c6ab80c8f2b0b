"""`sample RUN`: a grid of samples from a run's model."""

import io
from pathlib import Path
from typing import Annotated

import tyro

from gen_jax.core.domains import Sample, Seed, Whole
from gen_jax.core.errors import UserError
from gen_jax.runs import outputs
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def sample(
    run: tyro.conf.Positional[Path],
    count: Sample = 64,
    seed: Seed = 0,
    weights: Which = "ema",
    label: str | None = None,
    sampler: str = "prior",
    step: Whole | None = None,
    out: Path | None = None,
    npz: Path | None = None,
    to: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Draw samples and save them as a picture.

    Args:
        run: the run folder
        count: how many samples
        seed: of the latents
        weights: the generator's average (ema) or its raw weights
        label: the class, by name or number, of a conditional model's samples; by default all classes in turn
        sampler: one of the model's, with its options, as `evaluate` takes it: truncated:0.7, heun:20
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/samples.png
        to: write the samples that `evaluate` scores with this seed, a PNG each, into this new folder, and no picture
        npz: also save the samples themselves, float32 in [-1, 1], in this .npz
        json: print JSON
    """
    path = picture_path(run, "samples", out)
    if npz is not None:
        outputs.file(npz, "--npz", ".npz")
    if to is not None:
        outputs.folder(to, "--to")
        if npz is not None or out is not None or label is not None or sampler != "prior":
            raise UserError(
                "--to writes the samples that `evaluate` scores, each in a file; leave out --out, --npz, --label, "
                "--sampler"
            )
    opened = open_state(run, step, trust, access)
    import numpy as np

    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import drawing, sample_files
    from gen_jax.runs.files import atomic_write_bytes
    from gen_jax.runs.given import by_class, shown
    from gen_jax.runs.watching import pictures

    view = weights_of(opened.state, averaged=weights == "ema")
    if to is not None:
        written = sample_files.write(opened, view, to, count, seed)
        rows = [("samples", written), ("step", opened.step), ("weights", weights), ("folder", to)]
        show(f"{run}", rows, json)
        return
    images, given = drawing.draw(opened, view, count, seed, label, sampler)
    named = by_class(images, given, opened.source)
    if named is None:
        pictures.save_grid(path, images, opened.source)
    else:
        pictures.save_rows(path, *named, opened.source)
    if npz is not None:
        content = io.BytesIO()
        np.savez_compressed(content, images=images)
        atomic_write_bytes(npz, content.getvalue())
    told = [("classes", shown(label, given, opened.source))] if "label" in given else []
    rows = [("samples", count), *told, ("step", opened.step), ("weights", weights), ("picture", path)]
    show(f"{run}", rows, json)
