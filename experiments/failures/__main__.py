"""Every failure on purpose, and whether its detector names it; then whether healthy runs are left in peace.

    python -m experiments.failures                                  # about five minutes on two cores
    python -m experiments.failures --only blur oscillation
    python -m experiments.failures --healthy runs/demo/dcgan runs/demo/vae --markdown

Prints what was measured, and ends with exit status 1 if a detector kept silent on its own failure, or spoke up on a
healthy run. Runs that are there already are not trained again.
"""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gen_jax.core.errors import UserError
from gen_jax.runs import command, diagnosis, log
from gen_jax.runs.diagnosis import RULES
from gen_jax.runs.exits import exit_with

HERE = Path(__file__).parent
HEALTHY = (Path("runs/demo/dcgan"), Path("runs/demo/vae"))


@dataclass(frozen=True)
class Settings:
    only: tuple[str, ...] = ()
    """rules to try; all by default"""
    healthy: tuple[Path, ...] = field(default_factory=lambda: tuple(run for run in HEALTHY if run.exists()))
    """run folders that every detector must leave in peace; by default those of `make demo`, where they are"""
    folder: Path = Path("runs/failures")
    """where the broken runs go"""
    markdown: bool = False
    """print the table as Markdown"""


def main(settings: Settings) -> bool:
    """Train, diagnose and print; True where every detector did what it should."""
    names = settings.only or tuple(rule.name for rule in RULES)
    if unknown := set(names) - {rule.name for rule in RULES}:
        raise UserError(f"no rule {', '.join(sorted(unknown))}; there are {', '.join(rule.name for rule in RULES)}")
    healthy = {run: diagnosis.examine(_metrics(run)) for run in settings.healthy}
    rows, sound = [], True
    for rule in RULES:
        if rule.name not in names:
            continue
        run, seconds = settings.folder / rule.name, None
        if not (run / "manifest.json").exists():
            print(f"training {run} ...", file=sys.stderr, flush=True)
            seconds = _train(rule.name, run)
        found = {finding.rule.name: finding for finding in diagnosis.examine(_metrics(run)).findings}
        own = found.pop(rule.name, None)
        sound &= own is not None
        rows.append(
            {
                "sign": rule.title,
                "fires if": rule.threshold,
                "broken run": own.sight.saw if own else "SILENT",
                "since step": own.since if own else "",
                "also": ", ".join(other.rule.title for other in found.values()),
                "seconds": f"{seconds:.0f}" if seconds is not None else "",
                **{str(run): _health(result, rule.name) for run, result in healthy.items()},
            }
        )
    sound &= not any(result.findings for result in healthy.values())
    (_markdown if settings.markdown else _table)(rows)
    return sound


def _train(name: str, run: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, str(HERE / f"{name}.py"), "--run-dir", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: it broke down, as an explosion may
        raise UserError(f"{name}.py ended with status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return time.perf_counter() - began


def _metrics(run: Path) -> diagnosis.Metrics:
    found = log.read_metrics(run)
    if not found:
        raise UserError(f"{run} holds no metrics.jsonl; train it first")
    return found


def _health(result: diagnosis.Diagnosis, name: str) -> str:
    if any(finding.rule.name == name for finding in result.findings):
        return "FIRED"
    return f"{result.seen[name].value:.2g}" if name in result.seen else "–"


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_lines=True)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def _markdown(rows: list[dict[str, Any]]) -> None:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    with exit_with():
        sys.exit(0 if main(command.read(Settings, description=__doc__)) else 1)
