"""`reconstruct RUN`: held-out examples above their reconstructions."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Sample, Whole
from gen_jax.core.lines import counted
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, picture_path, show


def reconstruct(
    run: tyro.conf.Positional[Path],
    count: Sample = 16,
    weights: Which = "ema",
    step: Whole | None = None,
    out: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Encode held-out examples and decode the posterior means.

    Args:
        run: the run folder
        count: how many examples, spread over the test split
        weights: averaged (ema) or raw weights
        step: which checkpoint; the newest by default
        out: the PNG to write; by default RUN/pictures/reconstructions.png
        json: print JSON
    """
    path = picture_path(run, "reconstructions", out)
    opened = open_state(run, step, trust, access, {"--out": out})
    import jax
    import numpy as np

    from gen_jax.core.errors import UserError
    from gen_jax.core.types import given_of
    from gen_jax.core.types import weights as weights_of
    from gen_jax.data.feed import to_batch
    from gen_jax.runs.abilities import need
    from gen_jax.runs.watching import pictures

    algorithm, test = opened.algorithm, opened.source.test
    encode, decode = need(algorithm, "encode", "reconstruct"), need(algorithm, "decode", "reconstruct")
    if not 1 <= count <= test.size:
        raise UserError(f"--count {count}: test has {counted(test.size, 'example')}; ask for 1 to {test.size}")
    batch = to_batch(test.read(np.linspace(0, test.size - 1, count).astype(np.int64)))
    view = weights_of(opened.state, averaged=weights == "ema")

    @jax.jit
    def function(view, batch):
        return decode(view, encode(view, batch)["mean"], given_of(batch, opened.algorithm.given))

    images, again = np.asarray(batch["x"]), np.asarray(function(view, batch))
    pictures.save_pairs(path, images, again, opened.source)
    error = float(np.mean((images - again) ** 2))
    rows = [("examples", count), ("step", opened.step), ("mean squared error", error), ("picture", path)]
    show(f"{run}", rows, json)
