"""manifest.json: where a run's numbers come from. Command, code, packages, machine, flags, data, sizes and times."""

import datetime
import functools
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import gen_jax
from gen_jax.core import processes
from gen_jax.core.errors import UserError
from gen_jax.data import reading
from gen_jax.data.source import Source
from gen_jax.runs import sources
from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.folder import FORMAT, record
from gen_jax.runs.identity import CHANGED, KEY, SCRIPT_NAME, Change

FILE = "manifest.json"
PACKAGES = (
    "gen_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "ml_dtypes",
    "tensorflow-datasets", "grain", "array_record", "mlxtend", "scikit-learn", "pillow", "matplotlib", "tyro",
    "rich", "tensorboardX",
)  # fmt: skip
# What can change a run's bits or its speed.
CONFIG = (
    "jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_threefry_partitionable",
    "jax_debug_nans", "jax_disable_jit", "jax_numpy_dtype_promotion", "jax_compilation_cache_dir",
)  # fmt: skip
VARIABLES = ("XLA_FLAGS", "JAX_PLATFORMS", "LIBTPU_INIT_ARGS", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


def start(
    run_dir: Path,
    source: Source,
    parameters: Mapping[str, int],
    backend: str,
    devices: int,
    step: int,
    identity: Mapping[str, Any] | None = None,
    changes: Sequence[Change] = (),
    *,
    anew: bool = False,
    **more: Any,
) -> None:
    """Write the manifest of a run that starts or continues at `step`.

    `source` has `name` and `fingerprint` (of the data), `parameters` counts scalars by player, `backend` and `devices`
    say how it executes, `identity` what the run is of (see `runs.identity`), and `changes` what of it was changed and
    allowed. A run that continues keeps what the earlier sittings wrote, as its `sittings`; one that begins `anew` in
    the folder of one that never finished a step does not.
    """
    before = {} if anew else read(run_dir) or {}
    changed = [{"step": step, "at": _now(), **change._asdict()} for change in changes]
    sitting = {
        "from_step": step,
        "started": _now(),
        "finished": None,
        "run_seconds": None,
        "compile_seconds": None,
        "command": shlex.join([Path(sys.executable).name, *sys.argv]),
        "versions": versions(),
        "platform": machine(),
        "flags": flags(),
        "code": code(),
        "backend": backend,
        "devices": devices,
        "processes": processes.count(),
        **({KEY: identity} if identity is not None else {}),
    }
    atomic_write_json(
        run_dir / FILE,
        {
            "format": FORMAT,
            "status": "running",
            "reason": None,
            "data": {"name": source.name, "fingerprint": source.fingerprint, "read": reading.record(source)},
            CHANGED: [*before.get(CHANGED, []), *changed],
            "parameters": dict(parameters),
            **more,
            "process": {"id": os.getpid(), "host": platform.node(), "clock": time.time()},
            "sittings": [*before.get("sittings", []), sitting],
        },
    )


def update(run_dir: Path, **values: Any) -> None:
    """Change values: those of the present sitting by its field names (`compile_seconds`), others at the top."""
    current = _read(run_dir)
    sitting = current["sittings"][-1]
    for name, value in values.items():
        (sitting if name in sitting else current)[name] = value
    atomic_write_json(run_dir / FILE, current)


def finish(run_dir: Path, status: str, reason: str | None = None) -> None:
    """Close the present sitting. `status`: complete, stopped (by a person or the system) or failed, and why."""
    current = _read(run_dir)
    sitting = current["sittings"][-1]
    wall = time.time() - current["process"]["clock"]
    run = round(max(wall - (sitting["compile_seconds"] or 0.0), 0.0), 3)
    sitting |= {"finished": _now(), "run_seconds": run}
    atomic_write_json(run_dir / FILE, {**current, "status": status, "reason": reason})


read = record  # of a run, None where there is none; UserError for a damaged one


def summary(run_dir: Path) -> list[tuple[str, Any]]:
    """The manifest for a person, as (name, value) rows; empty where there is none. Units are in the values."""
    current = read(run_dir)
    if not current:
        return []
    sittings = current["sittings"]
    last = sittings[-1]
    code_of, here = last["code"], last["platform"]
    commit = code_of["commit"] and code_of["commit"][:12] + (" with uncommitted changes" if code_of["dirty"] else "")
    reason = current["reason"] and f" ({current['reason']})"
    used = here["devices"][: last["devices"]]
    resumed = ", ".join(str(sitting["from_step"]) for sitting in sittings[1:])
    rows = [
        ("status", current["status"] + (reason or "")),
        ("data", current["data"]["name"]),
        ("data fingerprint", current["data"]["fingerprint"][:16]),
        ("read", _what_was_as_read(current["data"].get("read"))),
        ("classes", _classes(last.get(KEY))),
        ("script and modules", _files(last.get(KEY))),
        *(
            ("changed", f"{change['kind']}, at step {change['step']}: {change['words']}")
            for change in current.get(CHANGED, [])
        ),
        ("privacy", _privacy(current.get("privacy"))),
        ("parameters", ", ".join(f"{name} {count:,}" for name, count in current["parameters"].items())),
        ("started", sittings[0]["started"]),
        ("finished", last["finished"]),
        ("resumed at step", resumed),
        ("training time", duration(sum(sitting["run_seconds"] or 0.0 for sitting in sittings))),
        ("compile time", duration(sum(sitting["compile_seconds"] or 0.0 for sitting in sittings))),
        ("command", last["command"]),
        ("code", commit or f"gen_jax {last['versions'].get('gen_jax', '')} (not from a checkout)"),
        ("executed by", f"{last['backend']} on {last['devices']} × {', '.join(dict.fromkeys(used))}{_shared_by(last)}"),
        ("processor", f"{here['cpu']}, {here['cpus']} CPUs"),
        ("system", here["system"]),
        ("Python", here["python"]),
        ("packages", ", ".join(f"{name} {version}" for name, version in last["versions"].items())),
        ("flags", " ".join(f"{name}={value}" for name, value in last["flags"].items() if name in VARIABLES)),
    ]
    return [(name, value) for name, value in rows if value]


def _shared_by(sitting: Mapping[str, Any]) -> str:
    count = sitting.get("processes", 1)
    return f", in {count} processes of {sitting['devices'] // count}" if count > 1 else ""


def _what_was_as_read(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    sizes = f"{found['train']:,} train and {found['test']:,} test examples of {'×'.join(map(str, found['shape']))}"
    return "; ".join([sizes, *found["notes"]])


def _privacy(found: Mapping[str, Any] | None) -> str:
    """What private training spends by its last step."""
    if not found:
        return ""
    return (
        f"epsilon {found['epsilon']:.4g} (by Rényi divergences {found['epsilon_rdp']:.4g}) at delta {found['delta']:g} "
        f"after {found['steps']:,} private steps: noise {found['noise']:g}, clip {found['clip']:g}, batches of "
        f"{found['expected_batch']:.4g} expected examples, each drawn with probability {found['sampling_rate']:.4g}; "
        f"neighbours: {found['neighbours']}"
    )


def _classes(identity: Mapping[str, Any] | None) -> str:
    names = (identity or {}).get("data", {}).get("names")
    return ", ".join(f"{number}: {name}" for number, name in enumerate(names)) if names else ""


def _files(identity: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key.rpartition('/')[2]} {found[:8]}" for key, found in (identity or {}).get("code", {}).items())


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the packages that matter, gen_jax's with the mark of its source, without those not installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = sources.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Python, system, processor (model and instruction sets that XLA chooses by) and JAX devices."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "cpu_features": [f for f in _cpu("flags").split() if f.startswith(("avx", "amx", "fma", "sse4", "f16c"))],
        "cpus": os.cpu_count(),
        "jax_backend": jax.default_backend(),
        "processes": jax.process_count(),
        "devices": [device.device_kind for device in jax.devices()],
    }


def flags() -> dict[str, Any]:
    """Environment variables and JAX settings that can change bits or speed."""
    variables = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return variables | {name: getattr(jax.config, name) for name in CONFIG if hasattr(jax.config, name)}


def code(folder: Path | None = None) -> dict[str, Any]:
    """The git commit of the checkout that gen_jax runs from, and whether files differ from it; None if it is none."""
    folder = folder or Path(gen_jax.__file__).parent
    top, commit, changes = (
        _git(folder, *arguments)
        for arguments in (("rev-parse", "--show-toplevel"), ("rev-parse", "HEAD"), ("status", "--porcelain"))
    )
    # An installed package may lie in somebody else's repository (a virtual environment inside one).
    own = top is not None and (folder.parent == Path(top) or folder == Path(top))
    return {"commit": commit if own else None, "dirty": bool(changes) if own and commit else None}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu(field: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _read(run_dir: Path) -> dict[str, Any]:
    current = read(run_dir)
    if current is None:
        raise UserError(f"{run_dir / FILE} is missing; it was there when the run started")
    return current


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def script_name(record: Mapping[str, Any] | None) -> str | None:
    """The name, without .py, of the script that the run was begun with; of an older run, of that which its first
    command names. None where neither is known."""
    sittings = (record or {}).get("sittings") or [{}]
    if name := sittings[0].get(KEY, {}).get(SCRIPT_NAME):
        return name
    try:
        words = shlex.split(sittings[0].get("command", ""))
    except ValueError:  # a quotation without end
        return None
    names = [Path(word).stem for word in words if word.endswith(".py")]
    return next((name for name in names if name != "__main__"), None)  # `python -m gen_jax ablate SCRIPT`


def duration(seconds: float) -> str:
    """For a person: 2 h 5 min, 3 min 12 s, 4.5 s; empty for none."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest:.0f} s" if minutes else (f"{rest:.1f} s" if rest else "")
