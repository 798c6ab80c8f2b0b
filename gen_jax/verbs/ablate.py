"""`ablate EXPERIMENT --grid FIELD=v1,v2 …`: arms × seeds of an experiment, and the table that compares them."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gen_jax.core.domains import Positive, Seeds


@dataclass(frozen=True, kw_only=True)
class Options:
    """Arms x seeds of an experiment in shared compiled programs, and the table that compares them.

    The same command continues a study. Every other flag is the experiment's own (--data, --steps, --hyper.NAME …) and
    holds for all arms.
    """

    experiment: tyro.conf.Positional[Path]
    """the script, such as experiments/gan.py"""
    study_dir: Path
    """the study's folder"""
    grid: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """FIELD=v1,v2: a field of the experiment and its values; give it several times for all combinations"""
    seeds: Seeds | Literal["auto"] = 4
    """how many, from --seed on; auto: more until --decide is decided"""
    decide: str | None = None
    """of --seeds auto: the metric whose differences to the baseline are to be decided at 5 %, such as held_out/elbo"""
    most_seeds: Seeds = 32
    """of --seeds auto: no more than these"""
    baseline: str | None = None
    """the arm that others are compared with, such as loss=hinge,b1=0.5; the first by default"""
    metric: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """NAME, NAME:highest or NAME:lowest; by default the scores of --track, what is measured on
    held-out data, and how far samples are from it (samples/…)"""
    mode: Literal["auto", "sequential", "batched"] = "auto"
    """one run after another in a compiled program, or many as one; auto: the former on CPU, the latter elsewhere"""
    memory_gib: Positive | None = None
    """what a batch of runs may take; by default most of what the device has free"""
    launcher: str = "here"
    """here, local:N (N processes), slurm or submitit-local"""
    json: bool = False
    """print the table's rows as JSON"""


def ablate(options: tyro.conf.OmitArgPrefixes[Options]) -> None:
    """Run arms x seeds of an experiment and compare them: ablate EXPERIMENT --study-dir DIR --grid FIELD=v1,v2 …"""
    main_with(options, [])


def main(arguments: list[str]) -> None:
    """`ablate` on a command line: what is not the study's is the experiment's."""
    from gen_jax.runs import answering, command

    options, rest = command.read_some(
        Options, arguments, prog="python -m gen_jax ablate", description=inspect.getdoc(Options) or ""
    )
    answering.as_command()
    main_with(options, rest)


def main_with(options: Options, rest: list[str]) -> None:
    """Run the study; `rest` are the experiment's own flags."""
    from gen_jax.core.errors import UserError
    from gen_jax.runs import command
    from gen_jax.studies import plan, study
    from gen_jax.studies.ablation import Ablation, as_json, run_with

    config_type, build = study.load_script(options.experiment)
    if any(word == "--run-dir" or word.startswith("--run-dir=") for word in rest):
        raise UserError("--run-dir: a study has a run folder an arm and seed, all in --study-dir")
    grid = plan.parse_grid(config_type, options.grid)
    base = command.read(config_type, rest, prog=f"python -m gen_jax ablate {options.experiment}")
    ablation = Ablation(
        experiment=options.experiment,
        study_dir=options.study_dir,
        grid=grid,
        seeds=options.seeds,
        decide=options.decide,
        most_seeds=options.most_seeds,
        baseline=options.baseline,
        metrics=options.metric,
        mode=options.mode,
        memory_gib=options.memory_gib,
        launcher=options.launcher,
    )
    if not options.json:
        from gen_jax.studies.tables import tabulate
        from gen_jax.verbs.compare import print_table

        rows = run_with(ablation, config_type, build, base, lambda line: print(line, flush=True))
        if rows:
            print()
            print_table(tabulate(rows, "", study.open_study(options.study_dir).baseline))
        return
    import json
    import sys

    from gen_jax.runs.files import plain

    rows = run_with(ablation, config_type, build, base, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(plain({"study": options.study_dir, "rows": as_json(rows)})))
