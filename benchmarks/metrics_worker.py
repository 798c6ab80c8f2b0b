"""One side of `benchmarks.metrics`, in the environment that has its package: computes, times, leaves its numbers."""

import importlib.machinery
import json
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

from benchmarks.protocol import Lines, clock, peak_mib, reset_peak

NAMES = {"fd": ("FD",), "prdc": ("precision", "recall", "density", "coverage")}


def ours(case: str) -> Callable:
    from gen_jax.core.platform import configure

    configure()
    from gen_jax.metrics import frechet, prdc

    if case == "fd":
        return lambda first, second: (frechet.distance(frechet.moments_of(first), frechet.moments_of(second)),)
    return lambda first, second: tuple(prdc.prdc(first, second, 5))


def without_torchvision() -> None:
    """A stand-in where torchvision is missing or fits another torch: torch-fidelity imports it, and FD needs none."""
    try:
        import torchvision  # noqa: F401
    except Exception:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("", ".transforms", ".transforms.functional", ".transforms.v2", ".datasets", ".models", ".io"):
            stand_in = MagicMock()
            stand_in.__spec__ = importlib.machinery.ModuleSpec("torchvision" + name, None)
            sys.modules["torchvision" + name] = stand_in


def theirs(case: str) -> Callable:
    if case == "prdc":
        from prdc import compute_prdc

        return lambda first, second: tuple(compute_prdc(first, second, nearest_k=5)[name] for name in NAMES["prdc"])
    without_torchvision()
    import torch
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    def fd(first: np.ndarray, second: np.ndarray) -> tuple[float]:
        statistics = [fid_features_to_statistics(torch.from_numpy(each)) for each in (first, second)]
        return (fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID],)

    return fd


def main() -> None:
    lines, spec = Lines(), json.loads(sys.argv[1])
    folder, case = Path(spec["folder"]), spec["case"]
    compute = (ours if spec["side"] == "gen_jax" else theirs)(case)
    sets = [np.load(folder / f"{name}.npy") for name in ("first", "second")]
    compute(*(each[:1500, :64] for each in sets))  # libraries loaded, threads started
    if spec["side"] == "gen_jax":
        compute(*sets)  # compiled: a metric is computed many times in a run, and compiled once
    lines.ready()
    reset_peak()

    def run(count: int) -> float:
        began = clock()
        for _ in range(count):
            values = compute(*sets)
        seconds = clock() - began
        np.savez(folder / f"{spec['side']}.npz", names=np.array(NAMES[case]), values=np.array(values, np.float64))
        return seconds

    lines.serve(run, peak_mib)


if __name__ == "__main__":
    main()
