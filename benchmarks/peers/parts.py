"""What the peers share: the batch, the optimizer, the average, and the ways PyTorch can run a step.

Ways: "eager"; "compiled" (`torch.compile`; on a GPU "reduce-overhead", which records CUDA graphs); on a GPU also
"graph" and "compiled_graph", a whole training step captured as one CUDA graph, eager or compiled.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


class Setting(NamedTuple):
    """Where and how the peer runs. `images` is the training set: uint8 NHWC, or float32 points [N, D]."""

    images: torch.Tensor
    way: str
    bfloat16: bool

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def graphed(self) -> bool:
        return self.way.endswith("graph")

    def compile(self, function: Callable) -> Callable:
        if not self.way.startswith("compiled"):
            return function
        reduce = self.device.type == "cuda" and not self.graphed
        return torch.compile(function, mode="reduce-overhead" if reduce else None, dynamic=False)

    def autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


class Peer(NamedTuple):
    """The players, for counting parameters, and one round of training."""

    players: dict[str, nn.Module]
    step: Callable[[], None]


class Batches:
    """Endless shuffled batches of float images in [-1, 1], channels first in channels-last memory, or of points."""

    def __init__(self, setting: Setting, size: int):
        self.images, self.size, self.at = setting.images, size, len(setting.images)
        self.graphed = setting.graphed

    def __call__(self) -> torch.Tensor:
        if self.graphed:  # a captured step cannot hold a position on the host
            chosen = torch.randint(len(self.images), (self.size,), device=self.images.device)
        else:
            if self.at + self.size > len(self.images):
                self.order, self.at = torch.randperm(len(self.images), device=self.images.device), 0
            chosen = self.order[self.at : self.at + self.size]
            self.at += self.size
        picked = self.images[chosen]
        if picked.dtype != torch.uint8:
            return picked
        return picked.permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)


def place(module: nn.Module, setting: Setting) -> nn.Module:
    return module.to(setting.device, memory_format=torch.channels_last)


def adam(parameters: Iterable[nn.Parameter], setting: Setting, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, fused=True, capturable=setting.graphed, **options)


class Average:
    """The exponential moving average of a module's parameters."""

    def __init__(self, module: nn.Module, decay: float):
        self.live = list(module.parameters())
        self.mean = [p.detach().clone() for p in copy.deepcopy(module).parameters()]
        self.decay = decay

    @torch.no_grad()
    def __call__(self) -> None:
        torch._foreach_lerp_(self.mean, self.live, 1 - self.decay)


def gan_step(
    setting: Setting,
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    latent_size: int,
    batch_size: int,
    losses: str = "non_saturating",
    lr: tuple[float, float] = (2e-4, 2e-4),
    betas: tuple[float, float] = (0.5, 0.999),
    ema_decay: float | None = 0.99,
    n_critic: int = 1,
    share_fakes: bool = False,
    gradient_penalty: float | None = None,
) -> Callable[[], None]:
    """A round of a GAN: n_critic discriminator steps, each on its own reals, then a generator step."""
    on_discriminator, on_generator = LOSSES[losses]
    batches = Batches(setting, batch_size)
    moves_generator = adam(generator.parameters(), setting, lr=lr[0], betas=betas)
    moves_discriminator = adam(discriminator.parameters(), setting, lr=lr[1], betas=betas)
    average = Average(generator, ema_decay) if ema_decay is not None else None

    # What a critic wants besides the images, made before each call: the vectors of spectral normalisation.
    vectors = getattr(discriminator, "vectors", None)
    if vectors is not None and setting.way == "compiled_graph":
        vectors = setting.compile(vectors)

    def judge(images: torch.Tensor, *given: Any) -> torch.Tensor:
        with setting.autocast():
            return discriminator(images, *given).float()

    def given() -> tuple:
        return () if vectors is None else (vectors(),)

    # torch.compile cannot differentiate twice: the critic's own step then stays eager.
    make = setting.compile(lambda latents: _generate(setting, generator, latents))
    judged = judge if gradient_penalty is not None else setting.compile(judge)
    charge = setting.compile(lambda fake, *given: on_generator(judge(fake, *given)))

    def latents() -> torch.Tensor:
        return torch.randn(batch_size, latent_size, device=setting.device)

    def discriminator_step(real: torch.Tensor, fake: torch.Tensor) -> None:
        loss = on_discriminator(judged(real, *given()), judged(fake, *given()))
        if gradient_penalty is not None:
            loss = loss + gradient_penalty * _penalty(judge, real, fake)
        moves_discriminator.zero_grad(set_to_none=True)
        loss.backward()
        moves_discriminator.step()

    def step() -> None:
        if setting.way == "compiled" and setting.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        for _ in range(n_critic):
            if share_fakes:
                fake = make(latents())
                discriminator_step(batches(), fake.detach())
            else:
                with torch.no_grad():
                    seen = make(latents()).clone()
                discriminator_step(batches(), seen)
        if not share_fakes:
            fake = make(latents())
        discriminator.requires_grad_(False)
        moves_generator.zero_grad(set_to_none=True)
        charge(fake, *given()).backward()
        moves_generator.step()
        discriminator.requires_grad_(True)
        if average is not None:
            average()

    return step


def _generate(setting: Setting, generator: nn.Module, latents: torch.Tensor) -> torch.Tensor:
    with setting.autocast():
        return generator(latents).float()


def _penalty(judge: Callable, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    between = torch.lerp(fake, real, share).requires_grad_()
    (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


LOSSES = {
    "non_saturating": (lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(), lambda f: F.softplus(-f).mean()),
    "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda f: -f.mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


def vae_step(
    setting: Setting,
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    batch_size: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    ema_decay: float | None = None,
) -> Callable[[], None]:
    """A step on the ELBO: dynamic binarisation, Bernoulli pixels, analytic KL, one sample."""
    batches = Batches(setting, batch_size)
    optimizer = adam([*encoder.parameters(), *decoder.parameters()], setting, lr=lr, betas=betas, eps=eps)
    averages = [] if ema_decay is None else [Average(m, ema_decay) for m in (encoder, decoder)]

    def loss(grey: torch.Tensor) -> torch.Tensor:
        pixels = torch.bernoulli((grey + 1) / 2)
        with setting.autocast():
            mean, log_variance = encoder(2 * pixels - 1).float().chunk(2, dim=1)
            latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            logits = decoder(latents).float().reshape(pixels.shape)
        error = F.binary_cross_entropy_with_logits(logits, pixels, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (error + divergence) / len(grey)

    compiled = setting.compile(loss)

    def step() -> None:
        if setting.way == "compiled" and setting.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        compiled(batches()).backward()
        optimizer.step()
        for average in averages:
            average()

    return step
