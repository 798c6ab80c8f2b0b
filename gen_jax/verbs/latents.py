"""`latents RUN`: where held-out examples lie in the latent space, by class, and what two dimensions decode to."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from gen_jax.core.domains import Frames, Interval, Whole
from gen_jax.core.threads import one_thread
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def latents(
    run: tyro.conf.Positional[Path],
    split: Literal["test", "train"] = "test",
    frames: Frames = 20,
    coverage: Annotated[float, Interval(0, 1, "open")] = 0.95,
    weights: Which = "ema",
    step: Whole | None = None,
    out: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Draw the codes of a split, coloured by class; codes of more than two dimensions by their principal components.

    A model with two latent dimensions also gets its manifold: the images decoded at a grid of quantiles of the
    standard normal prior (Kingma & Welling 2014, figure 4).

    Args:
        run: the run folder
        split: which examples to encode
        frames: pictures a side of the manifold
        coverage: probability under the prior that each axis of the manifold spans
        weights: averaged (ema) or raw weights
        step: which checkpoint; the newest by default
        out: the PNG of the scatter; by default RUN/pictures/latents.png (the manifold lies beside it, as manifold.png
            or OUT_manifold.png)
        json: print JSON
    """
    path = picture_path(run, "latents", out)
    opened = open_state(run, step, trust, access, {"--out": out})
    import jax
    import jax.numpy as jnp
    import numpy as np

    from gen_jax.core.errors import UserError
    from gen_jax.core.types import weights as weights_of
    from gen_jax.data.feed import to_batch
    from gen_jax.data.kinds import IMAGES
    from gen_jax.runs import figures, memory
    from gen_jax.runs.abilities import need
    from gen_jax.runs.watching import pictures

    algorithm, examples = opened.algorithm, opened.source.split(split)
    encode = jax.jit(need(algorithm, "encode", "latents"))
    view = weights_of(opened.state, averaged=weights == "ema")
    codes, labels = [], []
    for start in range(0, examples.size, 250):
        batch = to_batch(examples.read(np.arange(start, min(start + 250, examples.size))))
        codes.append(np.asarray(encode(view, batch)["mean"], np.float64))
        labels.append(np.asarray(batch["label"]) if "label" in batch else np.zeros(len(codes[-1]), np.int32))
    found, classes = np.concatenate(codes), np.concatenate(labels)
    if found.ndim != 2:
        raise UserError(f"latents draws latent vectors, and this model's latents are of shape {found.shape[1:]}")
    # One manifold needs one decoder: a model that is given something has one for each.
    flat = found.shape[1] == 2 and not algorithm.given and opened.source.kind is IMAGES
    decode = algorithm.decode if flat else None
    if decode:
        points = jax.ShapeDtypeStruct((frames * frames, 2), jnp.float32)
        memory.refuse("--frames", frames, decode, view, points)
    names, plane = ("z0", "z1"), found
    rows = [("examples", f"{len(found)} {split} examples of {opened.source.name}"), ("step", opened.step)]
    if found.shape[1] != 2:
        plane, share = principal(found)
        names = tuple(f"component {i + 1} ({part:.0%} of the variance)" for i, part in enumerate(share))
        rows.append(("drawn", f"2 principal components of {found.shape[1]} dimensions, {share.sum():.0%} of variance"))
    figures.classes(path, plane, classes if opened.source.classes else None, names, opened.source.names)
    rows.append(("picture", path))
    if decode:
        ends = (1.0 - coverage) / 2.0
        line = jax.scipy.stats.norm.ppf(jnp.linspace(ends, 1.0 - ends, frames))
        grid = jnp.stack(jnp.meshgrid(line, line[::-1]), -1).reshape(-1, 2)  # z1 grows upwards, as in the scatter
        images = np.asarray(jax.jit(decode)(view, grid))
        beside = path.with_name("manifold.png" if out is None else f"{path.stem}_manifold.png")
        pictures.save_grid(beside, images, opened.source, columns=frames)
        rows.append(("manifold", beside))
    show(f"{run}", rows, json)


@one_thread()
def principal(codes):
    """(codes [N, D] on their first two principal axes [N, 2], the shares of variance [2])."""
    import numpy as np

    centred = codes - codes.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(codes), 2))
    plane[:, : min(2, len(s))] = (u * s)[:, :2]
    share = np.zeros(2)
    share[: min(2, len(s))] = (s**2 / np.maximum((s**2).sum(), 1e-30))[:2]
    return plane, share
