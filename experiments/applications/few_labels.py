"""Classes from few labels: a GAN and two VAEs beside what the labels alone, and scikit-learn's methods, make of them.

    python experiments/applications/few_labels.py                                  # mnist5k, 10 labels a class, 5 draws
    python experiments/applications/few_labels.py --data tfds:mnist --seeds 3 --full
    python experiments/applications/few_labels.py --methods m1_m2 --seeds 2 --steps 300      # a glance

A seed draws the labelled examples, of which every method and every floor sees the same, and weights and noise. All
training images are seen without labels, test images by nobody: not by a choice of steps, either. What is reported is
the error on the test split at the last step, by averaged weights (Salimans et al. 2016), with the 95 % t interval over
draws. `--full` takes the papers' network sizes, which are slow on a CPU. Claim: half the error of the supervised
network, which has dropout and the same labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gen_jax.core.domains import Count, Share, Size
from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.data.labelled import STREAM
from gen_jax.data.source import to_float, whole
from gen_jax.runs.config import Config as RunConfig
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim, Values

SETTINGS: dict[str, dict[str, Any]] = {  # of each method: how it fits a CPU's minutes
    "perceptron": {"experiment": "classifier", "steps": 600, "width": 500},
    "convolutional": {"experiment": "classifier", "network": "convolutional", "width": 16, "steps": 400},
    "feature_matching": {"width": 400, "steps": 3000},
    "m2": {"width": 200, "steps": 1500},
    "m1_m2": {"width": 300, "steps": 6000, "pretrain": 2000},
}
FULL: dict[str, dict[str, Any]] = {
    "perceptron": {}, "convolutional": {"width": 32},
    "feature_matching": {"width": 1000, "steps": 70_000, "decay": 1 / 3},
    "m2": {"width": 500, "steps": 40_000}, "m1_m2": {"width": 600, "steps": 50_000, "pretrain": 20_000},
}  # fmt: skip
# Kingma et al. 2014 weigh a sum over all examples: of 100 labels and 60,000 images, alpha = .1 N of it is .1 a step
# beside the mean bound of the unlabelled, and the labelled bound 100 / 60,000: so are M1 + M2's. M2's are 10 and 1.
USUAL = tuple(SETTINGS)
SETTINGS["m2_published"] = {"experiment": "m2", **SETTINGS["m2"], "hyper.alpha": 0.1, "hyper.labelled": 100 / 60_000}
FULL["m2_published"] = FULL["m2"]
FLOORS = ("nearest", "svm", "self_training", "label_spreading")
PAPER = papers.Paper(
    "few_labels",
    "Classes from few labels (Kingma et al. 2014; Salimans et al. 2016)",
    (papers.Column("error", "errors, %"),),
    {"m2": "11.97 ± 1.71", "m1_m2": "3.33 ± .14", "feature_matching": ".93 ± .065"},
    "published, 100 labels of all MNIST",
    {
        "nearest": "1-NN of pixels",
        "svm": "RBF-SVM, C = 10",
        "self_training": "self-training of logistic regression",
        "label_spreading": "label spreading, 7 neighbours",
        "perceptron": "supervised perceptron",
        "convolutional": "supervised convolutional network",
        "feature_matching": "feature-matching GAN",
        "m2": "M2",
        "m1_m2": "M1 + M2",
        "m2_published": "M2, the paper's weights of terms",
        "bar": "half the errors of the better supervised network",
    },
)


@dataclass(frozen=True, kw_only=True)
class Config(papers.OfData):
    labels_per_class: Size = 10
    seeds: int = 5
    methods: str = ",".join((*FLOORS, *USUAL))
    """with commas between; floors are 1-NN, an SVM, self-training and label spreading; m2_published weighs its terms
    as the paper does"""
    full: bool = False
    """networks of the papers' sizes"""
    decay: Share | None = None
    """last share of the GAN's steps, in which its rates fall; by default none, and a third with --full"""
    steps: Count | None = None
    """of every method alike, with as large a share for M1; by default each its own"""


