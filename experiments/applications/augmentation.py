"""Small labelled sets, augmented: what images of a cGAN and a cVAE add for a classifier, beside shifts and rotations.

    python experiments/applications/augmentation.py                                   # mnist5k; 10, 50 and 100 a class
    python experiments/applications/augmentation.py --data tfds:fashion_mnist --data-dir DIR --per-class 10 100 500
    python experiments/applications/augmentation.py --per-class 10 --draws 2 --steps 60 --gan-steps 60 --vae-steps 60

A draw is n training images of each class. Whatever is trained sees these alone: the classifier, and the generators
whose images it is given beside them (--ratio synthetic for one real). Every arm takes the same steps of the same batch
size, and is scored at the last one, on a test split that nothing else sees. A generator is diagnosed before its images
are used, beside other training images that nothing learns from, and marked where it collapsed.

Gains are over `classical` (the images turned, scaled, shifted, a square cut out), not over nothing, paired by draw,
seeds averaged within a draw. What a synthetic set is worth is read off the classical curve: how many more real images a
class bring as much. Expect little: Ravuri & Vinyals 2019 (arXiv:1905.10887) find that samples of BigGAN add at best
marginally. Outcomes are kept in --study-dir, a file each, and generators as runs; what is there is not made again.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from augmentation_generators import drawn, made
from augmentation_table import Outcome, Study, picture, section

from gen_jax.core.domains import Count, Positive, Seeds, Size
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, weights
from gen_jax.data import feed, load, mixed
from gen_jax.data.labelled import STREAM, few_labels
from gen_jax.data.source import Arrays, Source, digest, evenly, in_memory, to_float
from gen_jax.runs import scripts, shapes
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json, atomic_write_text
from gen_jax.studies import in_memory as training
from gen_jax.studies import papers


class Arm(NamedTuple):
    title: str
    generators: tuple[str, ...] = ()
    classical: bool = False
    real: bool = True


CGAN, CVAE, BOTH = ("cgan",), ("cvae",), ("cgan", "cvae")
ARMS = {
    "none": Arm("real images alone"),
    "classical": Arm("classical", classical=True),
    "cgan": Arm("cGAN", CGAN),
    "plain_cgan": Arm("cGAN without DiffAugment", ("plain_cgan",)),
    "cvae": Arm("cVAE", CVAE),
    "both": Arm("cGAN and cVAE", BOTH),
    "classical_cgan": Arm("classical, cGAN", CGAN, True),
    "classical_cvae": Arm("classical, cVAE", CVAE, True),
    "classical_both": Arm("classical, cGAN and cVAE", BOTH, True),
    "only_cgan": Arm("cGAN's images alone (CAS)", CGAN, real=False),
    "only_cvae": Arm("cVAE's images alone (CAS)", CVAE, real=False),
    "nearest": Arm("*1-NN of pixels*"),
    "svm": Arm("*RBF-SVM, C = 10*"),
}
FLOORS = ("nearest", "svm")
OUTCOME = {"outcome": {"accuracy": shapes.number, "saw": int, "signs": {str: [str]}}}


@dataclass(frozen=True, kw_only=True)
class Config:
    data: str = "mnist5k"
    data_dir: Path | None = None
    """where TFDS data sets are"""
    per_class: tuple[Size, ...] = (10, 50, 100)
    """real images of each class, n"""
    curve: tuple[Size, ...] = (5, 20, 200, 400)
    """further n of the classical arm alone, by which synthetic sets are valued"""
    arms: str = ",".join(name for name in ARMS if name != "plain_cgan")
    """with commas between"""
    draws: Seeds = 3
    """of the real images"""
    seeds: Seeds = 1
    """of what is trained on each draw"""
    ratio: Positive = 1.0
    """synthetic images for each real one"""
    steps: Count = 2000
    """of every classifier; with few, what is augmented classically is not learnt yet, and is no floor"""
    width: Size = 16
    """channels of the classifier's and the generators' widest images"""
    gan_steps: Count = 3000
    vae_steps: Count = 2000
    batch_size: Size = 64
    examples: Count = 2000
    """test images, spread evenly, at most"""
    study_dir: Path = Path("studies/applications/augmentation")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""
    pictures: Path | None = None
    """a folder for the curve as PNG; by default the study's"""


# ---- the classifier --------------------------------------------------------------------------------------------------
class Classifier:
    """The convolutional network of experiments/classifier.py, with classical augmentation or without, compiled once
    for each size of a training set."""

    def __init__(self, config: Config, data: Source, classical: bool):
        import jax

        module = scripts.load_live(papers.experiments() / "classifier.py")
        asked = module.Config(network="convolutional", width=config.width, augment="classical" if classical else "none")
        told = dataclasses.replace(data, others={STREAM: data.train})
        algorithm: Algorithm = module.build(asked, told)
        assert algorithm.classify is not None
        self.batch_size = config.batch_size
        self.train = training.trainer(algorithm, config.steps, config.batch_size, STREAM)
        self.classify = jax.jit(algorithm.classify)

    def taught(self, images: Arrays, seed: int) -> Any:
        """The state after the last step; fewer images than a batch has are repeated until they fill one."""
        rows = np.resize(np.arange(len(images["x"])), max(len(images["x"]), self.batch_size))
        return self.train(feed.resident(in_memory({name: each[rows] for name, each in images.items()})), seed)

    def right(self, state: Any, images: Arrays) -> float:
        """Share of the images that it names right, in %."""
        view, x = weights(state), images["x"]
        blocks = [self.classify(view, {"x": to_float(x[start : start + 1000])}) for start in range(0, len(x), 1000)]
        return 100.0 * float((np.concatenate(blocks).argmax(axis=1) == images["label"]).mean())


