"""`sample RUN`: a grid of samples from a run's model."""

from pathlib import Path
from typing import Annotated

import tyro

from gen_jax.verbs.common import Which, open_state, picture_path, show


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
    import numpy as np

    from gen_jax.core.errors import UserError
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs.abilities import need_sampler
    from gen_jax.runs.given import of_class
    from gen_jax.runs.watching import pictures

    if count < 1:
        raise UserError(f"--count {count}: ask for 1 sample or more")
    prior = need_sampler(opened.algorithm, "sample")
    given = of_class(label, prior.given, opened.source, count)
    function = jax.jit(prior.draw, static_argnums=2)
    view = weights_of(opened.state, averaged=weights == "ema")
    images = np.asarray(function(view, jax.random.key(seed), count, given))
    path = picture_path(run, "samples", out)
    pictures.save_grid(path, images, opened.source)
    if npz is not None:
        np.savez_compressed(npz, images=images)
    show(f"{run}", [("samples", count), ("step", opened.step), ("weights", weights), ("picture", path)], json)
