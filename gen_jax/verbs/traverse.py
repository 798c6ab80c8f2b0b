"""`traverse RUN`: one latent dimension at a time moved from end to end, a row a dimension."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Frames, Positive, Size, Whole
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def traverse(
    run: tyro.conf.Positional[Path],
    dimensions: Size = 10,
    frames: Frames = 11,
    extent: Positive = 3.0,
    example: Whole = 0,
    weights: Which = "ema",
    step: Whole | None = None,
    out: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Start at the code of a held-out example and move single dimensions over [-extent, extent].

    Where the posterior's spread is known, the dimensions with the largest KL to the prior are shown, most first:
    those are the ones that the model uses. A model without an encoder starts at a latent of the prior. Where a model
    has codes beside noise (infogan, clustergan), they are what is shown: a picture a category, then the numbers.

    Args:
        run: the run folder
        dimensions: how many rows
        frames: pictures a row; where a model has categories, there is one for each
        extent: how far to go each way, in standard deviations of the prior
        example: which held-out example to start from
        weights: averaged (ema) or raw weights
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/traversal.png
        json: print JSON
    """
    path = picture_path(run, "traversal", out)
    opened = open_state(run, step, trust, access, {"--out": out})
    import jax
    import jax.numpy as jnp
    import numpy as np

    from gen_jax.core.errors import UserError
    from gen_jax.core.types import given_of
    from gen_jax.core.types import weights as weights_of
    from gen_jax.data.feed import to_batch
    from gen_jax.runs import memory, traversing
    from gen_jax.runs.abilities import need
    from gen_jax.runs.given import say_unlearnt
    from gen_jax.runs.watching import pictures

    algorithm, test = opened.algorithm, opened.source.test
    decode = need(algorithm, "decode", "traverse")
    view = weights_of(opened.state, averaged=weights == "ema")
    if not 0 <= example < test.size:
        raise UserError(f"--example {example}: the test split has examples 0 to {test.size - 1}")
    batch = to_batch(test.read(np.arange(min(test.size, 256))))
    start = to_batch(test.read(np.array([example])))
    given = given_of(start, algorithm.given)
    say_unlearnt(given, opened.source)
    if algorithm.encode:
        used = _kl(jax.jit(algorithm.encode)(view, batch))
        base = algorithm.encode(view, start)["mean"][0]
    else:
        base = need(algorithm, "prior", "traverse")(view, jax.random.key(example), 1, given)[0]
        used = None
    if base.ndim != 1:
        raise UserError(f"traverse moves the entries of a latent vector, and this model's latents are {base.shape}")
    count = min(dimensions, base.shape[0])
    points = jax.ShapeDtypeStruct((count * frames, *base.shape), base.dtype)
    shapes = {name: jax.ShapeDtypeStruct((count * frames, *v.shape[1:]), v.dtype) for name, v in given.items()}
    memory.refuse("--frames", frames, decode, view, points, shapes)
    way, begin = traversing.Way(dimensions, frames, extent), np.asarray(base)
    codes = algorithm.codes
    rows = traversing.codes(begin, codes, way) if codes else traversing.entries(begin, used, way)
    count, frames = rows.latents.shape[:2]
    along = {name: jnp.repeat(value, count * frames, axis=0) for name, value in given.items()}
    images = np.asarray(jax.jit(decode)(view, rows.latents.reshape(count * frames, -1), along))
    pictures.save_rows(path, images.reshape(count, frames, *images.shape[1:]), rows.names, opened.source)
    shown = ", ".join(name.partition("  ")[0] for name in rows.names)
    show(f"{run}", [("dimensions", shown), ("step", opened.step), ("picture", path)], json)


def _kl(codes):
    """Mean KL of each latent dimension to N(0, 1), nats [d]; None where the encoder gives no spread."""
    import numpy as np

    if "log_variance" not in codes:
        return None
    mean, log_variance = np.asarray(codes["mean"]), np.asarray(codes["log_variance"])
    return 0.5 * (mean**2 + np.exp(log_variance) - 1.0 - log_variance).mean(axis=0)
