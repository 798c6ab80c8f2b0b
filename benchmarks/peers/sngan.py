"""SNGAN's ResNets at 32 pixels (Miyato et al. 2018), unconditional, in mimicry's widths.

1×1 shortcuts run on the smaller map (before upsampling, after pooling), which is the same map and four times cheaper.
Spectral normalisation takes the vectors of its power iteration as arguments: `torch.nn.utils.parametrizations` moves
them in place inside the forward pass, which a compiled critic that is called twice a step cannot be differentiated
through.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers import parts


def up(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


Vectors = list[tuple[torch.Tensor, torch.Tensor]]  # (left, right) of each normalised layer, in the order of use


class Normalised(nn.Module):
    """A convolution or dense layer, its weight over its largest singular value."""

    def __init__(self, layer: nn.Conv2d | nn.Linear):
        super().__init__()
        self.layer = layer
        self.register_buffer("left", F.normalize(torch.randn(layer.weight.shape[0]), dim=0))

    @torch.no_grad()
    def iterate(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One round of the power iteration; the buffer moves, what is returned does not."""
        matrix = self.layer.weight.flatten(1)
        right = F.normalize(self.left @ matrix, dim=0)
        left = F.normalize(matrix @ right, dim=0)
        self.left.copy_(left)
        return left, right

    def forward(self, x: torch.Tensor, vectors: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        left, right = next(vectors)
        weight = self.layer.weight / (left @ (self.layer.weight.flatten(1) @ right))
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, weight, self.layer.bias)
        return F.conv2d(x, weight, self.layer.bias, padding=self.layer.padding)


class GeneratorBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(up(F.relu(self.norm1(x), inplace=True)))
        return self.conv2(F.relu(self.norm2(y), inplace=True)) + up(self.shortcut(x))


class Generator(nn.Module):
    def __init__(self, width: int, latent_size: int, channels: int):
        super().__init__()
        self.width = width
        self.linear = nn.Linear(latent_size, 16 * width)
        self.blocks = nn.Sequential(*(GeneratorBlock(width) for _ in range(3)))
        self.norm, self.pixels = nn.BatchNorm2d(width), nn.Conv2d(width, channels, 3, 1, 1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        x = self.linear(latents).reshape(-1, self.width, 4, 4).contiguous(memory_format=torch.channels_last)
        return torch.tanh(self.pixels(F.relu(self.norm(self.blocks(x)), inplace=True)))


class DiscriminatorBlock(nn.Module):
    def __init__(self, inputs: int, width: int, down: bool, first: bool):
        super().__init__()
        self.down, self.first = down, first
        self.conv1 = Normalised(nn.Conv2d(inputs, width, 3, 1, 1))
        self.conv2 = Normalised(nn.Conv2d(width, width, 3, 1, 1))
        self.shortcut = Normalised(nn.Conv2d(inputs, width, 1)) if down else None

    def forward(self, x: torch.Tensor, vectors: Iterator) -> torch.Tensor:
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x), vectors), inplace=True), vectors)
        if self.down:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return y + (x if self.shortcut is None else self.shortcut(x, vectors))


class Discriminator(nn.Module):
    def __init__(self, width: int, channels: int):
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                DiscriminatorBlock(channels, width, True, True),
                DiscriminatorBlock(width, width, True, False),
                DiscriminatorBlock(width, width, False, False),
                DiscriminatorBlock(width, width, False, False),
            ]
        )
        self.head = Normalised(nn.Linear(width, 1))

    def vectors(self) -> Vectors:
        """The next vectors of all layers, which a call takes."""
        return [module.iterate() for module in self.modules() if isinstance(module, Normalised)]

    def forward(self, x: torch.Tensor, vectors: Vectors) -> torch.Tensor:
        given = iter(vectors)
        for block in self.blocks:
            x = block(x, given)
        return self.head(F.relu(x, inplace=True).sum(dim=(2, 3)), given)[:, 0]


def gan(
    setting: parts.Setting,
    batch_size: int,
    width: int,
    critic_width: int,
    n_critic: int,
    channels: int = 3,
    latent_size: int = 128,
) -> parts.Peer:
    generator = parts.place(Generator(width, latent_size, channels), setting)
    discriminator = parts.place(Discriminator(critic_width, channels), setting)
    step = parts.gan_step(
        setting,
        generator,
        discriminator,
        latent_size=latent_size,
        batch_size=batch_size,
        losses="hinge",
        betas=(0.0, 0.9),
        ema_decay=None,
        n_critic=n_critic,
    )
    return parts.Peer({"generator": generator, "discriminator": discriminator}, step)
