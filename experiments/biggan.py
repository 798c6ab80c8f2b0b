"""BigGAN: class-conditional at scale (Brock, Donahue & Simonyan 2019, arXiv:1809.11096).

    python experiments/biggan.py                                            # mnist5k, 28x28, narrow
    python experiments/biggan.py --data tfds:cifar10 --batch-size 50 --width 256 --critic-width 256 --steps 125000 \\
        --hyper.ema-decay 0.9999                                            # the authors' CIFAR-10: 4.30 M and 4.21 M
    python experiments/biggan.py --data tfds:cifar10 --hierarchical --latent-size 80 --width 384 --critic-width 192 \\
        --attention 2 --n-critic 5 --hyper.b1 0.5 --hyper.b2 0.999 --steps 100000 \\
        --hyper.ema-decay 0.9999                                            # StudioGAN's: 9.42 M and 2.42 M

The published networks want an accelerator. As in both published codes, the generator's average is of its batch
statistics too. Theirs starts after 1,000 rounds, here with the first and a decay that warms up. BigGAN-PyTorch samples
under the statistics of the batch at hand, here under the running ones. StudioGAN besides flips its images and has
Adam's epsilon at 1e-6 and BatchNorm's at 1e-4.

Expect digits of the class asked for by the end of the default run; the default run takes about 20 CPU minutes.
"""

from dataclasses import asdict, dataclass

from gen_jax import experiment
from gen_jax.core.domains import Depth, NonNegative, Size, Turns
from gen_jax.core.errors import UserError
from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import biggan
from gen_jax.objectives import weights
from gen_jax.objectives.adversarial import Loss


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    b1: float = 0.0
    ema_decay: float = 0.999


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    loss: Loss = Loss.hinge
    latent_size: Size = 128
    """with --hierarchical a multiple of the generator's blocks and one: 3 at 28 pixels, 4 at 32"""
    width: Size = 32
    """the generator's channels"""
    critic_width: Size = 32
    """the discriminator's channels"""
    hierarchical: bool = False
    """latents cut up between the blocks, a shared class embedding, attention, an orthogonal start: the paper"""
    shared: Size = 128
    """size of the shared class embedding"""
    attention: Depth = 1
    """after which block of the generator, with --hierarchical; the discriminator's is after its first"""
    n_critic: Turns = 4
    """discriminator steps a round"""
    orthogonal: NonNegative = 0.0
    """weight of the orthogonal regularisation of the generator's kernels (the paper: 1e-4)"""
    average_statistics: bool = True
    """samples come from averaged batch statistics as well as averaged weights"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if data.classes is None:
        raise UserError(f"BigGAN is class-conditional and {data.name} has no labels; experiments/sngan.py needs none")
    common = (data.shape, data.classes, config.width, config.critic_width)
    if config.hierarchical:
        networks = biggan.hierarchical(*common, config.shared, (config.attention, 1), dtype=config.dtype)
    else:
        networks = biggan.plain(*common, dtype=config.dtype)
    terms, hyper = [], asdict(config.hyper)
    if config.orthogonal:
        penalty = gan_terms.generator_penalty("orthogonal", lambda view: weights.orthogonal(view.params["generator"]))
        terms, hyper = [penalty], hyper | {"orthogonal": config.orthogonal}
    return gan.gan(
        *networks,
        loss=config.loss.value,
        shape=data.shape,
        latents=normal_latents(config.latent_size),
        given=LABEL,
        turns=gan.Turns(n_critic=config.n_critic),
        average_statistics=config.average_statistics,
        terms=terms,
        hyper=hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
