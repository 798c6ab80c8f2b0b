"""DCGAN's networks (Radford et al. 2016) as in PyTorch's example, in a GAN, in WGAN-GP, and as a VAE's two halves."""

from itertools import pairwise

import torch
from torch import nn

from benchmarks.peers import parts


def stages(size: int) -> tuple[int, int]:
    """(halvings, pixels that are left): 4 to 7 pixels."""
    depth = next(k for k in range(1, 8) if -(-size // 2**k) <= 7)
    return depth, -(-size // 2**depth)


def start(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class Up(nn.Module):
    """Latents [B, d] -> [B, channels, size, size]."""

    def __init__(self, size: int, channels: int, width: int, latent_size: int, output_bias: bool, squash: bool):
        super().__init__()
        depth, base = stages(size)
        widths = [width * 2**stage for stage in reversed(range(depth))]
        self.base = base  # a transposed convolution of one pixel, or a convolution to one, is a dense layer
        self.first = nn.Linear(latent_size, base * base * widths[0], bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(widths):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        layers.append(nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=output_bias))
        if squash:
            layers.append(nn.Tanh())
        self.rest = nn.Sequential(*layers)
        self.apply(start)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.rest(self.first(latents).unflatten(1, (self.base, self.base, -1)).permute(0, 3, 1, 2))


class Down(nn.Module):
    """[B, channels, size, size] -> [B] logits, or [B, outputs]."""

    def __init__(self, size: int, channels: int, width: int, norm: bool, outputs: int | None):
        super().__init__()
        depth, base = stages(size)
        layers: list[nn.Module] = []
        for stage in range(depth):
            layers.append(nn.Conv2d(channels, width * 2**stage, 4, 2, 1, bias=not norm))
            channels = width * 2**stage
            if norm and stage > 0:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers, self.logits = nn.Sequential(*layers), outputs is None
        self.last = nn.Linear(base * base * channels, outputs or 1, bias=not norm or outputs is not None)
        self.apply(start)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.last(self.layers(images).permute(0, 2, 3, 1).flatten(1))
        return found[:, 0] if self.logits else found


def gan(
    setting: parts.Setting, batch_size: int, width: int, size: int, channels: int = 3, latent_size: int = 100
) -> parts.Peer:
    generator = parts.place(Up(size, channels, width, latent_size, False, True), setting)
    discriminator = parts.place(Down(size, channels, width, True, None), setting)
    step = parts.gan_step(
        setting, generator, discriminator, latent_size=latent_size, batch_size=batch_size, share_fakes=True
    )
    return parts.Peer({"generator": generator, "discriminator": discriminator}, step)


def wgan_gp(
    setting: parts.Setting,
    batch_size: int,
    width: int,
    size: int,
    n_critic: int,
    channels: int = 3,
    latent_size: int = 100,
) -> parts.Peer:
    generator = parts.place(Up(size, channels, width, latent_size, False, True), setting)
    critic = parts.place(Down(size, channels, width, False, None), setting)
    step = parts.gan_step(
        setting,
        generator,
        critic,
        latent_size=latent_size,
        batch_size=batch_size,
        losses="wasserstein",
        lr=(1e-4, 1e-4),
        betas=(0.0, 0.9),
        n_critic=n_critic,
        gradient_penalty=10.0,
    )
    return parts.Peer({"generator": generator, "discriminator": critic}, step)


def vae(setting: parts.Setting, batch_size: int, width: int, latent_size: int, size: int = 28) -> parts.Peer:
    encoder = parts.place(Down(size, 1, width, True, 2 * latent_size), setting)
    decoder = parts.place(Up(size, 1, width, latent_size, True, False), setting)
    step = parts.vae_step(setting, encoder, decoder, batch_size=batch_size, ema_decay=0.99)
    return parts.Peer({"encoder": encoder, "decoder": decoder}, step)
