"""What the scripts of experiments/papers stand on: studies whose runs are measured, and ours beside the published.

A script names studies (each an `Ablation`), a measurement of a finished run, and a claim. Everything can be killed and
continued: runs by their study, measurements by `paper.json` in the run folder.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen_jax.core.domains import Seeds
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.platform import accelerated, configure
from gen_jax.runs import answering, folder, shapes
from gen_jax.runs import command as command_line
from gen_jax.runs.exits import exit_with
from gen_jax.runs.files import atomic_write_json, atomic_write_text
from gen_jax.studies import ablation, outcomes
from gen_jax.studies.ablation import Ablation
from gen_jax.studies.claims import Claim, Values, forecast, judge
from gen_jax.studies.measures import Trained, open_trained
from gen_jax.studies.outcomes import Outcome
from gen_jax.studies.page import Column as Column
from gen_jax.studies.page import Paper, beside, command, hardware, markdown, need_page, slope, write_section
from gen_jax.studies.page import part_of as part_of
from gen_jax.studies.page import spread as spread
from gen_jax.studies.results import Group
from gen_jax.studies.study import FILE, open_study
from gen_jax.studies.tables import number

MEASURED = "paper.json"
LONG_CALL = 500  # rounds


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every script can be told. The defaults are its scaled-down protocol."""

    study_dir: Path | None = None
    """where the runs go; by default studies/papers/NAME, of other data than the script's own NAME_DATA"""
    out: Path | None = None
    """a Markdown file whose section NAME becomes the table, such as docs/reproductions.md"""
    seeds: Seeds = 3
    """runs of each arm"""
    launcher: str = "here"
    """here, local:N or slurm, as for `ablate`"""
    collected: tuple[Path, ...] = ()
    """values.json files that calls on other machines left in their study folders, of this protocol: the table is made
    of them, and nothing is trained"""


@dataclass(frozen=True, kw_only=True)
class OfData(Config):
    """Of a script whose data can be chosen: the scaled-down ones, or the whole of what was published."""

    data: str = "mnist5k"
    """as for every experiment"""
    data_dir: Path | None = None
    """where TFDS data sets are, as for every experiment"""


Measure = Callable[[Trained], Mapping[str, float]]


def run(kind: type, main: Callable[[Any], object], description: str | None) -> None:
    """The command of a paper's script: read its settings, of this dataclass, and do with them what `main` does."""
    with exit_with():
        settings = command_line.read(kind, description=description or "")
        configure()
        answering.as_command()
        main(settings)


# ---- running and measuring ---------------------------------------------------------------------------------------
def experiments() -> Path:
    """The folder of experiment scripts beside this package."""
    return Path(__file__).parents[2] / "experiments"


def of_data(paper: Paper, config: OfData) -> Paper:
    """The paper's table of the data that were chosen. Of others than the script's own its section, and its runs, stand
    beside theirs."""
    own = type(config).data
    if config.data == own:
        return paper
    title = f"{paper.title} on {config.data.removeprefix('tfds:')}"
    return paper._replace(name=beside(paper.name, config.data, own), title=title)


def of_mnist(paper: Paper, config: OfData) -> Paper:
    """`of_data`, without published numbers, which are MNIST's, where the data are none of it."""
    if config.data not in (type(config).data, "tfds:mnist"):
        paper = paper._replace(published={}, heading="published")
    return of_data(paper, config)


def unwatched(log_every: int = 50) -> dict[str, Any]:
    """Settings of runs that only their end is measured of. An accelerator gets more rounds in a compiled call: a call
    of many small runs costs the host some milliseconds, in which the device waits."""
    rhythm = {"evaluate_every": 0, "sample_every": 0, "checkpoint_every": 0, "log_every": log_every}
    return rhythm | ({"steps_per_call": LONG_CALL} if accelerated() else {})


