"""`interpolate RUN`: straight walks between pairs of latents, a row a pair."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Frames, Picture, Seed, Whole
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def interpolate(
    run: tyro.conf.Positional[Path],
    pairs: Picture = 6,
    frames: Frames = 10,
    seed: Seed = 0,
    weights: Which = "ema",
    label: str | None = None,
    step: Whole | None = None,
    out: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Decode points on the great circle (slerp) between two latents of the prior, row by row.

    Args:
        run: the run folder
        pairs: how many rows
        frames: pictures a row, ends included
        seed: of the latents
        weights: averaged (ema) or raw weights
        label: the class, by name or number, of a conditional model's pictures; by default one class a row
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/interpolations.png
        json: print JSON
    """
    path = picture_path(run, "interpolations", out)
    opened = open_state(run, step, trust, access, {"--out": out})
    import jax
    import jax.numpy as jnp
    import numpy as np

    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import memory
    from gen_jax.runs.abilities import need
    from gen_jax.runs.given import of_class, say_unlearnt
    from gen_jax.runs.watching import pictures

    prior, decode = need(opened.algorithm, "prior", "interpolate"), need(opened.algorithm, "decode", "interpolate")
    view = weights_of(opened.state, averaged=weights == "ema")
    given = of_class(label, opened.algorithm.given, opened.source, pairs)
    say_unlearnt(given, opened.source)
    both = {name: jnp.concatenate([value, value]) for name, value in given.items()}
    ends = prior(view, jax.random.key(seed), 2 * pairs, both)
    points = jax.ShapeDtypeStruct((pairs * frames, *ends.shape[1:]), ends.dtype)
    shapes = {name: jax.ShapeDtypeStruct((pairs * frames, *v.shape[1:]), v.dtype) for name, v in given.items()}
    memory.refuse("--pairs", pairs, decode, view, points, shapes)
    path_latents = slerp(ends[:pairs], ends[pairs:], jnp.linspace(0.0, 1.0, frames))
    along = {name: jnp.repeat(value, frames, axis=0) for name, value in given.items()}
    images = np.asarray(jax.jit(decode)(view, path_latents.reshape(pairs * frames, *ends.shape[1:]), along))
    pictures.save_grid(path, images, opened.source, columns=frames)
    show(f"{run}", [("pairs", pairs), ("frames", frames), ("step", opened.step), ("picture", path)], json)


def slerp(start, end, positions):
    """Spherical interpolation of Gaussian latents [P, ...] at positions [F] -> [P, F, ...] (White 2016,
    arXiv:1609.04468): a straight line would pass through norms that the prior almost never has."""
    import jax.numpy as jnp

    a, b = start.reshape(len(start), 1, -1), end.reshape(len(end), 1, -1)
    cosine = (a * b).sum(-1, keepdims=True) / jnp.maximum(
        jnp.linalg.norm(a, axis=-1, keepdims=True) * jnp.linalg.norm(b, axis=-1, keepdims=True), 1e-12
    )
    angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
    t = positions[None, :, None]
    sine = jnp.sin(angle)
    straight = (1 - t) * a + t * b
    safe = jnp.where(sine < 1e-4, 1.0, sine)
    curved = (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / safe
    return jnp.where(sine < 1e-4, straight, curved).reshape(len(start), len(positions), *start.shape[1:])
