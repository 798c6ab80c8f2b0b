"""MLflow, as it is: its own variables (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, …) say where.

A run that is continued is continued there, by the identifier in the folder's mlflow.json. It is told by a client, for
MLflow's "active run" belongs to a thread, and what looks at a run may have one of its own.
"""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.shapes import read

FILE = "mlflow.json"


class Run:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._id = client, run_id

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        rows = [Metric(name, float(value), now, step) for name, value in metrics.items() if math.isfinite(value)]
        self._client.log_batch(self._id, metrics=rows)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._client.log_image(self._id, image, artifact_file=f"{name}/step_{step:08d}.png")

    def close(self) -> None:
        self._client.set_terminated(self._id)


def start(run_dir: Path, step: int, settings: Mapping[str, Any]) -> Run:
    import mlflow  # pyright: ignore[reportMissingImports]
    from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

    client, name = mlflow.MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default")
    run_id = read(run_dir / FILE, {"id": str}, default={}).get("id")
    if run_id is None:
        experiment = client.get_experiment_by_name(name)
        of = experiment.experiment_id if experiment is not None else client.create_experiment(name)
        run_id = client.create_run(of, run_name=run_dir.name).info.run_id
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in settings.items()])
        atomic_write_json(run_dir / FILE, {"id": run_id})
    else:
        client.update_run(run_id, status="RUNNING")
    return Run(client, run_id)
