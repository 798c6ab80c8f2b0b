"""Odd examples: how well each anomaly score tells them, beside principal components, neighbours and zlib.

    python experiments/applications/anomaly.py --data tfds:mnist                      # one class normal, ten times
    python experiments/applications/anomaly.py --part shift --data tfds:fashion_mnist --against tfds:mnist
    python experiments/applications/anomaly.py --part table --data breast_cancer
    python experiments/applications/anomaly.py --data digits --steps 300 --seeds 2    # a glance

one_class: each class in turn is normal; models see its training examples alone, and scores tell its test examples from
those of the nine others (Ruff et al. 2018 and after). The model: a VAE of perceptrons (784-W-W/2-Z, ReLU), grey pixels
under a Bernoulli; or `--model bigan`.
shift: a VAE of one whole data set (discretised logistic) meets another of the same shape (Ren et al. 2019; Xiao et al.
2020), with likelihood's failure and its cures: regret, ratio to a model of pixels mutated at random, input complexity.
table: scikit-learn's tables; clean training sets (70 % of the normal class) and contaminated ones (70 % of all rows),
named apart as ADBench does (Han et al. 2022), beside scikit-learn's isolation forest, one-class SVM and local outliers.

Floors stand in the same table: the residual of 32 principal components (half of fewer dimensions), distance to the 5th
neighbour, zlib's code length. A score is of one example; labels of test examples choose nothing. Outcomes are kept in
--study-dir, one file each.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gen_jax.core.domains import Count, Probability, Seeds, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, weights
from gen_jax.data import feed, load, source
from gen_jax.data.one_class import REST, one_class
from gen_jax.data.source import Source, evenly, in_memory, whole
from gen_jax.metrics import classification
from gen_jax.models import gan, vae
from gen_jax.models.bigan import bigan
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import joint, mlp
from gen_jax.objectives import discretized, likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.runs import outputs
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.files import atomic_write_json, atomic_write_text, read_json
from gen_jax.runs.opened import Opened
from gen_jax.runs.scores import named
from gen_jax.runs.scores.score import of_rows
from gen_jax.studies import papers

FLOORS = {"pca": "principal components", "knn": "5th neighbour", "zlib": "−zlib length"}
SCORES = {
    ("one_class", "vae"): "reconstruction,reconstruction_probability,elbo,nll,latent_knn",
    ("one_class", "bigan"): "reconstruction,logit,feature_distance,f_anogan,alad,latent_knn",
    ("shift", "vae"): "elbo,nll,reconstruction,latent_knn,regret,ratio,complexity",
    ("table", "vae"): "reconstruction,elbo,latent_knn",
}
CALL = 500  # steps in one compiled call
ELSEWHERE = (
    "study_dir",
    "out",
    "seeds",
    "data_dir",
    "classes",
    "scores",
)  # settings that an outcome does not depend on


@dataclass(frozen=True, kw_only=True)
class Config:
    part: Literal["one_class", "shift", "table"] = "one_class"
    data: str = "tfds:mnist"
    """as for experiments; of table: breast_cancer, wine or digits_table, scikit-learn's"""
    data_dir: Path | None = None
    """where TFDS data sets are"""
    against: str = "tfds:mnist"
    """of shift: what is strange"""
    model: Literal["vae", "bigan"] = "vae"
    classes: str = "0,1,2,3,4,5,6,7,8,9"
    """of one_class: those that are normal in turn"""
    scores: str = ""
    """with commas between; by default what suits part and model"""
    seeds: Seeds = 5
    steps: Count = 3000
    batch_size: Size = 128
    width: Size = 256
    latent_size: Size = 16
    examples: Count = 1000
    """test examples of each side, spread evenly, at most"""
    mutation: Probability = 0.3
    """of shift: share of the pixels that the background model sees replaced"""
    study_dir: Path = Path("studies/applications/anomaly")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""


