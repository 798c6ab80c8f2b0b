"""A classifier of a few labelled examples alone: the floor of every method that learns from few labels.

    python experiments/classifier.py                      # mnist5k, 10 labels a class, a perceptron
    python experiments/classifier.py --network convolutional --augment classical
    python -m gen_jax evaluate runs/classifier-mnist5k-seed0 --metrics accuracy

--seed draws the labelled examples. Of 100 digits the perceptron learns to name some 77 % of the test digits right, and
the convolutional network (--network convolutional --width 16 --steps 400) some 79 %.

The floor of Kingma et al. 2014 (arXiv:1406.5298), table 1; half a CPU minute.

Expect the accuracies of docs/applications.md.
"""

from dataclasses import dataclass
from typing import Literal

from gen_jax import experiment
from gen_jax.core.domains import Share, Size
from gen_jax.core.types import Algorithm
from gen_jax.data.labelled import classes_of
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.classifier import classifier
from gen_jax.nets import classify
from gen_jax.objectives.classical import classical


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    beta: None = None


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    labels_per_class: int | None = 10
    batch_size: int = 100
    steps: int = 1000
    network: Literal["perceptron", "convolutional"] = "perceptron"
    width: Size = 500
    """units a layer, or channels of the widest image's layer (32 of them do)"""
    dropout: Share = 0.5
    augment: Literal["none", "classical"] = "none"
    """images turned, scaled, shifted, and a square cut out of half of them"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    classes, options = classes_of(data, "classifier"), {"dropout": config.dropout, "dtype": config.dtype}
    if config.network == "convolutional":
        network = classify.ConvClassifier(classes, config.width, **options)
    else:
        network = classify.Classifier(classes, (config.width, config.width), **options)
    change = {"none": None, "classical": classical}[config.augment]
    return classifier(network, shape=data.shape, hyper=config.hyper, augment=change)


if __name__ == "__main__":
    experiment.main(Config, build)
