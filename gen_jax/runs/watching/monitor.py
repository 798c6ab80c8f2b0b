"""The diagnosis while a run trains: a line where a rule fires for the first time, and diagnosis.json."""

from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.runs import log, shapes
from gen_jax.runs.diagnosis import Diagnosis, Watch, examine, moments, summary
from gen_jax.runs.diagnosis.remedies import ground
from gen_jax.runs.diagnosis.rule import Metrics
from gen_jax.runs.files import atomic_write_json

FILE = "diagnosis.json"


def _before(path: Path) -> dict[str, Any]:
    """What an earlier sitting found. Every check writes it anew, so damage costs a line, and a sign told twice."""
    try:
        return shapes.read(path, shapes.DIAGNOSIS, default={})
    except UserError as error:
        say(f"{error}: it is made again")
        return {}


class Monitor:
    """Follows a run's metrics.jsonl. What it says and writes is a function of that file and the settings, so neither
    the log nor a resumed run knows of it. `quiet`: no lines, only the file.
    """

    def __init__(self, run_dir: Path, start: int, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._run_dir, self._quiet, self._stream = run_dir, quiet, stream
        self.ground = ground(run_dir)
        self._offset, self._after, self._watch = 0, -1, Watch({}, {})
        self._rows: dict[str, tuple[list[int], list[float]]] = {}
        before = _before(run_dir / FILE) if start else {}
        self._told = {found["rule"] for found in before.get("findings", []) if found.get("since", 0) <= start}

    def check(self, tell: bool = True) -> Diagnosis:
        """Look at everything logged so far; tell of what is new, and write diagnosis.json."""
        metrics = self._read()
        diagnosis = examine(metrics, self._watch, self._after)
        self._after = max([self._after, *moments(metrics)[-1:]])
        for finding in diagnosis.findings:
            if finding.lasting and finding.rule.name not in self._told:
                self._told.add(finding.rule.name)
                if tell and not self._quiet:
                    say(f"diagnosis: {finding.line(self.ground)}", self._stream)
        atomic_write_json(self._run_dir / FILE, summary(diagnosis, self.ground))
        return diagnosis

    def _read(self) -> Metrics:
        path = self._run_dir / log.FILE
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    if (found := log.parse(line.rstrip(b"\n"))) is not None:
                        self._add(found)
        return {name: log.Series(np.array(s, np.int64), np.array(v)) for name, (s, v) in self._rows.items()}

    def _add(self, line: dict) -> None:
        for name, value in line.items():
            if name not in log.FIXED:
                steps, values = self._rows.setdefault(name, ([], []))
                steps.append(line["step"])
                values.append(np.nan if value is None else float(value))
