"""Multilayer perceptrons: Burda et al.'s VAE (784-200-200-50, tanh) and a GAN for points on a ring."""

from itertools import pairwise
from typing import Any

from torch import nn

from benchmarks.peers import parts


def layers(sizes: list[int], activation: type[nn.Module], **options: Any) -> nn.Sequential:
    """Dense layers with an activation between any two."""
    made: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        made += [nn.Linear(inputs, outputs), activation(**options)]
    return nn.Sequential(*made[:-1])


def vae(setting: parts.Setting, batch_size: int, latent_size: int = 50, width: int = 200) -> parts.Peer:
    encoder = nn.Sequential(nn.Flatten(), layers([784, width, width, 2 * latent_size], nn.Tanh)).to(setting.device)
    decoder = layers([latent_size, width, width, 784], nn.Tanh).to(setting.device)
    step = parts.vae_step(setting, encoder, decoder, batch_size=batch_size, betas=(0.99, 0.999), eps=1e-4)
    return parts.Peer({"encoder": encoder, "decoder": decoder}, step)


class Critic(nn.Module):
    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x).squeeze(1)


def ring_gan(setting: parts.Setting, batch_size: int, width: int, depth: int, latent_size: int = 100) -> parts.Peer:
    hidden = [width] * depth
    generator = layers([latent_size, *hidden, 2], nn.ReLU).to(setting.device)
    discriminator = Critic(layers([2, *hidden, 1], nn.LeakyReLU, negative_slope=0.2)).to(setting.device)
    step = parts.gan_step(setting, generator, discriminator, latent_size=latent_size, batch_size=batch_size)
    return parts.Peer({"generator": generator, "discriminator": discriminator}, step)
