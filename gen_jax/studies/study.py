"""A study folder: what was asked for (study.json), the script, and one ordinary run folder an arm and seed.

    study.json  experiment.py  runs/ARM/seedN/…  failures/ARM/seedN.json  table.{html,md,tex,csv}  report.html

The folder is all that a process needs to work on the study, so that it can be killed, continued, shared among
processes and requeued.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs import manifest, scripts, shapes, trust
from gen_jax.runs.config import Config
from gen_jax.runs.files import atomic_write_json, atomic_write_text
from gen_jax.runs.folder import EXECUTION
from gen_jax.runs.settings import differences, flatten, from_json, to_json
from gen_jax.studies import plan
from gen_jax.studies.plan import Arm

FILE = "study.json"


class Study(NamedTuple):
    """A study, opened. `seeds` are the seeds themselves; `script` is the folder's own copy."""

    folder: Path
    script: Path
    config_type: type
    build: Callable[..., Any]
    base: Config
    grid: dict[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    baseline: str  # the name of an arm
    arms: list[Arm]

    def run_dir(self, arm: Arm, seed: int) -> Path:
        return self.folder / "runs" / arm.name / f"seed{seed}"

    def failure_file(self, arm: Arm, seed: int) -> Path:
        return self.folder / "failures" / arm.name / f"seed{seed}.json"

    def config(self, arm: Arm, seed: int) -> Config:
        """The settings of one run."""
        return plan.replace(arm.config, {"seed": seed, "run_dir": self.run_dir(arm, seed)})

    def arm(self, name: str) -> Arm:
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UserError(f"no arm is called {name}; there are {', '.join(arm.name for arm in self.arms)}")


def load_script(script: Path) -> tuple[type, Callable[..., Any]]:
    """`Config` and `build` of a script that a person named. Raises UserError where there is none, or it lacks them."""
    if not script.is_file():
        raise UserError(f"there is no experiment {script}; give the path of a script such as experiments/gan.py")
    module = scripts.load(script)
    return module.Config, module.build


def plan_study(
    folder: Path,
    experiment: Path,
    config_type: type,
    build: Callable[..., Any],
    base: Config,
    grid: Mapping[str, Sequence[Any]],
    seeds: int,
    baseline: str | None = None,
) -> Study:
    """The study in this folder, new or continued, with nothing written yet. More seeds, more steps and more values
    continue one; raises UserError by name for anything else that differs.
    """
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: a study needs 1 seed or more (and 2 or more for an interval)")
    checked = plan.check_grid(config_type, grid)
    base = plan.replace(base, {"run_dir": None})
    arms = plan.arms(base, checked)
    first = int(base.seed)
    study = Study(
        folder,
        folder / "experiment.py",
        config_type,
        build,
        base,
        checked,
        tuple(range(first, first + seeds)),
        baseline or arms[0].name,
        arms,
    )
    study.arm(study.baseline)
    _check(folder, _asked(study, experiment), experiment, config_type)
    return study


def begin(study: Study, experiment: Path) -> None:
    """Write what was asked for, and the folder's own copy of the script, which is remembered as this user's."""
    trust.record([experiment])
    study.folder.mkdir(parents=True, exist_ok=True)
    if not study.script.exists():
        atomic_write_text(study.script, experiment.read_text())
    atomic_write_json(study.folder / FILE, _asked(study, experiment))


def _asked(study: Study, experiment: Path) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "settings": to_json(study.base),
        "grid": plan.grid_to_json(study.grid),
        "seeds": len(study.seeds),
        "baseline": study.baseline,
    }


def open_study(folder: Path, trusted: bool = False) -> Study:
    """The study in a folder. Raises UserError where there is none, and where its script is a stranger's (see
    `runs.trust`), unless `trusted`.
    """
    asked = shapes.read(folder / FILE, shapes.STUDY)
    if asked is None:
        raise UserError(f"{folder} is no study: it has no {FILE}")
    script = folder / "experiment.py"
    (content,) = trust.require(folder, [script], trusted)
    module = scripts.load(script, content)
    config_type, build = module.Config, module.build
    base = from_json(config_type, asked["settings"])
    grid = plan.grid_from_json(config_type, asked["grid"])
    first = int(base.seed)
    seeds = tuple(range(first, first + asked["seeds"]))
    arms = plan.arms(base, grid)
    return Study(folder, script, config_type, build, base, grid, seeds, asked["baseline"], arms)


def _check(folder: Path, asked: Mapping[str, Any], experiment: Path, config_type: type) -> None:
    """Raises UserError where the folder holds something else than this study, or less of it."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give --study-dir a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    before = shapes.read(folder / FILE, shapes.STUDY)
    if before is None:
        raise UserError(f"{folder} has files but no {FILE}, so it is no study; give another --study-dir")
    swept = tuple(flatten({"": asked["grid"]}).keys())
    ignored = (*EXECUTION, *(name.lstrip(".") for name in swept))
    # A setting that experiments have learnt since then has its default in the older study.
    settings = flatten(to_json(config_type())) | flatten(before["settings"])
    found = differences(settings, asked["settings"], ignored)
    if list(before["grid"]) != list(asked["grid"]):
        found.append(f"the grid is over {', '.join(before['grid'])} there and {', '.join(asked['grid'])} here")
    else:
        for name, values in before["grid"].items():
            if missing := [value for value in values if value not in asked["grid"][name]]:
                found.append(f"the grid has {name}={missing[0]} there and not here")
    if before["seeds"] > asked["seeds"]:
        found.append(f"it has {before['seeds']} seeds there and {asked['seeds']} here")
    if found:
        raise UserError(f"{folder} is another study: {'; '.join(found)}; give another --study-dir")
    copy = folder / "experiment.py"
    if copy.exists() and copy.read_bytes() != experiment.read_bytes():
        raise UserError(
            f"{folder} was made by another version of {experiment.name}; give another --study-dir, or {copy}"
        )


# ---- how its runs stand ------------------------------------------------------------------------------------------


def status(study: Study, arm: Arm, seed: int) -> str:
    """ "complete", "failed", or "open" (not begun, or to be continued)."""
    if study.failure_file(arm, seed).exists():
        return "failed"
    run = study.run_dir(arm, seed)
    if (manifest.read(run) or {}).get("status") != "complete":
        return "open"
    settings = shapes.read(run / "config.json", shapes.CONFIG) or {}
    return "complete" if settings.get("steps", 0) >= arm.config.steps else "open"


def record_failure(study: Study, arm: Arm, seed: int, kind: str, message: str) -> None:
    """A run that could not go to its end, which is a result too. Delete the file to have it tried again."""
    atomic_write_json(study.failure_file(arm, seed), {"kind": kind, "message": " ".join(message.split())})


def failures(study: Study) -> list[tuple[Arm, int, dict[str, str]]]:
    """(arm, seed, {"kind", "message"}) of every failed run, in the order of the arms."""
    found = []
    for arm in study.arms:
        for seed in study.seeds:
            record = shapes.read(study.failure_file(arm, seed), shapes.FAILURE)
            if record is not None:
                found.append((arm, seed, record))
    return found
