"""Rows of a table, made: TVAE (also twice as wide) and CTGAN beside SMOTE and real rows, by what learns from them and
by how near they lie.

    python experiments/applications/tables.py --data table:adult.data.gz --columns adult.toml --out docs/applications.md
    python experiments/applications/tables.py ... --models tvae --seeds 1 --samples 1 --steps 2000          # a glance

`--columns` names the target (docs/data.md). Utility is that of models which learn from made rows alone and are tested
on real held-out ones; shapes, trends and detection compare with held-out rows, distances are to the train rows. Real
train rows and SMOTE are in the same table. Runs are kept in --study-dir and continue; what is measured is a file each,
and not measured again. `columns.png` there shows every column of real rows beside made ones.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gen_jax
from gen_jax.core.domains import Count, Seeds
from gen_jax.core.types import weights
from gen_jax.data import columns as columns_
from gen_jax.data import load, source
from gen_jax.data.kinds import canvas
from gen_jax.data.table import TableSource
from gen_jax.metrics import intervals
from gen_jax.metrics.closest_record import closest
from gen_jax.metrics.column_shapes import column_shapes
from gen_jax.metrics.detection import detection
from gen_jax.metrics.pair_trends import pair_trends
from gen_jax.metrics.rows import Features, Kinds, features, mean_of, some
from gen_jax.metrics.smote import smote
from gen_jax.metrics.utility import utility
from gen_jax.runs import drawn_rows, shapes
from gen_jax.runs.evaluation.rows import DISTANCES, JUDGED, kinds_of, real_rows, target_of
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json
from gen_jax.runs.opened import open_state
from gen_jax.runs.tables import need_table
from gen_jax.studies import papers

Model = Literal["tvae", "wide_tvae", "ctgan"]
MODELS: dict[str, tuple[str, dict[str, Any]]] = {  # the script of each, and its settings
    "tvae": ("tvae", {}),
    # Chosen by utility on a fifth of Adult's train rows that was left out (docs/applications.md).
    "wide_tvae": ("tvae", {"width": 256}),
    "ctgan": ("ctgan", {}),
}
TITLES = {"real": "real rows", "held out": "held-out rows", "smote": "SMOTE", "tvae": "TVAE",
          "wide_tvae": "TVAE, 256 wide", "ctgan": "CTGAN"}  # fmt: skip
SHOWN = 40  # bars of a column


@dataclass(frozen=True, kw_only=True)
class Config:
    data: str
    """table:PATH"""
    columns: str | None = None
    """what its columns are, and the target: docs/data.md"""
    models: tuple[Model, ...] = ("tvae", "wide_tvae", "ctgan")
    seeds: Seeds = 3
    """runs of each model"""
    samples: Seeds = 5
    """tables drawn of each run, each as long as the train rows"""
    steps: Count | None = None
    """of each run; by default 300 epochs in batches of 500, as the paper"""
    study_dir: Path = Path("studies/applications/tables")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""


OUTCOME = {"scores": {str: shapes.number}}


class Case:
    """The table, and what every method is measured by."""

    def __init__(self, config: Config):
        self.config = config
        self.table: TableSource = need_table(load.load(config.data, columns=config.columns), "this comparison")
        self.target = target_of(self.table)
        self.kinds: Kinds = kinds_of(self.table)
        self.train, self.test = (real_rows(self.table, split) for split in ("train", "test"))
        self.features: Features = features(self.train, self.kinds)
        self.steps = config.steps or max(1, 300 * len(self.train) // 500)
        self.folder = config.study_dir / source.digest(self.table.fingerprint)[:8]

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, float]:
        """Of rows as the table would write them."""
        found = utility(rows, self.test, self.kinds, self.target, seed)
        found["column shapes"] = mean_of(column_shapes(self.test, rows, self.kinds).tolist())
        found["pair trends"] = mean_of(list(pair_trends(self.test, rows, self.kinds).values()))
        real, made = some(self.test, JUDGED, seed), some(rows, JUDGED, seed)
        found["detection AUC"] = detection(real, made, self.features, seed)
        near = closest(some(rows, DISTANCES, seed), self.train, self.features)
        return {**found, "distance": float(np.median(near)), "copies": float((near < 1e-3).mean())}


def rows_of(case: Case, method: str, seed: int, sample: int) -> np.ndarray:
    """As many rows as there are to train on: of a run, which is trained where it is not there yet, or of the floor."""
    count = len(case.train)
    if method == "smote":
        return smote(case.train, count, case.features, case.target, sample)
    folder = case.folder / f"{method}-{seed}-{case.steps}"
    script, own = MODELS[method]
    settings: dict[str, Any] = own | {
        "data": case.config.data, "columns": case.config.columns, "seed": seed, "steps": case.steps,
        "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 1000, "log": "csv",
    }  # fmt: skip
    gen_jax.train(papers.experiments() / f"{script}.py", settings, run_dir=folder)
    opened = open_state(folder, trusted=True)
    found = drawn_rows.draw(opened.algorithm, weights(opened.state), case.table, count, sample)
    return columns_.settled(found.x, case.table.columns)


def measured(case: Case, method: str, seed: int, sample: int) -> dict[str, float]:
    """The scores of one set of rows, from its file where it is there."""
    steps = f"-{case.steps}" if method in MODELS else ""
    file = case.folder / f"{method}-{seed}{steps}-sample{sample}.json"
    if file.exists():
        return shapes.read(file, OUTCOME)["scores"]
    began = time.time()
    rows = case.train if method == "real" else rows_of(case, method, seed, sample)
    found = case.scores(rows, sample)
    atomic_write_json(file, {"scores": found, "seconds": time.time() - began})
    said = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
    print(f"{TITLES[method]:9} seed {seed} sample {sample}  {said}", file=sys.stderr, flush=True)
    return found


def of_held_out(case: Case) -> dict[str, float]:
    """How near rows lie that no model saw: what a model that makes new rows has as its distance."""
    near = closest(some(case.test, DISTANCES, 0), case.train, case.features)
    return {"distance": float(np.median(near)), "copies": float((near < 1e-3).mean())}


def bars(values: np.ndarray, column: columns_.Column, edges: np.ndarray) -> list[float]:
    """Shares of a column's values: of each category, then of what is missing; or between edges."""
    if column.kind != "category":
        return (np.histogram(values[~np.isnan(values)], edges)[0] / len(values)).tolist()
    known = [float((values == code).mean()) for code in range(min(len(column.categories), SHOWN))]
    return [*known, float(np.isnan(values).mean())]


