"""WaveGAN: sounds by DCGAN in one dimension, WGAN-GP and phase shuffle (Donahue et al. 2019, arXiv:1802.04208).

    python experiments/wavegan.py --data wav:DIR                                    # any folder of WAV files
    python experiments/wavegan.py --data wav:DIR --width 64 --batch-size 64 --steps 200000        # as published

Clips are brought to one power of two of samples: 8,192 are a second at 8 kHz. Samples are kept as spectrograms and as a
WAV file, and can be heard in the report. The authors report an Inception score of 4.67 on spoken digits (real 9.18)
after 200,000 rounds of five critic steps: it wants an accelerator. At default rates early sounds are noise.

Expect noise at first, and the data's rhythm after hours on a CPU.
"""

from dataclasses import dataclass
from typing import Annotated

from gen_jax import experiment
from gen_jax.core.domains import Interval, NonNegative, Size, Turns
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm
from gen_jax.data.source import Source
from gen_jax.models import gan, gan_terms
from gen_jax.models.gan_parts import uniform_latents
from gen_jax.nets import wavegan
from gen_jax.objectives import adversarial


@dataclass(frozen=True, kw_only=True)
class Hyper(gan.Hyper):
    lr_generator: float = 1e-4
    lr_discriminator: float = 1e-4
    b2: float = 0.9
    gradient_penalty: NonNegative = 10.0


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    data: str = "wav:DIR"
    """wav:DIR, a folder of WAV files"""
    latent_size: Size = 100
    width: Size = 16
    """channels at the sound's length; published: 64"""
    phase_shuffle: Annotated[int, Interval(0, 1_000)] = 2
    """samples by which what the critic hears is moved, at random in each layer; 0: not at all"""
    n_critic: Turns = 5
    """steps of the critic a round"""
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    if data.kind.sound is None:
        raise UserError(f"{data.name} holds {data.kind.name}; give a folder of WAV files: --data wav:DIR")
    (length,) = data.shape
    wavegan.stages_of(length)
    return gan.gan(
        wavegan.Generator(length, config.width, config.dtype),
        wavegan.Discriminator(config.width, config.phase_shuffle, config.dtype),
        loss=adversarial.wasserstein,
        shape=data.shape,
        latents=uniform_latents(config.latent_size),
        terms=(gan_terms.gradient_penalty(),),
        turns=gan.Turns(n_critic=config.n_critic),
        hyper=config.hyper,
    )


if __name__ == "__main__":
    experiment.main(Config, build)