def floor(name: str, real: Arrays, test: Arrays) -> float:
    """Test accuracy in % of scikit-learn's, fitted to the real images."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    flat = lambda images: to_float(images).reshape(len(images), -1)  # noqa: E731
    fitted = (KNeighborsClassifier(1) if name == "nearest" else SVC(C=10)).fit(flat(real["x"]), real["label"])
    return 100.0 * float((fitted.predict(flat(test["x"])) == test["label"]).mean())


# ---- one outcome -----------------------------------------------------------------------------------------------------
def outcome(config: Config, data: Source, classifiers: Mapping[bool, Classifier], cell: tuple[str, int, int, int]):
    """The outcome of (arm, n, draw, seed), from its file where it is there."""
    name, n, draw, seed = cell
    arm, classes = ARMS[name], data.classes or 1
    told = {"data": data.fingerprint, "arm": name, "n": n, "draw": draw, "seed": seed, "examples": config.examples}
    if name not in FLOORS:
        told |= {key: getattr(config, key) for key in ("steps", "width", "batch_size")}
    if arm.generators:
        told |= {key: getattr(config, key) for key in ("ratio", "gan_steps", "vae_steps")}
    file = config.study_dir / "outcomes" / f"{name}-{n}-draw{draw}-seed{seed}-{digest(sorted(told.items()))[:10]}.json"
    if (there := shapes.read(file, OUTCOME)) is not None:
        kept = there["outcome"]
        signs = {name: tuple(each) for name, each in kept["signs"].items()}
        return Outcome(kept["accuracy"], kept["saw"], signs)
    real, test = drawn(data, n, draw), data.test.read(evenly(data.test.size, config.examples))
    if name in FLOORS:
        found = Outcome(floor(name, real, test), n * classes, {})
    else:
        total = mixed.share(n * classes, config.ratio, 1, classes)
        count = mixed.share(n * classes, config.ratio, max(len(arm.generators), 1), classes)
        of = {each: made(config, data, each, (n, draw, seed), total) for each in arm.generators}
        images = mixed.mixed(real if arm.real else None, [each.images for each in of.values()], count)
        classifier = classifiers[arm.classical]
        accuracy = classifier.right(classifier.taught(images, seed), test)
        found = Outcome(accuracy, max([n * classes, *(each.saw for each in of.values())]),
                        {each: one.signs for each, one in of.items()})  # fmt: skip
    atomic_write_json(file, {"outcome": found._asdict(), "settings": told})
    print(f"{name}, {n} a class, draw {draw}, seed {seed}: {found.accuracy:.2f} %", flush=True)
    return found


# ---- all of them -----------------------------------------------------------------------------------------------------
def checked(config: Config, data: Source) -> list[str]:
    """The arms. Raises UserError, before anything is trained, for what cannot be done."""
    names = [name.strip() for name in config.arms.split(",") if name.strip()]
    if unknown := [name for name in names if name not in ARMS]:
        raise UserError(f"--arms {unknown[0]}: there are {', '.join(ARMS)}")
    if "classical" not in names:
        raise UserError("--arms: gains are over classical, which has to be among them")
    if len(data.shape) != 3 or data.classes is None:
        raise UserError(f"{data.name} is not labelled images, which this augments; use mnist5k")
    if not config.per_class:
        raise UserError("--per-class: give one number of images a class or more")
    for n in (*config.per_class, *config.curve):
        few_labels(data, n, 0)  # that there are so many
    most = max(config.per_class)
    if any(ARMS[name].generators for name in names) and most * data.classes >= data.train.size:
        raise UserError(f"--per-class {most}: that is all of {data.name}, and leaves nothing to diagnose generators by")
    return names


def main(config: Config) -> None:
    papers.need_page(config.out)
    data = load.of(RunConfig(data=config.data, data_dir=config.data_dir))
    names = checked(config, data)
    classifiers = {classical: Classifier(config, data, classical) for classical in (False, True)}
    found: dict[tuple[str, int], dict[tuple[int, int], Outcome]] = {}
    for draw in range(config.draws):
        for seed in range(config.seeds):
            one = partial(outcome, config, data, classifiers)
            for n in sorted({*config.per_class, *config.curve}):
                for name in names if n in config.per_class else ["classical"]:
                    found.setdefault((name, n), {})[draw, seed] = one((name, n, draw, seed))
    study = Study(found, {name: ARMS[name].title for name in names}, config.per_class)
    counted = min(config.examples, data.test.size)
    protocol = (
        f"{config.draws} {'draw' if config.draws == 1 else 'draws'}, "
        f"{config.seeds} {'seed' if config.seeds == 1 else 'seeds'} each, mean ± half of the "
        f"95 % interval over draws; every classifier {config.steps:,} steps of {config.batch_size} (convolutional, "
        f"width {config.width}); cGAN (DiffAugment) {config.gan_steps:,} steps, cVAE {config.vae_steps:,}; "
        f"{config.ratio:g} synthetic for each real image; accuracy on {counted:,} test images at the last step"
    )
    said = papers.command("applications/augmentation.py")
    text = section(study, config.data, [f"Protocol: {protocol}.", f"`{said}` on {papers.hardware()}."])
    short = papers.part_of(config.data.removeprefix("tfds:"))
    drawn_at = (config.pictures or config.study_dir) / f"augmentation_{short}.png"
    atomic_write_bytes(drawn_at, picture(study, config.data))
    atomic_write_text(config.study_dir / f"augmentation_{short}.md", text)
    papers.write_section(config.out, f"augmentation-{short}", text)
    print(f"\n{text}\n{drawn_at}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