def shortened(own: dict[str, Any], steps: int | None) -> dict[str, Any]:
    """A run's settings for so many steps, of which as large a share are its first stage's (`pretrain`)."""
    if steps is None:
        return own
    first = own.get("pretrain", 0)
    # A first stage stays one: none at all (0) is another algorithm.
    return own | {"steps": steps} | ({"pretrain": max(1, first * steps // own["steps"])} if first else {})


def study(config: Config, paper: str, part: str, experiment: str | Path, **how: Any) -> Ablation:
    """An ablation in the paper's folder; `how` are `Ablation`'s grid and settings.

    experiment: a path, or the name of a script in experiments/. Raises UserError, before anything is trained, for an
    `--out` that cannot be written or is a file of a run.
    """
    need_page(config.out)
    root = config.study_dir or Path("studies/papers") / paper
    script = experiment if isinstance(experiment, Path) else experiments() / f"{experiment}.py"
    return Ablation(experiment=script, study_dir=root / part, seeds=config.seeds, launcher=config.launcher, **how)


def measured(
    studies: Mapping[str, Ablation],
    measure: Measure,
    protocol: str,
    claims: Sequence[Claim] = (),
    say: Callable[[str], None] = print,
    collected: Sequence[Path] = (),
) -> Outcome:
    """Train what is open, measure what is not measured; or read what was, from `collected` files of calls elsewhere.

    `studies` by name: an arm of a study without a grid is called by that name, others by their own. A measurement that
    `protocol` (a text that says how) tells apart from the one in the run folder is made anew. What is there already
    says first how many seeds each of the `claims` takes.
    """
    told = {name: outcomes.told(each) for name, each in studies.items()}
    if collected:
        return outcomes.read(collected, protocol, told)
    before = _kept(studies, protocol)
    for claim in claims:
        say(forecast(before, claim))
    values: Values = {}
    shorter: tuple[int, Values] = (0, {})
    seconds, failed = 0.0, 0
    for name, each in studies.items():
        ablation.run(each, say)
        opened = open_study(Path(each.study_dir))
        failed += sum(len(group.failed) for group in ablation.groups(opened))
        for group in ablation.groups(opened):
            arm = _arm(name, group)
            for seed, run in sorted(group.runs.items()):
                found = _measure(run, measure, protocol)
                say(f"{arm} seed {seed}: " + ", ".join(f"{key} {number(value)}" for key, value in found.items()))
                _add(values, arm, seed, found)
                if (earlier := _record(run).get("earlier")) and earlier["steps"] >= shorter[0]:
                    shorter = (earlier["steps"], shorter[1] if earlier["steps"] == shorter[0] else {})
                    _add(shorter[1], arm, seed, earlier["values"])
                seconds += training_seconds(run)
    return Outcome(values, seconds, failed, shorter, settings=told)


def _add(values: Values, arm: str, seed: int, found: Mapping[str, float]) -> None:
    for name, value in found.items():
        values.setdefault(arm, {}).setdefault(name, {})[seed] = value


def _arm(study: str, group: Group) -> str:
    return study if group.name == "base" else group.name


def _kept(studies: Mapping[str, Ablation], protocol: str) -> Values:
    """What earlier calls have measured by this protocol."""
    values: Values = {}
    for name, each in studies.items():
        if not (Path(each.study_dir) / FILE).exists():
            continue
        for group in ablation.groups(open_study(Path(each.study_dir))):
            for seed, run in group.runs.items():
                _add(values, _arm(name, group), seed, _measurement(run, protocol, lambda _: None) or {})
    return values


def _measurement(run: Path, protocol: str, say: Callable[[Any], None] = say) -> dict[str, float] | None:
    """The measurement that is in a run's folder; None where there is none of this protocol and length."""
    try:
        before = shapes.read(run / MEASURED, shapes.PAPER) or {}
    except UserError as error:  # it is measured again
        say(error)
        return None
    return before["values"] if before.get("stamp") == _stamp(run, protocol) else None


def _stamp(run: Path, protocol: str) -> str:
    return hashlib.sha256(f"{protocol} {_steps(run)}".encode()).hexdigest()[:16]


def _measure(run: Path, measure: Measure, protocol: str) -> dict[str, float]:
    """The measurement of one run, from its folder where it is there already."""
    if (before := _measurement(run, protocol)) is not None:
        return before
    earlier = _shorter(run)
    began = time.perf_counter()
    found = {name: float(value) for name, value in measure(open_trained(run)).items()}
    spent = round(time.perf_counter() - began, 1)
    stamp = _stamp(run, protocol)
    record = {"stamp": stamp, "protocol": protocol, "values": found, "seconds": spent, "steps": _steps(run)}
    atomic_write_json(run / MEASURED, record | ({"earlier": earlier} if earlier else {}))
    return found


def _steps(run: Path) -> int:
    return folder.read_config(run)["steps"]


def _shorter(run: Path) -> dict[str, Any] | None:
    """{"steps", "values"} of the measurement before, of a run that has been lengthened since."""
    before = _record(run)
    if before.get("steps", math.inf) >= _steps(run):
        return before.get("earlier")
    return {"steps": before["steps"], "values": before["values"]}


def _record(run: Path) -> dict[str, Any]:
    try:
        return shapes.read(run / MEASURED, shapes.PAPER) or {}
    except UserError:  # told where it is measured again
        return {}


def training_seconds(run: Path) -> float:
    """Compilation and stepping of a run, over all its sittings. Raises `UserError` for a manifest that is damaged."""
    record = folder.record(run) or {}
    names = ("compile_seconds", "run_seconds")
    return sum(sitting.get(name) or 0.0 for sitting in record.get("sittings", []) for name in names)


# ---- the table -----------------------------------------------------------------------------------------------------


def table(
    config: Config,
    paper: Paper,
    script: str,
    studies: Mapping[str, Ablation],
    measure: Measure,
    protocol: str,
    claims: Sequence[Claim] = (),
    remark: Callable[[Values], str] | None = None,
) -> str:
    """All that is left once a script has said what is its own: run its `studies`, measure, judge and publish.

    script: its path in experiments/, or its name in experiments/papers. remark: makes the paper's of what was measured.
    """
    outcome = measured(studies, measure, protocol, claims, collected=config.collected)
    if remark is not None:
        paper = paper._replace(remark=remark(outcome.values))
    return publish(config, paper, script, outcome, claims, protocol)


def publish(
    config: Config,
    paper: Paper,
    script: str,
    outcome: Outcome,
    claims: Sequence[Claim],
    protocol: str,
    shown: str | None = None,
) -> str:
    """Print the section, keep it as paper.md in the study folder, and put it into `--out` where that is given.

    protocol: as `measured` was told it, by which the values can be collected. shown: what the page says of it instead,
    where that is less: of those methods alone that stand in it.
    """
    if not outcome.where:
        outcome = outcome._replace(where=hardware(), command=command(script))
    values, failed = outcome.values, outcome.failed
    facts = [paper.remark, slope(paper, outcome)]
    facts = [fact for fact in facts if fact] + [
        f"Protocol: {shown or protocol}.",
        f"`{outcome.command}`: {outcome.seconds / 60:.1f} minutes of training on {outcome.where}"
        + (f"; {failed} runs failed." if failed else "."),
    ]
    judged = [(claim.text, *judge(values, claim)) for claim in claims]
    text = markdown(paper, values, judged, facts)
    root = config.study_dir or Path("studies/papers") / paper.name
    atomic_write_text(root / "paper.md", text)
    outcomes.write(root / outcomes.VALUES, outcome, protocol)
    write_section(config.out, paper.name, text)
    print(f"\n{text}")
    return text
