"""The parts of anomaly.py: one class normal, another data set, and scikit-learn's tables."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anomaly_models import Config, fitter, fitter_of_many, model
from anomaly_scores import FLOORS, OF_TABLES, Found, aurocs, check, kept, place, subject_of

from gen_jax.core.errors import UserError
from gen_jax.core.platform import accelerated
from gen_jax.core.types import Algorithm, Weights, weights
from gen_jax.data import load, source
from gen_jax.data.one_class import REST, one_class
from gen_jax.data.source import Source, in_memory, whole
from gen_jax.metrics import classification
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.opened import Opened


# ---- one class normal ------------------------------------------------------------------------------------------------
class Task(NamedTuple):
    """What is measured of one class: by which name it is kept, which scores (none: the floors), of which data."""

    called: str
    scores: Sequence[str]
    of: list[Any]
    data: Source


def one_class_part(config: Config, names: Sequence[str]) -> Found:
    base = load.load(config.data, config.data_dir and str(config.data_dir))
    split = {text.strip(): one_class(base, text.strip()) for text in config.classes.split(",")}
    algorithm, size = model(config, base.shape), max(data.train.size for data in split.values())
    check(algorithm, base, [*names, *FLOORS])
    fit, short = fitter_of_many(algorithm, config, size), base.name.rpartition(":")[2]
    found: Found = {}
    for seed in range(config.seeds):
        # A model sees its class filled up to the largest of them (`fitter`); floors do not.
        tasks = {
            text: Task(f"{short}-class{text}-{config.model}-seed{seed}", names, [data.fingerprint, size], data)
            for text, data in split.items()
        }
        left = [text for text, task in tasks.items() if not place(config, *task[:3])[0].exists()]
        # A CPU gains nothing by learning all classes at once, and would have nothing to show when it is stopped.
        for texts in [left] if left and accelerated() else [[text] for text in left]:
            for text, state in zip(texts, fit([split[text] for text in texts], seed), strict=True):
                _scored(config, tasks[text], algorithm, weights(state))
        found[seed] = {text: _scored(config, task, algorithm) for text, task in tasks.items()}
    floors = {text: Task(f"{short}-class{text}-floors", (), [data.fingerprint], data) for text, data in split.items()}
    found[-1] = {text: _scored(config, task, algorithm) for text, task in floors.items()}
    return dict(sorted(found.items()))


def _scored(config: Config, task: Task, algorithm: Algorithm, view: Weights | None = None) -> Any:
    """The scores of a task, from its file where there is one; floors know no weights."""

    def measured() -> dict[str, Any]:
        subject = subject_of(algorithm, view, task.data)
        return aurocs(subject, list(task.scores or FLOORS), task.data.test, task.data.split(REST), config.examples)

    return kept(config, *task[:3], measured)["scores"]


# ---- another data set ------------------------------------------------------------------------------------------------
def mutated(data: Source, share: float) -> Source:
    """Each training pixel replaced, with this probability, by a level drawn uniformly: background without meaning."""
    x = np.asarray(whole(data.train)["x"])
    random = np.random.RandomState(0)
    noise = random.randint(0, 256, x.shape).astype(np.uint8)
    kept_ = {name: values for name, values in whole(data.train).items() if name != "x"}
    train = kept_ | {"x": np.where(random.random_sample(x.shape) < share, noise, x)}
    return dataclasses.replace(data, train=in_memory(train), fingerprint=source.digest(data.fingerprint, share))


def shift_part(config: Config, names: Sequence[str]) -> Found:
    folder = config.data_dir and str(config.data_dir)
    data, other = load.load(config.data, folder), load.load(config.against, folder)
    if other.shape != data.shape:
        raise UserError(f"--against {config.against}: its shape is {other.shape}, and that of {data.name} {data.shape}")
    if other.fingerprint == data.fingerprint:
        raise UserError(f"--against {config.against}: these are the data of --data, so nothing is strange in them")
    algorithm = model(config, data.shape)
    check(algorithm, data, [*(name for name in names if name != "ratio"), *FLOORS])  # its other model is made below
    fit = fitter_of_many(algorithm, config, data.train.size)
    learnt = [data, mutated(data, config.mutation)] if "ratio" in names else [data]
    found: Found = {}
    short = "-to-".join(each.name.rpartition(":")[2] for each in (data, other))
    for seed in (-1, *range(config.seeds)):

        def make(seed: int = seed) -> dict[str, Any]:
            if seed < 0:
                return aurocs(subject_of(algorithm, None, data), list(FLOORS), data.test, other.test, config.examples)
            state, *others = fit(learnt, seed)
            subject = subject_of(algorithm, weights(state), data)
            for each in others:
                opened = Opened(Path("background"), RunConfig(), learnt[1], algorithm, each, config.steps)
                subject.options = subject.options._replace(background=Path("background"))
                subject.memory["other run"] = opened
            return aurocs(subject, names, data.test, other.test, config.examples)

        name = f"{short}-" + ("floors" if seed < 0 else f"seed{seed}")
        of = data.fingerprint, other.fingerprint
        found[seed] = {"all": kept(config, name, () if seed < 0 else names, of, make)["scores"]}
    return found


# ---- tables ----------------------------------------------------------------------------------------------------------
def table_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(x [N, D], whether each row is strange) of scikit-learn's tables: the rarest class is strange."""
    from sklearn import datasets

    readers = {
        "breast_cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "digits_table": datasets.load_digits,
    }
    if name not in readers:
        raise UserError(f"--data {name}: --part table knows {', '.join(readers)}")
    x, labels = readers[name](return_X_y=True)
    return np.asarray(x, np.float64), labels == np.argmin(np.bincount(labels))