# ---- models ----------------------------------------------------------------------------------------------------------
def model(config: Config, shape: tuple[int, ...]) -> Algorithm:
    widths = (config.width, max(config.width // 2, 1))
    if config.model == "bigan":
        return bigan(
            mlp.Generator(shape, widths=widths[::-1]),
            mlp.Encoder(config.latent_size, widths=widths, activation=nn.relu),
            joint.Discriminator(widths=widths),
            shape=shape,
            latent_size=config.latent_size,
            hyper=gan.Hyper(),
        )
    if config.part == "shift":
        likelihood = discretized.discretized_logistic()
    elif config.part == "table":
        likelihood = likelihoods.gaussian(0.3)
    else:
        likelihood = likelihoods.bernoulli()
    outputs_ = likelihood.parameters(shape[-1])
    body = vae_body(
        mlp.Encoder(config.latent_size, widths=widths, activation=nn.relu),
        mlp.Decoder(shape, outputs_, widths=widths[::-1], activation=nn.relu),
        likelihood=likelihood,
        binarization=Binarization.NONE,
        shape=shape,
        hyper=vae.Hyper(),
    )
    return vae.vae(body)


class Fit:
    """A model's training, compiled once for all data sets of one size (they are filled up by repeats)."""

    def __init__(self, algorithm: Algorithm, config: Config, size: int):
        self.algorithm, self.size = algorithm, size
        self.batch_size, self.steps = min(config.batch_size, size), config.steps
        self.init = jax.jit(algorithm.init)
        self.call = jax.jit(self._call, donate_argnums=0)

    def _call(self, state: Any, held: feed.Held, seed: Any, count: Any) -> Any:
        def one(_: Any, state: Any) -> Any:
            batch = feed.fetch(held, seed, state.step, self.algorithm.minibatches["train"], self.batch_size)
            return self.algorithm.update(state, {"train": batch})[0]

        return jax.lax.fori_loop(0, count, one, state)

    def __call__(self, data: Source, seed: int) -> Any:
        """The state after the last step: nothing is chosen by what it scores."""
        rows = np.resize(np.arange(data.train.size), self.size)
        held = feed.resident(in_memory(data.train.read(rows)))
        state = self.init(jax.random.key(seed))
        for start in range(0, self.steps, CALL):
            state = self.call(state, held, jnp.uint32(seed), min(CALL, self.steps - start))
        return state


# ---- scores ----------------------------------------------------------------------------------------------------------
def subject_of(algorithm: Algorithm, view: Any, data: Source) -> Subject:
    return Subject(algorithm, view, data, RunConfig(), Options())


def aurocs(
    subject: Subject, names: Sequence[str], normal: source.Split, strange: source.Split, most: int
) -> dict[str, dict[str, float]]:
    """{score: {"auroc", "ap", "fpr95"}} of at most `most` examples a side."""
    found = {}
    for name in names:
        score = named.score(name)
        score.check(subject)
        rank = score.make(subject)
        sides = [of_rows(score, rank, split, evenly(split.size, most)) for split in (normal, strange)]
        kind = np.arange(sum(map(len, sides))) >= len(sides[0])
        values = np.concatenate(sides)
        found[name] = {
            "auroc": classification.auroc(values, kind).value,
            "ap": classification.auprc(values, kind),
            "fpr95": classification.false_alarms(values, kind, resamples=1).value,
        }
    return found


def kept(config: Config, name: str, names: Sequence[str], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """An outcome from its file, or made now and kept there."""
    settings = {k: str(v) for k, v in dataclasses.asdict(config).items() if k not in ELSEWHERE}
    settings["scores"] = ",".join(names)
    path = config.study_dir / f"{name}-{source.digest(sorted(settings.items()))[:10]}.json"
    if path.exists():
        return read_json(path)
    began = time.perf_counter()
    found = {"scores": make(), "seconds": round(time.perf_counter() - began, 1), "settings": settings}
    atomic_write_json(path, found)
    shown = ", ".join(f"{score} {100 * value['auroc']:.1f}" for score, value in found["scores"].items())
    print(f"{name}: {shown} ({found['seconds']:.0f} s)", flush=True)
    return found


Found = dict[int, dict[str, dict[str, dict[str, float]]]]  # seed -> case -> score -> figures; floors at seed -1


# ---- one class normal ------------------------------------------------------------------------------------------------
def one_class_part(config: Config, names: Sequence[str]) -> Found:
    base = load.load(config.data, config.data_dir and str(config.data_dir))
    split = {text: one_class(base, text) for text in config.classes.split(",")}
    algorithm = model(config, base.shape)
    fit = Fit(algorithm, config, max(data.train.size for data in split.values()))
    found: Found = {}
    short = base.name.rpartition(":")[2]
    for seed in (-1, *range(config.seeds)):
        for text, data in split.items():
            measure = partial(aurocs, normal=data.test, strange=data.split(REST), most=config.examples)

            def make(seed: int = seed, data: Source = data, measure: Callable = measure) -> dict[str, Any]:
                if seed < 0:  # floors know no seed
                    return measure(subject_of(algorithm, None, data), list(FLOORS))
                return measure(subject_of(algorithm, weights(fit(data, seed)), data), names)

            name = f"{short}-class{text}-" + ("floors" if seed < 0 else f"{config.model}-seed{seed}")
            found.setdefault(seed, {})[text] = kept(config, name, () if seed < 0 else names, make)["scores"]
    return found


# ---- another data set ------------------------------------------------------------------------------------------------
def mutated(data: Source, share: float) -> Source:
    """Each training pixel replaced, with this probability, by a level drawn uniformly: background without meaning."""
    x = np.asarray(whole(data.train)["x"])
    random = np.random.RandomState(0)
    noise = random.randint(0, 256, x.shape).astype(np.uint8)
    train = {"x": np.where(random.random_sample(x.shape) < share, noise, x)}
    return dataclasses.replace(data, train=in_memory(train), fingerprint=source.digest(data.fingerprint, share))


def shift_part(config: Config, names: Sequence[str]) -> Found:
    folder = config.data_dir and str(config.data_dir)
    data, other = load.load(config.data, folder), load.load(config.against, folder)
    if other.shape != data.shape:
        raise UserError(f"--against {config.against}: its shape is {other.shape}, and that of {data.name} {data.shape}")
    algorithm = model(config, data.shape)
    fit = Fit(algorithm, config, data.train.size)
    background = mutated(data, config.mutation)
    found: Found = {}
    short = "-to-".join(each.name.rpartition(":")[2] for each in (data, other))
    for seed in (-1, *range(config.seeds)):

        def make(seed: int = seed) -> dict[str, Any]:
            if seed < 0:
                return aurocs(subject_of(algorithm, None, data), list(FLOORS), data.test, other.test, config.examples)
            subject = subject_of(algorithm, weights(fit(data, seed)), data)
            if "ratio" in names:
                state = fit(background, seed)
                opened = Opened(Path("background"), RunConfig(), background, algorithm, state, config.steps)
                subject.options = subject.options._replace(background=Path("background"))
                subject.memory["background"] = opened
            return aurocs(subject, names, data.test, other.test, config.examples)

        name = f"{short}-" + ("floors" if seed < 0 else f"seed{seed}")
        found[seed] = {"all": kept(config, name, () if seed < 0 else names, make)["scores"]}
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
                view = weights(Fit(algorithm, config, data.train.size)(data, seed))
                scores = aurocs(subject_of(algorithm, view, data), [*names, "pca", "knn"], data.test, odd, len(x))
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

            kept_ = kept(config, f"{config.data}-{case}-seed{seed}", names, make)
            found.setdefault(seed, {})[case] = kept_["scores"]
    return found


# ---- the table -------------------------------------------------------------------------------------------------------
def means(found: Found, score: str, figure: str, case: str | None = None) -> list[float]:
    """A figure's mean over cases (or of one), in per cent, of every seed that has it."""
    rows = []
    for cases in found.values():
        values = [100 * each[score][figure] for name, each in cases.items() if score in each and case in (None, name)]
        if values:
            rows.append(float(np.mean(values)))
    return rows


def section(config: Config, found: Found) -> str:
    seeds = [seed for seed in found if seed >= 0]
    cases = list(next(iter(found.values())))
    names = list(dict.fromkeys(name for cases_ in found.values() for each in cases_.values() for name in each))
    columns = cases if config.part != "shift" else []
    title = {
        "one_class": f"One class of {config.data} is normal ({config.model})",
        "shift": f"{config.data} is normal, {config.against} is not",
        "table": f"{config.data}: the rarest class is strange",
    }[config.part]
    wide = config.part == "one_class"
    head = ["score", "AUROC", "average precision", "FPR at 95 % TPR", *columns]
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in names:
        figures = [papers.spread(means(found, name, figure), 1) for figure in ("auroc", "ap", "fpr95")]
        values = [means(found, name, "auroc", case) for case in columns]
        each = [f"{np.mean(one):.1f}" if wide else papers.spread(one, 1) for one in values]
        called = f"*{FLOORS[name]}*" if name in FLOORS else name.replace("_", " ")
        lines.append("| " + " | ".join([called, *figures, *each]) + " |")
    own = [name for name in names if name not in FLOORS and " " not in name]
    best = max(own, key=lambda name: np.mean(means(found, name, "auroc")))
    floors = [name for name in names if name not in own]
    floor = max(floors, key=lambda name: np.mean(means(found, name, "auroc")))
    best_is, floor_is = (float(np.mean(means(found, name, "auroc"))) for name in (best, floor))
    word = "better than" if best_is > floor_is else "not better than"
    called = FLOORS.get(floor, floor)
    lines += ["", f"- {best.replace('_', ' ')}, {best_is:.1f}, is **{word}** the best floor, {called}, {floor_is:.1f}."]
    lines.append(
        f"- {len(seeds)} seeds, mean ± half of the 95 % interval over seeds; {config.steps} steps of "
        f"{config.batch_size}, width {config.width}, {config.latent_size} latents; at most {config.examples} test "
        "examples a side; last step."
    )
    said = papers.command("anomaly.py").replace("papers/", "applications/")
    return "\n".join([*lines, f"- `{said}` on {papers.hardware()}.", ""])


PARTS = {"one_class": one_class_part, "shift": shift_part, "table": table_part}


def main(config: Config) -> None:
    if config.out is not None:
        outputs.file(config.out, "--out", ".md")
    asked = config.scores or SCORES.get((config.part, config.model), "")
    if not asked:
        raise UserError(f"--part {config.part} takes --model vae, or say --scores")
    names = [name.strip().replace("-", "_") for name in asked.split(",")]
    for name in names:
        named.score(name)
    text = section(config, PARTS[config.part](config, names))
    if config.out is not None:
        before = config.out.read_text(encoding="utf-8") if config.out.exists() else ""
        name = f"anomaly {config.part} {config.model} {config.data}" + (
            f" {config.against}" if config.part == "shift" else ""
        )
        atomic_write_text(config.out, papers.with_section(before, name, text))
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
