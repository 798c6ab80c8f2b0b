"""A study folder: what was asked for (study.json), the script, and one ordinary run folder an arm and seed.

    study.json  experiment.py  runs/ARM/seedN/…  failures/ARM/seedN.json  table.{html,md,tex,csv}  report.html

The folder is all that a process needs to work on the study, so that it can be killed, continued, shared among
processes and requeued.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import SystemFault, UserError
from gen_jax.core.lines import counted, one_line
from gen_jax.data.source import Source
from gen_jax.runs import executing, identity, local_code, manifest, paths, scripts, shapes, trust
from gen_jax.runs.config import Config
from gen_jax.runs.files import atomic_write_json, writing
from gen_jax.runs.folder import EXECUTION, restored
from gen_jax.runs.local_code import SCRIPT
from gen_jax.runs.settings import differences, flatten, to_json
from gen_jax.studies import plan
from gen_jax.studies.plan import Arm

FILE = "study.json"
MOST_SEEDS = 1_000_000
REFUSED = "refused"  # the kind of a failure that lies in a run's folder: mended there, and tried again by the next call


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
    decide: str | None = None  # the metric that says when there are seeds enough; None where their number was given

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
    module = scripts.load_live(script)
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
    decide: str | None = None,
) -> Study:
    """The study in this folder, new or continued, with nothing written yet. More seeds, more steps and more values
    continue one; raises UserError by name for anything else that differs.

    decide: the metric that seeds are added for. A study that was begun so stays so: its differences were looked at.
    """
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: a study needs 1 seed or more (and 2 or more for an interval)")
    checked = plan.check_grid(config_type, grid)
    base = paths.resolved(plan.replace(base, {"run_dir": None}))
    paths.refuse_patterns(folder)
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
        decide,
    )
    study.arm(study.baseline)
    _check(folder, _asked(study, experiment), experiment, config_type, base.allow_changed)
    return study


def _read(folder: Path) -> dict[str, Any] | None:
    """What was asked for in a folder; None where there is no study. Raises UserError for a damaged file: one that is
    not to be deleted, as others are, since that would leave runs that nobody can vouch for."""
    try:
        return shapes.read(folder / FILE, shapes.STUDY)
    except SystemFault:
        raise
    except UserError as error:
        said = str(error)
        for advice in ("; restore or delete it", "; mend or delete it"):
            said = said.removesuffix(advice)
        raise UserError(f"{said}; restore it, or give another --study-dir") from error


def seeds_there(folder: Path) -> int:
    """How many seeds the study in a folder has; 0 where there is none."""
    asked = _read(folder)
    return asked["seeds"] if asked else 0


def begin(study: Study, experiment: Path) -> None:
    """Write what was asked for, and the folder's own copy of the script, which is remembered as this user's."""
    code = executing.of(experiment)
    executing.own(code)
    with writing(study.folder):
        study.folder.mkdir(parents=True, exist_ok=True)
    atomic_write_json(study.folder / FILE, _asked(study, experiment))  # first: it makes the folder a study
    local_code.replace(study.folder, code)
    executing.ran(study.script, {key: file._replace(path=study.folder / key) for key, file in code.items()})


def _asked(study: Study, experiment: Path) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "settings": to_json(plan.replace(study.base, {"allow_changed": ()})),
        "grid": plan.grid_to_json(study.grid),
        "seeds": len(study.seeds),
        "baseline": study.baseline,
        **({"decide": study.decide} if study.decide else {}),
    }


def open_study(folder: Path, trusted: bool = False) -> Study:
    """The study in a folder. Raises UserError where there is none, and where its script is a stranger's (see
    `runs.trust`), unless `trusted`.
    """
    asked = _read(folder)
    if asked is None:
        raise UserError(f"{folder} is no study: it has no {FILE}")
    script = folder / SCRIPT
    if not script.is_file():
        raise UserError(f"{folder} has no {SCRIPT}; the command that began the study writes it again")
    kept = local_code.kept(folder)
    contents = trust.require(folder, kept.values(), trusted)
    code = {key: local_code.File(path, content) for (key, path), content in zip(kept.items(), contents, strict=True)}
    executing.importable(code)
    module = scripts.load(script, code)
    config_type, build = module.Config, module.build
    base = restored(config_type, asked["settings"], folder / FILE)
    try:
        grid = plan.grid_from_json(config_type, asked["grid"])
        arms = plan.arms(base, grid)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{folder / FILE} is damaged: its grid does not fit the script ({one_line(error)})") from error
    if not 1 <= asked["seeds"] <= MOST_SEEDS:
        raise UserError(f"{folder / FILE} is damaged: it has {asked['seeds']} seeds; restore it")
    first = int(base.seed)
    seeds = tuple(range(first, first + asked["seeds"]))
    return Study(folder, script, config_type, build, base, grid, seeds, asked["baseline"], arms, asked.get("decide"))


def _check(folder: Path, asked: Mapping[str, Any], experiment: Path, config_type: type, allowed: Sequence[str]) -> None:
    """Raises UserError where the folder holds something else than this study, or less of it."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give --study-dir a folder")
    if not folder.exists() or not any(not path.name.endswith(".tmp") for path in folder.iterdir()):
        return
    before = _read(folder)
    if before is None:
        raise UserError(f"{folder} has files but no {FILE}, so it is no study; give another --study-dir")
    swept = tuple(flatten({"": asked["grid"]}).keys())
    # The data may have moved: where runs know theirs, they are compared by what they are (`check_runs`).
    moved = ("data",) if any((folder / "runs").glob("*/seed*/manifest.json")) else ()
    ignored = (*EXECUTION, *moved, *(name.lstrip(".") for name in swept))
    # A setting that experiments have learnt since then has its default in the older study.
    settings = flatten(to_json(config_type())) | flatten(before["settings"])
    found = differences(settings, asked["settings"], ignored)
    if list(before["grid"]) != list(asked["grid"]):
        found.append(f"the grid is over {', '.join(before['grid'])} there and {', '.join(asked['grid'])} here")
    else:
        for name, values in before["grid"].items():
            if missing := [value for value in values if value not in asked["grid"][name]]:
                found.append(f"the grid has {name}={missing[0]} there and not here")
    long, short = (each["settings"].get("steps", 0) for each in (before, asked))
    if "steps" not in asked["grid"] and long > short:
        found.append(f"its runs have {counted(long, 'step')} there and {short:,} here")
    if before["seeds"] > asked["seeds"]:
        found.append(f"it has {counted(before['seeds'], 'seed')} there and {asked['seeds']} here")
    if (looked := before.get("decide")) and looked != asked.get("decide"):
        found.append(f"it has --seeds auto --decide {looked} there")
    if found:
        raise UserError(f"{folder} is another study: {'; '.join(found)}; give another --study-dir")
    kept = local_code.kept(folder)
    if SCRIPT in kept:
        there = {key: local_code.File(path, path.read_bytes()) for key, path in kept.items()}
        before, now = ({"code": local_code.hashes(code)} for code in (there, executing.of(experiment)))
        advice = f"it was made by another version of {experiment.name}: give another --study-dir, or {folder / SCRIPT}"
        identity.settle(identity.changes(before, now), allowed, folder, {"code": advice})


