"""Classes from few labels by a GAN whose generator matches features (Salimans et al. 2016, arXiv:1606.03498).

    python experiments/feature_matching.py                                   # mnist5k, 10 labels a class
    python experiments/feature_matching.py --data tfds:mnist --steps 180000  # the paper's 300 epochs
    python -m gen_jax evaluate runs/feature_matching-mnist5k-seed0 --metrics accuracy

--seed draws the labelled examples as well as weights and noise; of all others the label is hidden. The networks, Adam
at 3e-3 (.5), batches of 100 and D averaged by .9999 are those of the authors' code for MNIST; the accuracy is that of
the averaged D at the last step. The paper has .93 % errors (± .065) with 100 labels and all 60,000 images; what 4,000
images give is in docs/applications.md. Samples are poor by design.

Expect the accuracies of docs/applications.md; about 20 CPU minutes.
"""

from dataclasses import dataclass

from gen_jax import experiment
from gen_jax.core.domains import NonNegative, Share, Size
from gen_jax.core.players import adam_for
from gen_jax.core.types import Algorithm
from gen_jax.data.labelled import classes_of
from gen_jax.data.source import Source
from gen_jax.models import gan
from gen_jax.models.feature_matching import feature_matching
from gen_jax.models.gan_parts import uniform_latents
from gen_jax.nets import classify


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 3e-3
    lr_discriminator: float = 3e-3
    ema_decay: float = 0.9999
    """of the discriminator's average, which classifies"""
    unlabelled: NonNegative = 1.0
    """weight of the game beside the cross-entropy of the labelled"""


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    labels_per_class: int | None = 10
    batch_size: int = 100
    steps: int = 12_000
    latent_size: Size = 100
    width: Size = 1000
    """units of the discriminator's first layer; the others are half, a quarter, ... of it"""
    noise: NonNegative = 0.6
    """standard deviation of noise on images, which are in [-1, 1]"""
    decay: Share = 0.0
    """last share of the steps, in which learning rates fall to 0 (the authors' code: a third); continued with more
    --steps, a run goes on at the rate of its place among them"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    width, classes = config.width, classes_of(data, "feature_matching")
    widths = (width, *(max(width // part, 1) for part in (2, 4, 4, 4)))
    return feature_matching(
        classify.SoftplusGenerator(data.shape, (widths[1], widths[1]), dtype=config.dtype),
        classify.NoisyDiscriminator(classes, widths, config.noise, dtype=config.dtype),
        shape=data.shape,
        latents=uniform_latents(config.latent_size),
        hyper=config.hyper,
        optimizers={
            name: adam_for(f"lr_{name}", config.steps, config.decay) for name in ("generator", "discriminator")
        },
    )


if __name__ == "__main__":
    experiment.main(Config, build)
