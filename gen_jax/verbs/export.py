"""`export RUN --out DIR`: a run's networks as files that need no gen_jax."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Whole
from gen_jax.runs import outputs
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, show


def export(
    run: tyro.conf.Positional[Path],
    out: Path,
    weights: Which = "ema",
    step: Whole | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Write a run's decoder (or generator) and encoder as programs of jax.export, for CPU and CUDA and any batch size,
    with their weights as safetensors.

    Args:
        run: the run folder
        out: the folder to write into
        weights: averaged (ema) or raw weights
        step: which checkpoint; the newest by default
        json: print JSON
    """
    outputs.folder(out, "--out")
    opened = open_state(run, step, trust, access, {"--out": out})
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import export as exports

    written = exports.export(opened, weights_of(opened.state, averaged=weights == "ema"), out)
    files = ", ".join(path.name for path in written)
    show(f"{run}", [("step", opened.step), ("weights", weights), ("folder", out), ("files", files)], json)
