"""What anomaly.py trains: its settings, a VAE or a BiGAN of perceptrons, and one fit for data sets of several sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from flax import linen as nn

from gen_jax.core.domains import Count, Probability, Seeds, Size
from gen_jax.core.platform import accelerated
from gen_jax.core.types import Algorithm
from gen_jax.data import feed
from gen_jax.data.source import Source, in_memory
from gen_jax.models import gan, vae
from gen_jax.models.bigan import bigan
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import dcgan, joint, mlp
from gen_jax.objectives import discretized, likelihoods
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.studies.in_memory import together, trainer


@dataclass(frozen=True, kw_only=True)
class Config:
    part: Literal["one_class", "shift", "table"] = "one_class"
    """what is strange: other classes, another data set, or the rarest rows of a table"""
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
    network: Literal["perceptron", "convolutional"] = "perceptron"
    """of the VAE; a convolutional one has --width channels (32 of them do), and doubles them as it goes down"""
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
    if config.network == "convolutional":
        networks = (
            dcgan.Encoder(config.latent_size, config.width),
            dcgan.Decoder(shape, outputs_, config.width),
        )
    else:
        networks = (
            mlp.Encoder(config.latent_size, widths=widths, activation=nn.relu),
            mlp.Decoder(shape, outputs_, widths=widths[::-1], activation=nn.relu),
        )
    body = vae_body(
        *networks,
        likelihood=likelihood,
        binarization=Binarization.NONE,
        shape=shape,
        hyper=vae.Hyper(),
    )
    return vae.vae(body)


def fitter(algorithm: Algorithm, config: Config, size: int) -> Callable[[Source, int], Any]:
    """`fit(data, seed) -> state` after the last step, compiled once for all data sets of at most `size` training
    examples: they are filled up by repeats."""
    train = trainer(algorithm, config.steps, min(config.batch_size, size))

    def fit(data: Source, seed: int) -> Any:
        return train(filled(data, size), seed)

    return fit


def fitter_of_many(algorithm: Algorithm, config: Config, size: int) -> Callable[[Sequence[Source], int], list[Any]]:
    """`fit(data sets, seed) -> states`: `fitter` of several at once, as one program where there is an accelerator."""
    if not accelerated():
        one = fitter(algorithm, config, size)
        return lambda data, seed: [one(each, seed) for each in data]
    train = together(algorithm, config.steps, min(config.batch_size, size))

    def fit(data: Sequence[Source], seed: int) -> list[Any]:
        return train([filled(each, size) for each in data], seed)

    return fit


def filled(data: Source, size: int) -> feed.Held:
    return feed.resident(in_memory(data.train.read(np.resize(np.arange(data.train.size), size))))
