"""`sample RUN`: a grid of samples from a run's model."""

from pathlib import Path
from typing import Annotated

import tyro

from gen_jax.verbs.common import Which, need, open_state, picture_path, show


def sample(
    run: tyro.conf.Positional[Path],
    count: int = 64,
    seed: int = 0,
    weights: Which = "ema",
    label: int | None = None,
    step: int | None = None,
    out: Path | None = None,
    npz: Path | None = None,
    json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Draw samples and save them as a picture.

    Args:
        run: the run folder
        count: how many samples
        seed: of the latents
        weights: the generator's average (ema) or its raw weights
        label: of a conditional model's samples; by default all classes in turn
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/samples.png
        npz: also save the samples themselves, float32 in [-1, 1]
        json: print JSON
    """
    opened = open_state(run, step)
    import jax
    import jax.numpy as jnp
    import numpy as np

    from gen_jax.core.errors import UserError
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import heldout, pictures

    if count < 1:
        raise UserError(f"--count {count}: ask for 1 sample or more")
    classes = opened.source.classes
    if label is not None and not 0 <= label < (classes or 0):
        raise UserError(f"--label {label}: this run's data has {classes or 'no'} classes, counted from 0")
    draw = need(opened.algorithm, "sample", "sample")
    given = heldout.fixed_labels(count, classes) if label is None else jnp.full(count, label, jnp.int32)
    function = jax.jit(draw, static_argnums=2)
    view = weights_of(opened.state, averaged=weights == "ema")
    images = np.asarray(function(view, jax.random.key(seed), count, given))
    path = picture_path(run, "samples", out)
    pictures.save_grid(path, images, opened.source)
    if npz is not None:
        np.savez_compressed(npz, images=images)
    show(f"{run}", [("samples", count), ("step", opened.step), ("weights", weights), ("picture", path)], json)
