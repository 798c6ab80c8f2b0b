"""What the figures were measured on: processor, cores, memory, versions, commit, day. Imports no JAX."""

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.protocol import ROOT


def describe(cpus: list[int]) -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(cpus),
        "of": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")},
        "load": round(os.getloadavg()[0], 1),
        "clock": os.environ.get("BENCHMARK_CLOCK", "wall"),
    }


def sentence(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    clock = "" if facts["clock"] == "wall" else "; processor time, not wall time, since the core was shared"
    return (
        f"{facts['cores']} of {facts['of']} cores of {facts['processor']}, {facts['memory_gib']} GiB, "
        f"{facts['system']}, Python {facts['python']}, {versions}; load {facts['load']} at the end{clock}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    wide = [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", platform.machine()), *(f"({wide[-1]})" for _ in wide[-1:])])


def commit() -> str:
    """The short commit, with a + where tracked files have changed since; "" outside a repository."""
    done = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