def figure(case: Case, made: Mapping[str, np.ndarray]) -> bytes:
    """A panel a column: shares of its categories, or of ranges of its numbers, real beside made."""
    from matplotlib.ticker import MaxNLocator

    down = -(-len(case.table.columns) // 3)
    drawing, _ = canvas.figure(11.0, 2.1 * down)
    drawing.clear()
    sets = {"held-out rows": case.test, **{TITLES[name]: rows for name, rows in made.items()}}
    wide = 0.8 / len(sets)
    for place, column in enumerate(case.table.columns):
        axes = drawing.add_subplot(down, 3, place + 1)
        axes.set_title(column.name, fontsize=8)
        low, high = np.nanquantile(case.train[:, place], (0.0, 0.995))
        edges = np.linspace(low, high if high > low else low + 1, 25)
        for number, (name, rows) in enumerate(sets.items()):
            heights = bars(rows[:, place], column, edges)
            axes.bar(np.arange(len(heights)) + (number - (len(sets) - 1) / 2) * wide, heights, wide, label=name)
        if column.kind == "category":
            names = [*column.categories[:SHOWN], "missing"]
            axes.set_xticks(np.arange(len(names)), [name[:14] for name in names], rotation=90, fontsize=5)
        else:
            nice = MaxNLocator(5, integer=column.decimals == 0).tick_values(edges[0], edges[-1])
            nice = nice[(nice >= edges[0]) & (nice <= edges[-1])]
            # A bar stands at its number, between its two edges.
            axes.set_xticks(
                np.interp(nice, edges, np.arange(len(edges)) - 0.5), [f"{t + 0.0:,.6g}" for t in nice], fontsize=6
            )
        axes.tick_params(axis="y", labelsize=6)
        if not place % 3:
            axes.set_ylabel("share of rows", fontsize=6)
        if not place:
            axes.legend(fontsize=6, frameon=False)
    return canvas.render(drawing, "png")


def cell(found: list[list[dict[str, float]]], name: str) -> str:
    """The mean over runs of the mean over samples, and half of the 95 % interval over runs."""
    means = [float(np.mean([each[name] for each in run])) for run in found if name in run[0]]
    if not means:
        return "–"
    of = intervals.t_interval(means) if len(means) > 1 else None
    return f"{np.mean(means):.3f}" + (f" ± {(of.high - of.low) / 2:.3f}" if of else "")


def section(case: Case, found: Mapping[str, list[list[dict[str, float]]]]) -> str:
    """Markdown: all methods in one table."""
    names = [name for name in found["real"][0][0] if name != "copies"]
    lines = [
        f"### {case.table.name} ({len(case.train):,} train and {len(case.test):,} held-out rows, target "
        f"{case.table.target})",
        "",
        "| rows | " + " | ".join([*names, "copies"]) + " |",
        "| --- |" + " ---: |" * (len(names) + 1),
    ]
    for method, runs in found.items():
        lines.append(f"| {TITLES[method]} | {' | '.join(cell(runs, name) for name in [*names, 'copies'])} |")
    lines += [
        "",
        "- distance: the median to the closest train record; that of held-out rows is what new rows have. copies: the "
        "share of rows that are a train row. detection AUC: .5, not told apart from held-out rows.",
        f"- {case.config.seeds} runs × {case.config.samples} samples of each model, {case.steps:,} steps; mean ± half "
        "of the 95 % interval over runs.",
        f"- `{papers.command('applications/tables.py')}` on {papers.hardware()}.",
    ]
    return "\n".join(lines)


def main(config: Config) -> None:
    papers.need_page(config.out)
    case = Case(config)
    found: dict[str, list[list[dict[str, float]]]] = {"real": [[measured(case, "real", 0, 0)]]}
    found["held out"] = [[of_held_out(case)]]
    found["smote"] = [[measured(case, "smote", 0, sample) for sample in range(config.samples)]]
    for method in config.models:
        found[method] = [
            [measured(case, method, seed, sample) for sample in range(config.samples)] for seed in range(config.seeds)
        ]
    made = {method: rows_of(case, method, 0, 0) for method in config.models}
    atomic_write_bytes(case.folder / "columns.png", figure(case, made))
    text = section(case, found)
    papers.write_section(config.out, f"tables {case.table.name}", text)
    print(text)
    print(f"\ncolumns side by side: {case.folder / 'columns.png'}", file=sys.stderr)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
