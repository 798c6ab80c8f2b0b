"""Weights & Biases, as it is: its own variables (WANDB_PROJECT, WANDB_MODE=offline, …) say where and how.

A run that is continued is continued there, by the identifier in the folder's wandb.json. The horizontal axis is `step`,
so that steps which a killed sitting had told already, and which are told again, find their place.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.shapes import read

FILE = "wandb.json"


class Run:
    def __init__(self, run: Any, picture: Any) -> None:
        self._run, self._picture = run, picture

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log({"step": step, **{name: float(v) for name, v in metrics.items() if math.isfinite(v)}})

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._run.log({"step": step, name: self._picture(image)})

    def close(self) -> None:
        self._run.finish()


def start(run_dir: Path, step: int, settings: Mapping[str, Any]) -> Run:
    import wandb  # pyright: ignore[reportMissingImports]

    known = read(run_dir / FILE, {"id": str}, default={}).get("id")
    run = wandb.init(dir=str(run_dir), name=run_dir.name, id=known, resume="allow", config=dict(settings))
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    atomic_write_json(run_dir / FILE, {"id": run.id})
    return Run(run, wandb.Image)
