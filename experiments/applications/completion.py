"""Tables with gaps, completed: MIWAE, VAEAC and GAIN beside the mean, neighbours, ridge and missForest.

    python experiments/applications/completion.py                                      # breast cancer, half missing
    python experiments/applications/completion.py --data table:letter.csv --missing 0.2 --seeds 5
    python experiments/applications/completion.py --methods mean,miwae --seeds 1 --steps 200       # a glance

Cells are hidden at random; the seed of the first mask is the published one (1234, as `numpy.random.seed` and `choice`
draw it in the notebook of MIWAE), further seeds count on from it. Every method sees the rest alone: scaler, losses and
stopping never meet a hidden cell. `--protocol whole` fits on the table that it completes, as published; `split` on
seven tenths of the rows, and completes the others. Scores are of hidden cells: the mean squared error in units of the
columns' standard deviations (MIWAE's tables), the root of it in units of their ranges (GAIN's), and of the models how
often 90 % intervals of 20 draws hold the truth. Outcomes are kept a file each in --study-dir and not computed again.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from completion_cells import hide, parts, scores, table

from gen_jax.core import keys
from gen_jax.core.domains import Count, Interval, Seeds
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Array, State, Weights, weights
from gen_jax.data import feed, source
from gen_jax.data.kinds import TABLES
from gen_jax.metrics import intervals
from gen_jax.runs import scripts, shapes
from gen_jax.runs.files import atomic_write_json
from gen_jax.studies import in_memory, papers, plan

FIRST = 1234
MODELS = {"miwae": "miwae", "vaeac": "vaeac", "vaeac_gaussian": "vaeac", "gain": "gain"}  # and the script of each
LARGE = 2000  # rows
OUTCOME = {"scores": {"mse": shapes.number, "rmse": shapes.number}}
FLOORS = ("mean", "neighbours", "ridge", "missforest")
TITLES = {
    "mean": "column mean", "neighbours": "5 nearest neighbours", "ridge": "iterative ridge",
    "missforest": "missForest", "miwae": "MIWAE", "vaeac": "VAEAC", "vaeac_gaussian": "VAEAC, Gaussian as published",
    "gain": "GAIN",
}  # fmt: skip
DRAWS, RESAMPLED, ROWS = 20, 100, 200  # completions, importance samples behind each, rows completed in one call


@dataclass(frozen=True, kw_only=True)
class Config:
    data: str = "breast_cancer"
    """breast_cancer (scikit-learn's), or table:PATH of a table without gaps"""
    missing: Annotated[float, Interval(0, 1, "open")] = 0.5
    """share of the cells that are hidden"""
    seeds: Seeds = 10
    protocol: Literal["whole", "split"] = "whole"
    """fitted on the whole table that is completed, or on a split of it"""
    methods: str = ",".join((*FLOORS, *(name for name in MODELS if name != "vaeac_gaussian")))
    """with commas between; vaeac_gaussian has the paper's likelihood, of one deviation: its intervals say nothing"""
    steps: Count | None = None
    """of MIWAE, VAEAC and GAIN alike; by default each its own"""
    importance: Count = 10_000
    """samples behind MIWAE's expectations"""
    trees: Count = 50
    """of each of missForest's forests"""
    sweeps: Count = 10
    """of missForest, and of ridge, over the columns"""
    study_dir: Path = Path("studies/applications/completion")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""


# ---- floors ----------------------------------------------------------------------------------------------------------
def floor(name: str, train: np.ndarray, test: np.ndarray, config: Config, seed: int) -> np.ndarray:
    """`test` with its gaps (NaN) filled by scikit-learn, fitted on `train`."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
    from sklearn.linear_model import BayesianRidge

    sweeps: dict[str, Any] = {"max_iter": config.sweeps, "random_state": seed}
    grown: dict[str, Any] = {"max_features": "sqrt", "random_state": seed, "n_jobs": 1}
    forest = ExtraTreesRegressor(config.trees, **grown)
    made = {
        "mean": SimpleImputer,
        "neighbours": KNNImputer,
        "ridge": lambda: IterativeImputer(BayesianRidge(), **sweeps),
        "missforest": lambda: IterativeImputer(forest, **sweeps),
    }[name]()
    mean, scale = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # neighbours and ridge ask for columns of one spread
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a sweep has not come to rest
        return made.fit((train - mean) / scale).transform((test - mean) / scale) * scale + mean


# ---- models ----------------------------------------------------------------------------------------------------------
def settings(name: str, config: Config, shape: tuple[int, int]) -> dict[str, Any]:
    """Of a model's script, where they are not its defaults; names with dots are of its `hyper`."""
    small = shape[0] < LARGE
    long = {  # a large table bears wider networks, that learn faster and for longer, under masks like those asked about
        "steps": 45_000, "batch_size": 256, "width": 256, "hyper.lr": 1e-3, "masks": (f"random:{config.missing:g}",),
    }  # fmt: skip
    averaged = long | {"hyper.ema_decay": 0.9998}
    own = {
        "miwae": {"steps": 3_000 if small else 15_000},
        "vaeac": {"steps": 4_000} if small else long,
        "vaeac_gaussian": {"likelihood": "gaussian"} | ({"steps": 4_000} if small else averaged),
        "gain": {"steps": 10_000, "hide": 0.0},
    }[name]
    return own | ({"steps": config.steps} if config.steps else {})


class Machine(NamedTuple):
    """What is compiled once for all masks of a table."""

    train: Callable[[feed.Held, int], State]
    complete: Callable[[Weights, Array, Array], tuple[Array, Array]]


_MADE: dict[tuple[Any, ...], Machine] = {}


def machine(name: str, data: source.Source, config: Config, shape: tuple[int, int], own: Mapping[str, Any]) -> Machine:
    """A model of MODELS, of these settings. GAIN reads the columns' ranges of the data, and is made anew for a mask."""
    key = name, shape, config.importance, *own.items()
    if name == "gain" or key not in _MADE:
        module = scripts.load_live(papers.experiments() / f"{MODELS[name]}.py")
        asked = plan.replace(module.Config(), own)
        algorithm = module.build(asked, data)
        train = in_memory.trainer(algorithm, asked.steps, min(asked.batch_size, shape[0]))
        _MADE[key] = Machine(train, completer(algorithm, config.importance))
    return _MADE[key]


def completer(algorithm: Algorithm, importance: int) -> Callable[[Weights, Array, Array], tuple[Array, Array]]:
    """`complete(weights, x, key)` of rows with gaps: (the expected ones [N, D], DRAWS completions [DRAWS, N, D])."""
    names = {"expected": algorithm.samplers["expected"], "complete": algorithm.samplers["complete"]}
    weighed = "samples" in names["complete"].options
    many, some = ({"samples": importance}, {"samples": RESAMPLED}) if weighed else ({}, {})

    @jax.jit
    def call(view: Weights, x: Array, key: Array) -> tuple[Array, Array]:
        given = {"x": x, "mask": jnp.ones_like(x)}
        mean = names["expected"].draw(view, keys.named(key, "expected"), len(x), given, **many)
        own = jax.random.split(keys.named(key, "draws"), DRAWS)
        draws = jax.lax.map(lambda k: names["complete"].draw(view, k, len(x), given, **some), own)
        return mean, draws

    return call


def completed(made: Machine, view: Weights, x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of a table of any length, some rows at a time."""
    found = []
    for number, start in enumerate(range(0, len(x), ROWS)):
        rows = np.resize(np.arange(start, min(start + ROWS, len(x))), ROWS)
        mean, draws = made.complete(view, jnp.asarray(x[rows]), jax.random.fold_in(jax.random.key(seed), number))
        count = min(ROWS, len(x) - start)
        found.append((np.asarray(mean)[:count], np.asarray(draws)[:, :count]))
    return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found], axis=1)


def by_model(
    name: str, train: np.ndarray, test: np.ndarray, config: Config, seed: int, own: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """(expected, draws) in the table's units; the scaler is of what `train` shows."""
    mean, scale = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x, asked = (((rows - mean) / scale).astype(np.float32) for rows in (train, test))
    data = source.from_arrays("table", {"x": x}, {"x": x[:1]}, None, kind=TABLES)
    made = machine(name, data, config, x.shape, own)
    try:
        state = made.train(feed.resident(data.train), seed)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    expected, draws = completed(made, weights(state), asked, seed)
    return expected * scale + mean, draws * scale + mean


def called(data: str) -> str:
    """A table's name: that of its file, wherever it lies."""
    return Path(data.removeprefix("table:")).stem


# ---- outcomes --------------------------------------------------------------------------------------------------------
def outcome(method: str, config: Config, values: np.ndarray, seed: int) -> dict[str, float]:
    """The scores of one method under one mask, from its file where it is there."""
    own = (
        settings(method, config, values.shape) if method in MODELS else {"trees": config.trees, "sweeps": config.sweeps}
    )
    told = {"data": source.digest(values), "missing": config.missing, "protocol": config.protocol, "seed": seed, **own}
    told |= {"importance": config.importance} if method == "miwae" else {}
    file = config.study_dir / called(config.data) / f"{method}-{source.digest(sorted(told.items()))[:12]}.json"
    if file.exists():
        return shapes.read(file, OUTCOME)["scores"]
    began = time.time()
    hidden = hide(values, config.missing, seed)
    holed = np.where(hidden, np.nan, values)
    fit, rest = parts(len(values), config.protocol, seed)
    if method in MODELS:
        guess, draws = by_model(method, holed[fit], holed[rest], config, seed, own)
    else:
        guess, draws = floor(method, holed[fit], holed[rest], config, seed), None
    found = scores(values[rest], hidden[rest], guess, draws, values) | {"seconds": time.time() - began}
    atomic_write_json(file, {"scores": found, "settings": told, "method": method})
    print(f"{method:11} seed {seed}  " + "  ".join(f"{name} {value:.4f}" for name, value in found.items()), flush=True)
    return found


# ---- the table -------------------------------------------------------------------------------------------------------
def cell(found: Mapping[int, Mapping[str, float]], name: str, digits: int = 4) -> str:
    values = [each[name] for each in found.values() if name in each]
    if not values:
        return "–"
    of = intervals.t_interval(values)
    half = "" if len(values) < 2 else f" ± {(of.high - of.low) / 2:.{digits}f}"
    return f"{of.value:.{digits}f}{half}"


def section(config: Config, found: Mapping[str, Mapping[int, Mapping[str, float]]], shape: tuple[int, int]) -> str:
    """Markdown: all methods in one table, and each model's difference to missForest, mask by mask."""
    title = "breast cancer" if config.data == "breast_cancer" else called(config.data)
    how = "the table that is completed" if config.protocol == "whole" else "7/10 of the rows, the others completed"
    lines = [
        f"### {title} ({shape[0]:,} × {shape[1]}), {config.missing:.0%} missing at random, fitted on {how}",
        "",
        "| method | MSE, deviation 1 | RMSE, range 1 | 90 % intervals hold | their width | first mask, MSE | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for method, each in found.items():
        first = f"{each[FIRST]['mse']:.4f}" if FIRST in each else "–"
        cells = [cell(each, "mse"), cell(each, "rmse"), cell(each, "coverage", 3), cell(each, "width", 2), first]
        lines.append(f"| {TITLES[method]} | {' | '.join(cells)} | {cell(each, 'seconds', 0).partition(' ')[0]} |")
    lines.append("")
    for method in (m for m in MODELS if m in found and "missforest" in found):
        mine, forest = ({seed: s["mse"] for seed, s in found[m].items()} for m in (method, "missforest"))
        of, wins = intervals.paired(mine, forest), sum(mine[seed] < forest[seed] for seed in mine)
        low, high = of.interval.ends
        verdict = "below" if high < 0 else "above" if low > 0 else "not to be told from"
        lines.append(
            f"- {TITLES[method]} is **{verdict}** missForest: lower in {wins} of {len(mine)} masks, MSE by "
            f"{of.mean:+.4f}, 95 % [{low:+.4f}, {high:+.4f}], mask by mask."
        )
    lines += ["", f"`{papers.command('applications/completion.py')}`", ""]
    return "\n".join(lines)


def main(config: Config) -> None:
    papers.need_page(config.out)
    methods = [name.strip() for name in config.methods.split(",")]
    if unknown := [name for name in methods if name not in TITLES]:
        raise UserError(f"--methods {unknown[0]}: there are {', '.join(TITLES)}")
    values = table(config.data)
    found: dict[str, dict[int, dict[str, float]]] = {method: {} for method in methods}
    for seed in range(FIRST, FIRST + config.seeds):
        for method in methods:
            found[method][seed] = outcome(method, config, values, seed)
    text = section(config, found, values.shape)
    name = f"completion-{called(config.data)}-{config.missing:g}-{config.protocol}"
    papers.write_section(config.out, name, text)
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
