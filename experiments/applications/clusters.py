"""Clusters and maps without labels: VaDE, InfoGAN's code and ClusterGAN beside k-means and a mixture on components.

    python experiments/applications/clusters.py                                    # mnist5k, 5 seeds
    python experiments/applications/clusters.py --data tfds:fashion_mnist --full --methods vade --no-jitter
    python experiments/applications/clusters.py --data tfds:mnist --full --methods kmeans,mixture,vade  # half an hour
    python experiments/applications/clusters.py --part maps                        # two dimensions
    python experiments/applications/clusters.py --methods vade --seeds 2 --steps 300          # a glance

Clusters: ten, fitted to the training images; accuracy (under the best matching to classes), NMI and ARI on the test
split at the last step. All seeds are shown. A seed may be chosen by its held-out ELBO, which needs no label; the best
by labels stands beside it and is no result (a GAN has no ELBO, so its seeds are not chosen among).
Maps: two latent dimensions; 5-NN accuracy of test images among 10,000 training ones, trustworthiness of 12 neighbours
and Shepard's correlation, beside PCA of the pixels and, where umap-learn is installed, UMAP. `--pictures DIR` draws
them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gen_jax.core.domains import Count
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.data import load
from gen_jax.data.source import Source, evenly, to_float, whole
from gen_jax.metrics import classification, clusters, maps
from gen_jax.runs import figures, outputs
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.evaluation.maps import EXAMPLES, NEIGHBOURS, TRAIN, VOTES
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim, Values

SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "clusters": {
        "vade": {"width": 200, "pretrain": 2500, "steps": 4500},
        "infogan": {"width": 16, "steps": 2000},
        "clustergan": {"width": 16, "steps": 1500},
    },
    "maps": {
        "vae2d": {"width": 200, "steps": 3000},
        "vade": {"width": 200, "pretrain": 2500, "steps": 4500, "latent_size": 2},
    },
}
FULL: dict[str, dict[str, dict[str, Any]]] = {  # for all of MNIST; the GANs take hours of a CPU
    "clusters": {
        "vade": {"width": 250, "pretrain": 20_000, "steps": 24_000, "memory": 20_000},  # 33 and 7 epochs
        "infogan": {"width": 32, "steps": 15_000},
        "clustergan": {"width": 32, "steps": 15_000},
    },
    "maps": {
        "vae2d": {"width": 500, "batch_size": 250, "steps": 30_000},
        "vade": {"width": 250, "pretrain": 20_000, "steps": 24_000, "memory": 20_000, "latent_size": 2},
    },
}
GROUPS, COMPONENTS = 10, 30
FLOORS = {"clusters": ("kmeans", "mixture"), "maps": ("pca", "umap")}
CLUSTERS = papers.Paper(
    "clusters",
    "Clusters without labels (Jiang et al. 2017; Mukherjee et al. 2019)",
    (papers.Column("acc", "ACC", 3), papers.Column("nmi", "NMI", 3), papers.Column("ari", "ARI", 3)),
    {"vade": ".9446 (shipped weights, 70,000 images)", "clustergan": ".95 (checkpoint by labels)"},
    "published ACC, MNIST",
    {
        "kmeans": "k-means of pixels (k-means++)",
        "mixture": f"mixture of Gaussians on {COMPONENTS} components",
        "vade": "VaDE",
        "infogan": "InfoGAN's code",
        "clustergan": "ClusterGAN",
    },
)
MAPS = papers.Paper(
    "maps",
    "Maps of two dimensions",
    (
        papers.Column("knn", f"{VOTES}-NN accuracy", 3),
        papers.Column("trust", "trustworthiness", 3),
        papers.Column("shepard", "Shepard correlation", 3),
    ),
    {},
    "published",
    {"pca": "PCA", "umap": "UMAP", "vae2d": "VAE", "vade": "VaDE"},
)
SHORT = {"clustering accuracy": "acc", "NMI": "nmi", "ARI": "ari", "elbo": "elbo"}
SHORT_MAPS = {f"{VOTES}-NN accuracy": "knn", "trustworthiness": "trust", "Shepard correlation": "shepard"}


@dataclass(frozen=True, kw_only=True)
class Config(papers.OfData):
    part: Literal["clusters", "maps"] = "clusters"
    """what is measured: groups, or maps of two dimensions"""
    seeds: int = 5
    methods: str = ""
    """with commas between; by default all of the part"""
    full: bool = False
    """networks and steps for all of MNIST, which are slow on a CPU"""
    steps: Count | None = None
    """of every method alike; by default each its own"""
    jitter: bool = True
    """turn, scale and shift what VaDE's autoencoder sees; garments, which stand upright, are learned better without"""
    pictures: Path | None = None
    """a folder for the maps as PNG"""


