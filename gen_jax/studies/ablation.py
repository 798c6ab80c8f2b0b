"""Ablations: arms × seeds of an experiment, run, compared and written down by one call.

    from gen_jax.studies.ablation import Ablation, run

    rows = run(Ablation(
        experiment="experiments/gan.py",
        study_dir="studies/losses",
        grid={"loss": ["non_saturating", "hinge"], "hyper.lr_discriminator": [1e-4, 2e-4]},
        seeds=4,
        settings={"data": "digits", "steps": 500},
    ))

Calling it again continues where it was; the finished tables do not depend on how often it was interrupted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gen_jax.core import domains
from gen_jax.core.domains import Interval
from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.core.platform import configure
from gen_jax.metrics import intervals, sequential
from gen_jax.runs.config import Config
from gen_jax.runs.files import read_json
from gen_jax.runs.paths import short_spec
from gen_jax.runs.settings import flatten, to_json
from gen_jax.studies import auto, games, launch, plan, program, report, results, study, tables
from gen_jax.studies.execute import Mode
from gen_jax.studies.results import Group, Row
from gen_jax.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What to compare. Grid values may be the fields' own values or their texts (enum names)."""

    experiment: Path | str
    study_dir: Path | str
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: int | Literal["auto"] = 4
    decide: str | None = None  # of "auto": the metric, by its name in metrics.jsonl, that seeds are added for
    most_seeds: int = 32  # of "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)  # of all arms, by dotted name; the rest as the script's
    baseline: str | None = None  # the name of an arm, such as "loss=hinge,b1=0.5"; the first by default
    metrics: Sequence[str] = ()  # NAME, NAME:highest or NAME:lowest; by default all held-out ones
    mode: Mode = "auto"
    memory_gib: float | None = None  # for a batch; by default what the device has free
    launcher: str = "here"  # here, local:N, slurm or submitit-local


def run(ablation: Ablation, say: Callable[[str], None] = print) -> list[Row]:
    """Run what is open, then write table.{html,md,tex,csv} and report.html; returns the table's rows.

    Raises UserError for what cannot be done (before anything is written) and Interrupted on a signal.
    """
    script = Path(ablation.experiment)
    config_type, build = study.load_script(script)
    kinds = plan.fields(config_type)
    given = {name: plan.read(plan.kind_of(kinds, name), value, name) for name, value in ablation.settings.items()}
    return run_with(ablation, config_type, build, plan.replace(config_type(), given), say)


def run_with(
    ablation: Ablation,
    config_type: type,
    build: Callable[..., Any],
    base: Config,
    say: Callable[[str], None] = print,
) -> list[Row]:
    """`run` with the settings made already (from a command line)."""
    configure(base.deterministic, Path(ablation.experiment))
    folder, script = Path(ablation.study_dir), Path(ablation.experiment)
    how = launch.parse(ablation.launcher)
    most, what = (ablation.most_seeds, "--most-seeds") if ablation.seeds == "auto" else (ablation.seeds, "--seeds")
    domains.check_value(most, Interval(1, min(10_000, domains.LAST_SEED + 1 - base.seed)), what)
    if (ablation.seeds == "auto") != (ablation.decide is not None):
        raise UserError("--seeds auto and --decide METRIC go together: seeds are added until that metric is decided")
    if ablation.memory_gib is not None:
        domains.check_value(ablation.memory_gib, Interval(0, None, "left-open"), "--memory-gib")
    from gen_jax.studies import forecast, promised

    sources: program.Sources = {}

    def train(seeds: int) -> Study:
        opened = study.plan_study(
            folder, script, config_type, build, base, ablation.grid, seeds, ablation.baseline, ablation.decide
        )
        new = not (folder / study.FILE).exists()
        estimate = forecast.forecast(opened.arms, build, ablation.mode, sources, script, new)  # refuses what cannot be
        known = set().union(*(part.metrics for part in estimate))
        promised.check(ablation.metrics, known)
        promised.check([ablation.decide] if ablation.decide else [], known, "--decide")
        if ablation.decide and len(opened.arms) == 1:
            raise UserError("--decide: there is one arm, and nothing to compare it with; give a --grid of two or more")
        _refuse_other_games(opened)
        study.check_runs(opened, script, lambda config: program.source_of(config, sources))
        study.begin(opened, script)
        say(forecast.describe(opened, estimate))
        launch.run(opened, how, ablation.mode, ablation.memory_gib, say, sources)
        return opened

    if ablation.seeds == "auto":
        opened = auto.until_decided(train, groups, study.seeds_there(folder), ablation.most_seeds, say)
    else:
        opened = train(ablation.seeds)
    return write(opened, ablation.metrics, say)