def check_runs(study: Study, experiment: Path, source_of: Callable[[Config], Source]) -> None:
    """Raises UserError where a run of the study was trained on other data or code than its next ones would be."""
    code = local_code.hashes(executing.of(experiment))
    advice: dict[identity.Kind, str] = {
        "data": "give --data those that its runs were trained on, or another --study-dir",
        "code": "give the script that its runs were trained with, or another --study-dir",
    }
    for arm in study.arms:
        for seed in study.seeds:
            run = study.run_dir(arm, seed)
            before = identity.last(record_of(study, arm, seed), run)
            now = {"data": identity.of_data(source_of(study.config(arm, seed)), arm.config.data), "code": code}
            if before:
                identity.settle(identity.changes(before, now), study.base.allow_changed, run, advice)


# ---- how its runs stand ------------------------------------------------------------------------------------------


def record_of(study: Study, arm: Arm, seed: int) -> dict[str, Any] | None:
    """The manifest of a run, None where there is none, or a damaged one: that is told when the run is tried."""
    try:
        return manifest.read(study.run_dir(arm, seed))
    except UserError:
        return None


def status(study: Study, arm: Arm, seed: int) -> str:
    """ "complete", "failed", or "open" (not begun, to be continued, or refused, which is tried again)."""
    run = study.run_dir(arm, seed)
    try:
        failure = shapes.read(study.failure_file(arm, seed), shapes.FAILURE)
        if failure is not None and failure["kind"] != REFUSED:
            return "failed"
        if (record_of(study, arm, seed) or {}).get("status") != "complete":
            return "open"
        settings = shapes.read(run / "config.json", shapes.CONFIG) or {}
    except UserError:  # damaged: told when the run is tried
        return "open"
    return "complete" if settings.get("steps", 0) >= arm.config.steps else "open"


def refuse(study: Study, arm: Arm, seed: int, message: str) -> str:
    """Record that a run's folder kept it from going on: "failed"; or "skipped", where another process that works on the
    study has brought the run to its end meanwhile, or recorded what it broke down of."""
    stands = status(study, arm, seed)
    if stands != "open":
        return "skipped" if stands == "complete" else "failed"
    record_failure(study, arm, seed, REFUSED, message)
    return "failed"


def record_failure(study: Study, arm: Arm, seed: int, kind: str, message: str) -> None:
    """A run that could not go to its end, which is a result too. Delete the file to have it tried again (one that was
    `REFUSED` is)."""
    atomic_write_json(study.failure_file(arm, seed), {"kind": kind, "message": " ".join(message.split())})


def failures(study: Study) -> list[tuple[Arm, int, dict[str, str]]]:
    """(arm, seed, {"kind", "message"}) of every failed run, in the order of the arms. A run that was refused and that
    another process has brought to its end is none of them."""
    found = []
    for arm in study.arms:
        for seed in study.seeds:
            record = shapes.read(study.failure_file(arm, seed), shapes.FAILURE)
            if record is not None and status(study, arm, seed) != "complete":
                found.append((arm, seed, record))
    return found