# ---- floors ----------------------------------------------------------------------------------------------------------
def grouped(name: str, data: Source, seed: int) -> dict[str, float]:
    """ACC, NMI and ARI on test of a floor fitted to train."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    train, test = (flat(whole(split)["x"]) for split in (data.train, data.test))
    if name == "mixture":
        components = PCA(COMPONENTS, random_state=seed).fit(train)
        train, test = components.transform(train), components.transform(test)
        fitted = GaussianMixture(GROUPS, n_init=3, reg_covar=1e-3, random_state=seed).fit(train)
    else:
        fitted = KMeans(GROUPS, n_init="auto", random_state=seed).fit(train)
    groups, labels = fitted.predict(test), whole(data.test)["label"]
    return {
        "acc": clusters.accuracy(groups, labels).value,
        "nmi": clusters.normalised_mutual_information(groups, labels),
        "ari": clusters.adjusted_rand_index(groups, labels),
    }


def mapped(name: str, data: Source, seed: int, picture: Path | None) -> dict[str, float] | None:
    """The scores of a floor's map; None where its package is not there, which is said."""
    train_rows, rows = evenly(data.train.size, TRAIN), evenly(data.test.size, EXAMPLES)
    known, asked = data.train.read(train_rows), data.test.read(rows)
    train, test = flat(known["x"]), flat(asked["x"])
    if name == "pca":
        from sklearn.decomposition import PCA

        fitted = PCA(2, random_state=seed).fit(train)
    else:
        try:
            from umap import UMAP  # pyright: ignore[reportMissingImports]
        except ImportError:
            say("umap-learn is not installed (pip install umap-learn): its row is left out")
            return None
        fitted = UMAP(random_state=seed).fit(train)
    train_places, places = (np.asarray(fitted.transform(x)) for x in (train, test))
    if picture is not None:
        figures.classes(picture, places, asked["label"], ("first", "second"))
    found = maps.neighbour_labels(places, train_places, known["label"], VOTES)
    return {
        "knn": classification.accuracy(found, asked["label"]).value,
        "trust": maps.trustworthiness(test, places, NEIGHBOURS),
        "shepard": maps.shepard_correlation(test, places),
    }


def flat(images: np.ndarray) -> np.ndarray:
    return to_float(images).reshape(len(images), -1)


# ---- models ----------------------------------------------------------------------------------------------------------
def measure_clusters(run: measures.Trained) -> dict[str, float]:
    found = measures.measured(run, "clusters")
    found |= measures.measured(run, "held_out", seed=run.config.seed) if run.algorithm.best else {}
    return {short: found[name]["value"] for name, short in SHORT.items() if name in found}


def measure_maps(run: measures.Trained) -> dict[str, float]:
    found = measures.measured(run, "map")
    return {short: found[name]["value"] for name, short in SHORT_MAPS.items() if name in found}


def drawn(study: Any, name: str, folder: Path) -> None:
    """The map of a method's first seed, as PNG."""
    from gen_jax.studies import ablation
    from gen_jax.studies.study import open_study

    for group in ablation.groups(open_study(Path(study.study_dir))):
        _, run = sorted(group.runs.items())[0]
        trained = measures.open_trained(run)
        asked = trained.source.test.read(evenly(trained.source.test.size, EXAMPLES))
        places = measures.codes_of(trained, asked["x"])
        figures.classes(folder / f"map_{name}.png", places, asked["label"], ("z0", "z1"))


def chosen(values: Values) -> str:
    """What all seeds gave, and what a choice without labels would."""
    lines = []
    for name, found in values.items():
        acc = found["acc"]
        line = f"{CLUSTERS.titles[name]}: ACC by seed {', '.join(f'{acc[s]:.3f}' for s in sorted(acc))}"
        line += f"; median {np.median(list(acc.values())):.3f}"
        if "elbo" in found:
            best = max(found["elbo"], key=lambda seed: found["elbo"][seed])
            line += f", by held-out ELBO {acc[best]:.3f} (seed {best}), best by labels {max(acc.values()):.3f}"
        lines.append(line)
    return "; ".join(lines) + "."