def floor(name: str, config: Config, seed: int) -> float:
    """Errors of a floor in %, fitted to the labels that this seed draws."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
    from sklearn.svm import SVC

    asked = RunConfig(data=config.data, data_dir=config.data_dir, labels_per_class=config.labels_per_class, seed=seed)
    data = load.of(asked)
    known, test = whole(data.split(STREAM)), whole(data.test)
    x, y = flat(known["x"]), known["label"]
    if name in ("nearest", "svm"):
        fitted = (KNeighborsClassifier(1) if name == "nearest" else SVC(C=10)).fit(x, y)
    else:
        # The labelled ones stand among the unlabelled, too, without their label.
        unlabelled = flat(data.train.read(np.arange(data.train.size))["x"])
        both, told = np.concatenate([x, unlabelled]), np.concatenate([y, np.full(len(unlabelled), -1)])
        if name == "self_training":
            model = SelfTrainingClassifier(LogisticRegression(max_iter=200), threshold=0.95)
        else:
            model = LabelSpreading(kernel="knn", n_neighbors=7)
        fitted = model.fit(both, told)
    return 100.0 * float((fitted.predict(flat(test["x"])) != test["label"]).mean())


def flat(images: np.ndarray) -> np.ndarray:
    return to_float(images).reshape(len(images), -1)


def measure(run: measures.Trained) -> dict[str, float]:
    return {"error": 100.0 * (1.0 - measures.measured(run, "accuracy")["accuracy"]["value"])}


def settings(name: str, config: Config) -> dict[str, Any]:
    own = SETTINGS[name] | (FULL[name] if config.full else {})
    if name == "feature_matching" and config.decay is not None:
        own |= {"decay": config.decay}
    return papers.shortened(own, config.steps)


def studies(config: Config, methods: list[str]) -> dict[str, Any]:
    """The ablations, of one arm each."""
    common = {"data": config.data, "labels_per_class": config.labels_per_class}
    common |= papers.unwatched(500)
    if config.data_dir is not None:
        common["data_dir"] = str(config.data_dir)
    found = {}
    for name in methods:
        own = settings(name, config)
        script = own.pop("experiment", name)
        found[name] = papers.study(config, papers.of_mnist(PAPER, config).name, name, script, settings=common | own)
    return found


def main(config: Config) -> None:
    methods = [name.strip() for name in config.methods.split(",") if name.strip()]
    known = (*FLOORS, *SETTINGS)
    if unknown := [name for name in methods if name not in known]:
        raise UserError(f"--methods {unknown[0]}: there are {', '.join(known)}")
    if not methods and not config.collected:
        raise UserError(f"--methods names none; there are {', '.join(known)}")
    if config.decay is not None and "feature_matching" not in methods and not config.collected:
        raise UserError("--decay is of feature_matching's rates; add it to --methods, or leave --decay out")
    trained, floors = ([m for m in methods if (m in SETTINGS) == own] for own in (True, False))
    sizes = "networks of the papers' sizes" if config.full else "networks that fit a CPU's minutes"
    steps = {m: settings(m, config)["steps"] for m in SETTINGS}

    fall = settings("feature_matching", config).get("decay", 0)

    def lengths_of(names: Iterable[str]) -> list[str]:
        return [f"{m} {count:,}" for m, count in steps.items() if m in names]

    def protocol_of(names: Iterable[str]) -> str:
        return (
            f"{config.data}, {config.labels_per_class} labels a class, drawn by seed; all training images without "
            f"labels; test errors at the last step, averaged weights"
            + (f"; {sizes}; steps of 100: {lengths}" if (lengths := ", ".join(lengths_of(names))) else "")
            + (f"; the GAN's rates fall over the last {fall:.0%}" if fall and "feature_matching" in names else "")
        )

    protocol = protocol_of(steps)  # of all: what several machines measured, by other methods each, has one
    values: Values = {}
    for name in floors if not config.collected else ():
        for seed in range(config.seeds):
            values.setdefault(name, {}).setdefault("error", {})[seed] = floor(name, config, seed)
            print(f"{name} seed {seed}: {values[name]['error'][seed]:.2f}", flush=True)
        print(f"{name}: {papers.spread(list(values[name]['error'].values()), 2)}", flush=True)
    outcome = papers.measured(studies(config, trained), measure, protocol, collected=config.collected)
    values |= outcome.values
    if supervised := [m for m in ("perceptron", "convolutional") if m in values]:
        best = min(supervised, key=lambda m: np.mean(list(values[m]["error"].values())))
        values["bar"] = {"error": {seed: error / 2 for seed, error in values[best]["error"].items()}}
    said = [
        Claim(f"{PAPER.titles[name]}: less than half the errors of the better supervised network", "error", name, "bar")
        for name in ("feature_matching", "m2", "m1_m2", "m2_published")
        if name in values and "bar" in values
    ]
    papers.publish(
        config,
        papers.of_mnist(PAPER, config),
        "applications/few_labels.py",
        outcome._replace(values=values),
        said,
        protocol,
        protocol_of(values),
    )


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