def table_part(config: Config, names: Sequence[str]) -> Found:
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    x, strange = table_of(config.data)
    found: Found = {}
    for seed in range(config.seeds):
        order = np.random.default_rng(seed).permutation(len(x))
        train, test = order[: round(0.7 * len(x))], order[round(0.7 * len(x)) :]
        for case, rows in {"clean": train[~strange[train]], "contaminated": train}.items():

            def make(rows: np.ndarray = rows, test: np.ndarray = test, seed: int = seed) -> dict[str, Any]:
                mean, scale = x[rows].mean(axis=0), np.maximum(x[rows].std(axis=0), 1e-8)
                scaled = ((x - mean) / scale).clip(-10, 10).astype(np.float32)
                splits = {"x": scaled[rows]}, {"x": scaled[test[~strange[test]]]}
                data = source.from_arrays(config.data, *splits, None)
                odd = in_memory({"x": scaled[test[strange[test]]]})
                algorithm = model(config, data.shape)
                check(algorithm, data, [*names, *OF_TABLES])
                view = weights(fitter(algorithm, config, data.train.size)(data, seed))
                scores = aurocs(subject_of(algorithm, view, data), [*names, *OF_TABLES], data.test, odd, len(x))
                floors = {
                    "isolation forest": IsolationForest(random_state=seed),
                    "one-class SVM": OneClassSVM(gamma="scale"),
                    "local outlier factor": LocalOutlierFactor(novelty=True),
                }
                kind = np.arange(len(test)) >= data.test.size
                held_out = np.concatenate([splits[1]["x"], odd.arrays["x"]])  # pyright: ignore[reportOptionalSubscript]
                for name, floor in floors.items():
                    values = -floor.fit(splits[0]["x"]).score_samples(held_out)
                    scores[name] = {
                        "auroc": classification.auroc(values, kind).value,
                        "ap": classification.auprc(values, kind),
                        "fpr95": classification.false_alarms(values, kind, resamples=1).value,
                    }
                return scores

            of = x, strange  # of the scikit-learn that is installed
            kept_ = kept(config, f"{config.data}-{case}-seed{seed}", names, of, make)
            found.setdefault(seed, {})[case] = kept_["scores"]
    return found
