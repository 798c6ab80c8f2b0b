"""Make gan_objectives.json: losses and penalties of GANs, with their gradients, by PyTorch's autograd.

The critic is tanh(x W + b) v, on points of `drawn`. Losses are PyTorch's own where it has them (cross-entropy with
logits, squared error), mimicry's hinge, and otherwise the authors' lines. Needs torch. Run from this folder:
python make_gan_objectives.py
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from drawn import drawn

torch.set_default_dtype(torch.float64)
BCE = F.binary_cross_entropy_with_logits


def parts() -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    shapes = {"W": (4, 6), "b": (6,), "v": (6, 1)}
    params = {name: torch.tensor(drawn(f"critic/{name}", shape), requires_grad=True) for name, shape in shapes.items()}
    return params, torch.tensor(drawn("input/real", (8, 4))), torch.tensor(drawn("input/fake", (8, 4)))


def critic(params: dict, x: torch.Tensor) -> torch.Tensor:
    return (torch.tanh(x @ params["W"] + params["b"]) @ params["v"])[:, 0]


def slopes(params: dict, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(critic(params, x).sum(), x, create_graph=True)[0]


def losses(real: torch.Tensor, fake: torch.Tensor) -> dict[str, tuple]:
    """(discriminator's, generator's) by name; None where there is none."""
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    return {
        "minimax": (BCE(real, ones) + BCE(fake, zeros), -BCE(fake, zeros)),
        "non_saturating": (BCE(real, ones) + BCE(fake, zeros), BCE(fake, ones)),
        "least_squares": (0.5 * F.mse_loss(real, ones) + 0.5 * F.mse_loss(fake, zeros), 0.5 * F.mse_loss(fake, ones)),
        "wasserstein": (fake.mean() - real.mean(), -fake.mean()),
        "hinge": (F.relu(1 - real).mean() + F.relu(1 + fake).mean(), -fake.mean()),
        "relativistic": (BCE(real - fake, ones), BCE(fake - real, ones)),
        # the authors of RaSGAN halve both
        "relativistic_average": (
            BCE(real - fake.mean(), ones) + BCE(fake - real.mean(), zeros),
            BCE(fake - real.mean(), ones) + BCE(real - fake.mean(), zeros),
        ),
        "smoothed": (BCE(real, 0.9 * ones) + BCE(fake, zeros), BCE(fake, ones)),
    }


def penalties(params: dict, real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
    at_real, at_fake = slopes(params, real), slopes(params, fake)
    norm = at_real.norm(2, dim=1)
    r1, r2 = (at_real**2).sum(dim=1).mean(), (at_fake**2).sum(dim=1).mean()
    rival = critic(params, real), critic(params, fake)
    return {
        "gradient_penalty": ((norm - 1) ** 2).mean(),  # of equal real and fake points, which are their own mixtures
        "one_sided": (F.relu(norm - 1) ** 2).mean(),
        "r1": r1,
        "r2": r2,
        # R3GAN's Trainer.py: softplus(-(D(x) - D(G(z)))) + gamma / 2 (R1 + R2), gamma .7
        "r3gan": F.softplus(-(rival[0] - rival[1])).mean() + 0.7 / 2 * (r1 + r2),
        # LeCam's lecam_reg: relu(D(x) - ema_fake)^2 + relu(ema_real - D(G(z)))^2
        "lecam": (F.relu(rival[0] + 0.1) ** 2).mean() + (F.relu(0.2 - rival[1]) ** 2).mean(),
        # BigGAN's ortho, whose strength s is s / 2 of the penalty's
        "orthogonal": ((params["W"].T @ params["W"] * (1 - torch.eye(6))) ** 2).sum(),
    }


def biggans_orthogonal(params: dict) -> torch.Tensor:
    """What BigGAN-PyTorch's `ortho` adds to a gradient at strength 1: filters lie in rows there."""
    rows = params["W"].T
    return (2 * (rows @ rows.T * (1 - torch.eye(6))) @ rows).T


def heads() -> dict[str, torch.Tensor]:
    logits = torch.tensor(drawn("input/class_logits", (8, 5)))
    labels = torch.arange(8) % 5
    codes, means = (torch.tensor(drawn(f"input/{name}", (8, 3))) for name in ("codes", "means"))
    return {
        "classifier": F.cross_entropy(logits, labels),
        "gaussian": -torch.distributions.Normal(means, 1.0).log_prob(codes).sum(dim=1).mean(),
    }


def main() -> None:
    """Write the golden file beside this script."""
    params, real, fake = parts()
    logits = [critic(params, x).detach().requires_grad_() for x in (real, fake)]
    found: dict = {"losses": {}, "penalties": {}}
    for name, pair in losses(*logits).items():
        found["losses"][name] = []
        for value in pair:
            gradients = torch.autograd.grad(value, logits, retain_graph=True, allow_unused=True)
            both = [numbers(torch.zeros_like(real[:, 0]) if g is None else g) for g in gradients]
            found["losses"][name].append([value.item(), *both])
    for name, value in penalties(params, real, fake).items():
        gradients = torch.autograd.grad(value, list(params.values()), retain_graph=True, allow_unused=True)
        both = {key: numbers(g) for key, g in zip(params, gradients, strict=True) if g is not None}
        found["penalties"][name] = [value.item(), both]
    found["biggans_orthogonal"] = numbers(biggans_orthogonal(params))
    found["heads"] = {name: value.item() for name, value in heads().items()}
    (Path(__file__).parent / "gan_objectives.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


def numbers(x: torch.Tensor) -> list:
    return np.round(x.detach().numpy(), 14).tolist()


if __name__ == "__main__":
    main()