def _refuse_other_games(opened: Study) -> None:
    """Raises UserError where seeds would be added for losses that cannot be set against each other."""
    if opened.decide is None or not games.is_loss(opened.decide):
        return
    objectives = {
        arm.name: games.objective(flatten(to_json(opened.config(arm, opened.seeds[0])))) for arm in opened.arms
    }
    if other := [name for name, each in objectives.items() if each != objectives[opened.baseline]]:
        raise UserError(
            f"--decide {opened.decide}: the losses of {other[0]} and {opened.baseline} are of different objectives, "
            "and no seed decides between them; name a score, such as samples/distance, or one of --track"
        )


def groups(opened: Study) -> list[Group]:
    """The study's runs that went to their end, arm by arm, and its failures."""
    failed = {(arm.name, seed): record for arm, seed, record in study.failures(opened)}
    found = []
    for arm in opened.arms:
        done = [seed for seed in opened.seeds if study.status(opened, arm, seed) == "complete"]
        why = {
            seed: f"{record['kind']}: {record['message']}"
            for seed in opened.seeds
            if (record := failed.get((arm.name, seed)))
        }
        found.append(Group(arm.name, {seed: opened.run_dir(arm, seed) for seed in done}, why))
    return found


def write(opened: Study, asked: Sequence[str] = (), say: Callable[[str], None] = print) -> list[Row]:
    """The study's tables and report, from its run folders alone."""
    arms = groups(opened)
    if not any(group.runs for group in arms):
        reasons = [why for group in arms for why in group.failed.values()]
        raise UserError(f"no run of {opened.folder} went to its end{': ' + reasons[0] if reasons else ''}")
    metrics = results.choose_metrics(arms, asked)
    if opened.decide and opened.decide not in {metric.name for metric in metrics}:
        metrics = [*metrics, *results.choose_metrics(arms, [opened.decide])]
    paired = sequential.paired if opened.decide else intervals.paired
    rows = results.rows(arms, opened.baseline, metrics, paired=paired)
    verdict = [f"Seeds were added for {auto.verdict(opened, arms)}."] if opened.decide else []
    script = read_json(opened.folder / study.FILE)["experiment"].removesuffix(".py")
    title = f"{script} on {short_spec(opened.base.data)}"
    table = tables.tabulate(rows, f"{title}, {counted(opened.base.steps, 'step')}", opened.baseline, verdict=verdict)
    tables.write(opened.folder, table, rows)
    facts = {
        "arms": len(arms),
        "seeds": f"{opened.seeds[0]} to {opened.seeds[-1]}",
        "runs": sum(len(group.runs) for group in arms),
        "failed": sum(len(group.failed) for group in arms),
        "steps": opened.base.steps,
        "batch size": opened.base.batch_size,
        "baseline": opened.baseline,
    }
    path = report.write_report(opened.folder / "report.html", title, table, arms, metrics, facts)
    for group in arms:
        for seed, why in sorted(group.failed.items()):
            say(f"failed: {group.name} seed {seed}: {why}")
    say(f"{opened.folder}: table.md, table.tex, table.csv, table.html and {path.name}")
    return rows


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for a program."""
    found = []
    for row in rows:
        plain = row._asdict() | {"metric": row.metric.name, "better": row.metric.better}
        plain |= {"t": row.t.ends, "bootstrap": row.bootstrap.ends}
        if row.difference is not None:
            plain["difference"] = row.difference._asdict() | {"interval": row.difference.interval.ends}
        found.append(plain)
    return found