def need_room(data: Source, methods: Sequence[str]) -> None:
    """Raises UserError for data too small for these methods: before any of them is fitted."""
    rows, numbers = data.train.size, int(np.prod(data.shape))
    if "mixture" in methods and min(rows, numbers) < COMPONENTS:
        raise UserError(
            f"{data.name} has {rows:,} train examples of {numbers:,} numbers, and the mixture stands on {COMPONENTS} "
            "components, which take as many of both; leave mixture out of --methods"
        )
    if rows < GROUPS and set(methods) - {"pca", "umap", "vae2d"}:
        raise UserError(f"{data.name} has {rows} train examples, and {GROUPS} clusters take as many")


def main(config: Config) -> None:
    paper = papers.of_mnist(CLUSTERS if config.part == "clusters" else MAPS, config)
    settings = (FULL if config.full else SETTINGS)[config.part]
    known = (*FLOORS[config.part], *settings)
    methods = [name.strip() for name in config.methods.split(",") if name.strip()] or list(known)
    if unknown := [name for name in methods if name not in known]:
        raise UserError(f"--methods {unknown[0]}: --part {config.part} has {', '.join(known)}")
    if config.pictures is not None and config.part != "maps":
        raise UserError("--pictures draws maps; give --part maps, or leave it out")
    if config.pictures is not None:
        outputs.folder(config.pictures, "--pictures")
        config.pictures.mkdir(parents=True, exist_ok=True)
    data = load.of(RunConfig(data=config.data, data_dir=config.data_dir))
    if data.classes is None:
        raise UserError(f"{config.data} has no labels to compare clusters and maps with")
    if len(data.shape) != 3:
        raise UserError(f"{config.data} has no images, and clusters and maps of images are compared; use mnist5k")
    need_room(data, methods)
    values: Values = {}
    for name in (m for m in FLOORS[config.part] if m in methods and not config.collected):
        for seed in range(config.seeds):
            picture = config.pictures / f"map_{name}.png" if config.pictures and seed == 0 else None
            both = grouped(name, data, seed) if config.part == "clusters" else mapped(name, data, seed, picture)
            if both is None:  # said
                break
            print(f"{name} seed {seed}: {both}", flush=True)
            for column, value in both.items():
                values.setdefault(name, {}).setdefault(column, {})[seed] = value
    common = papers.unwatched(500) | {"data": config.data}
    common |= {"data_dir": str(config.data_dir)} if config.data_dir else {}
    settings = {name: papers.shortened(own, config.steps) for name, own in settings.items()}
    trained = {name: own for name, own in settings.items() if name in methods}
    if "vade" in trained and not config.jitter:
        trained["vade"] = trained["vade"] | {"jitter": False}
    studies = {
        name: papers.study(config, paper.name, name, name, settings=common | own) for name, own in trained.items()
    }
    sizes = "networks for all of MNIST; " if config.full else ""
    lengths = {name: own["steps"] for name, own in settings.items()}

    def protocol_of(names: Iterable[str]) -> str:
        """Of what these were trained and measured by."""
        steps = ", ".join(f"{name} {lengths[name]:,}" for name in lengths if name in names)
        plain = "; vade without jitter" if "vade" in names and not config.jitter else ""
        how = f", last step, averaged weights; {sizes}steps: {steps}{plain}" if steps else ""
        return f"{config.data}, test split{how}"

    protocol = protocol_of(lengths)  # of all: what several machines measured, by other methods each, has one
    measure = measure_clusters if config.part == "clusters" else measure_maps
    outcome = papers.measured(studies, measure, protocol, collected=config.collected)
    values |= outcome.values
    if not values:
        raise UserError(f"--methods {config.methods}: none of them could be measured here")
    if config.pictures is not None and config.part == "maps" and not config.collected:
        for name, study in studies.items():
            drawn(study, name, config.pictures)
    if config.part == "clusters":
        paper = paper._replace(remark=chosen(values))
        against, column = "mixture", "acc"
    else:
        against, column = "pca", "knn"
    said = [
        Claim(f"{paper.titles[against]} is below {paper.titles[name]}", column, against, name)
        for name in settings
        if name in values and against in values
    ]
    outcome = outcome._replace(values=values)
    papers.publish(config, paper, "applications/clusters.py", outcome, said, protocol, protocol_of(values))


if __name__ == "__main__":
    papers.run(Config, main, __doc__)
