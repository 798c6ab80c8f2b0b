"""metrics.csv: metrics.jsonl as a table for spreadsheets and data frames, a row a step and a column a metric.

It is written when a sitting ends, from the lines of all sittings; a killed one's rows come with the next.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.runs.files import atomic_write_text

FILE = "metrics.csv"


class Table:
    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def scalars(self, step: int, metrics: Mapping[str, float]) -> None:
        """They are read from metrics.jsonl."""

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """A table has none."""

    def close(self) -> None:
        from gen_jax.runs import log

        rows: dict[int, dict[str, Any]] = {}
        for line in log.read_lines(self._run_dir):  # several of a step are one row: training, and what was held out
            rows[line["step"]] = rows.get(line["step"], {}) | line
        columns = list(dict.fromkeys(name for row in rows.values() for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: "nan" if value is None else value for name, value in row.items()} for row in rows.values()
        )
        atomic_write_text(self._run_dir / FILE, text.getvalue())


def start(run_dir: Path, step: int, settings: Mapping[str, Any]) -> Table:
    return Table(run_dir)
