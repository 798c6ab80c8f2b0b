"""Start-up: from an empty interpreter to the end of the first round, with an empty compilation cache and a full one."""

import json
import os
import subprocess
import sys
import tempfile
from statistics import median

from benchmarks import protocol

TITLE = "Start-up: seconds from `python` to the end of the first round"
MODELS = {
    "DCGAN 64×64×3, width 64, batch 64": ("dcgan", {"image_size": 64, "channels": 3, "share_fakes": True}),
    "MLP VAE, batch 20": ("iwae", {"samples": 1, "bound": "ELBO"}),
}
CHILD = """
import time; began = time.perf_counter()
import json, sys
from benchmarks import ours
from gen_jax.core.platform import configure
configure()
imported = time.perf_counter()
experiment, chosen = json.loads(sys.argv[1])
model = ours.build(experiment, chosen)
built = time.perf_counter()
program = ours.compiled(model)
print(json.dumps([imported - began, built - imported, program.compile_seconds, time.perf_counter() - began]))
"""


def measure(spec: dict) -> dict:
    rows = []
    for name, chosen in MODELS.items():
        with tempfile.TemporaryDirectory() as cache:
            # Children inherit the cores; only the cache is theirs.
            environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
            environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
            runs = [child(chosen, environment) for _ in range(1 + min(3, spec["repeats"]))]
        warm = [median(column) for column in zip(*runs[1:], strict=True)]
        for cache_state, found in (("cold", runs[0]), ("warm", warm)):
            imports, built, compiled, total = found
            rest = total - imports - built - compiled
            cells = (imports, built, compiled, rest, compiled + rest, total)
            rows.append([f"{name}, {cache_state} cache", *(f"{seconds:.1f}" for seconds in cells)])
    columns = ["", "imports", "data and initial state", "program", "first round", "program and first round", "all"]
    notes = ["The cache is the project's compilation cache: cold is empty, warm what the cold run left (median of 3)."]
    return {"columns": columns, "rows": rows, "notes": notes}


def child(chosen: tuple, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", CHILD, json.dumps(chosen)]
    done = subprocess.run(command, cwd=protocol.ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
