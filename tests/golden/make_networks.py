"""Make networks.json: outputs of published GAN and VAE networks, in PyTorch, for weights and inputs of `drawn`.

SNGAN and SAGAN are torch-mimicry's own classes, their ReLUs out of place (in place, a shortcut sees its input after the
ReLU), DCGAN is the network of pytorch/examples; R3GAN, BigGAN and VDVAE, which no package holds, are written out below
from their papers and code. Spectral norms are exact: power iterations start from the singular vectors.

Needs torch and the source of torch-mimicry 0.1.16 on PYTHONPATH (its other requirements are not used). Run from this
folder: python make_networks.py
"""

import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch
import torch.nn.functional as F
from drawn import drawn
from torch import nn

for name in ("training", "metrics", "datasets"):  # of mimicry: nothing here uses them
    sys.modules[f"torch_mimicry.{name}"] = MagicMock()
torch.set_default_dtype(torch.float64)
LABEL = torch.tensor([2, 0, 1])


def weight(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(drawn(name, shape))


def conv_kernel(name: str, size: int, inputs: int, outputs: int) -> torch.Tensor:
    """[size, size, in, out] -> PyTorch's [out, in, size, size]."""
    return weight(name, size, size, inputs, outputs).permute(3, 2, 0, 1)


def conv(x: torch.Tensor, name: str, outputs: int, size: int = 3, spectral: bool = False) -> torch.Tensor:
    """A "same" convolution with bias; for size 1 the kernel is drawn as a matrix, where the networks keep one."""
    inputs = x.shape[1]
    if size == 1:
        kernel = weight(f"{name}/kernel", inputs, outputs).T[:, :, None, None]
    else:
        kernel = conv_kernel(f"{name}/kernel", size, inputs, outputs)
    kernel = kernel / norm2(kernel) if spectral else kernel
    return F.conv2d(x, kernel, weight(f"{name}/bias", outputs), padding=size // 2)


def norm2(kernel: torch.Tensor) -> torch.Tensor:
    return torch.linalg.matrix_norm(kernel.reshape(kernel.shape[0], -1), 2)


def images(x: torch.Tensor) -> list:
    """Some of the values of [B, C, H, W], as [B, h, w, C]."""
    step = max(x.shape[-1] // 5, 1)
    return numbers(x.permute(0, 2, 3, 1)[:, ::step, ::step])


def numbers(x: torch.Tensor) -> list:
    return np.round(x.detach().numpy(), 8).tolist()


# mimicry


def settled(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
        if hasattr(module, "weight_orig"):  # torch's spectral norm: its vectors are made the exact ones
            left, _, right = torch.linalg.svd(module.weight_orig.detach().flatten(1), full_matrices=False)
            module.weight_u.copy_(left[:, 0])
            module.weight_v.copy_(right[0])
    return net


def as_first_map(values: torch.Tensor) -> torch.Tensor:
    """What the first dense layer makes, [4 · 4 · width, ...] here, as [width · 4 · 4, ...] there."""
    return values.reshape(4, 4, -1, *values.shape[1:]).movedim(2, 0).reshape(values.shape)


def load(net: nn.Module, names: dict[str, str]) -> None:
    """Fill every parameter; `names`: prefix there -> prefix here."""
    with torch.no_grad():
        for key, value in net.named_parameters():
            prefix, _, kind = key.rpartition(".")
            if kind == "gamma":
                value.copy_(weight(names[prefix] + "/gamma"))
                continue
            here = names[prefix]
            if prefix.endswith("embed"):
                gain, bias = (
                    weight(f"{here}/{part}", value.shape[0], value.shape[1] // 2) for part in ("gain", "bias")
                )
                value.copy_(torch.cat([1 + gain, bias], dim=1))
            elif prefix == "l_y":
                value.copy_(weight(f"{here}/embedding", *value.shape))
            elif kind == "bias":
                bias = weight(f"{here}/bias", *value.shape)
                value.copy_(as_first_map(bias) if prefix == "l1" else bias)
            elif prefix == "l1":
                value.copy_(as_first_map(weight(f"{here}/kernel", *value.T.shape).T))
            elif value.ndim == 1:
                value.copy_(weight(f"{here}/scale", *value.shape))
            elif value.ndim == 2 or value.shape[-1] == 1:
                value.copy_(weight(f"{here}/kernel", value.shape[1], value.shape[0]).T.reshape(value.shape))
            else:
                value.copy_(conv_kernel(f"{here}/kernel", value.shape[-1], value.shape[1], value.shape[0]))


def block_names(there: str, here: str) -> dict[str, str]:
    parts = {"c1": "conv1", "c2": "conv2", "c_sc": "shortcut", "b1": "norm1", "b2": "norm2"}
    names = {f"{there}.{a}": f"{here}/{b}" for a, b in parts.items()}
    names |= {f"{there}.b{i}.bn": f"{here}/norm{i}/norm" for i in (1, 2)}
    return names | {f"{there}.b{i}.embed": f"{here}/norm{i}" for i in (1, 2)}


def attention_names(root: str) -> dict[str, str]:
    names = {f"attn_block.{part}": f"{root}/attention/{part}" for part in ("theta", "phi", "g", "o")}
    return names | {"attn_block": f"{root}/attention"}


def generator_names(root: str) -> dict[str, str]:
    names = {"l1": f"{root}/linear", "b5": f"{root}/norm", "c5": f"{root}/pixels"} | attention_names(root)
    for number in (1, 2, 3):
        names |= block_names(f"block{number + 1}", f"{root}/block{number}")
    return names


def discriminator_names(root: str) -> dict[str, str]:
    names = {"l5": f"{root}/head/linear", "l_y": f"{root}/head"} | attention_names(root)
    for number in (1, 2, 3, 4):
        names |= block_names(f"block{number}", f"{root}/block{number}")
    return names


def mimicry() -> dict:
    from torch_mimicry.nets.sagan.sagan_32 import SAGANDiscriminator32, SAGANGenerator32
    from torch_mimicry.nets.sngan.sngan_32 import SNGANDiscriminator32, SNGANGenerator32

    latents, pictures = weight("input/latents", 3, 6), weight("input/images", 3, 32, 32, 3).permute(0, 3, 1, 2)
    nets = {
        "sagan_generator": (SAGANGenerator32(3, nz=6, ngf=16), generator_names, (latents, LABEL)),
        "sagan_discriminator": (SAGANDiscriminator32(3, ndf=16), discriminator_names, (pictures, LABEL)),
        "sngan_generator": (SNGANGenerator32(nz=6, ngf=8), generator_names, (latents,)),
        "sngan_discriminator": (SNGANDiscriminator32(ndf=8), discriminator_names, (pictures,)),
    }
    found = {}
    for name, (net, names, inputs) in nets.items():
        load(net, names(name))
        out = settled(net.train())(*inputs)
        found[name] = images(out) if out.ndim == 4 else numbers(out[:, 0])
    return found


# pytorch/examples


def dcgan() -> dict:
    latents, pictures = weight("input/latents", 3, 6), weight("input/images64", 3, 64, 64, 3).permute(0, 3, 1, 2)
    root, widths, up = "dcgan_generator/Upsample_0", (16, 8, 4, 2), []
    for number, (inputs, outputs) in enumerate(zip((6, *widths), (*widths, 3), strict=True)):
        layer = nn.ConvTranspose2d(inputs, outputs, 4, 2 if number else 1, 1 if number else 0, bias=False)
        with torch.no_grad():
            if number:
                kernel = weight(f"{root}/ConvTranspose_{number - 1}/kernel", 4, 4, outputs, inputs)
                layer.weight.copy_(kernel.permute(3, 2, 0, 1))
            else:
                kernel = weight(f"{root}/Dense_0/kernel", inputs, 16 * outputs).reshape(inputs, 4, 4, outputs)
                layer.weight.copy_(kernel.permute(0, 3, 1, 2))
        up += [layer, *(normed(f"{root}/BatchNorm_{number}", outputs, nn.ReLU()) if number < 4 else [nn.Tanh()])]
    root, widths, down = "dcgan_discriminator/Downsample_0", (2, 4, 8, 16), []
    for number, (inputs, outputs) in enumerate(zip((3, *widths[:-1]), widths, strict=True)):
        layer = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
        with torch.no_grad():
            layer.weight.copy_(conv_kernel(f"{root}/Conv_{number}/kernel", 4, inputs, outputs))
        slope = nn.LeakyReLU(0.2)
        down += [layer, *(normed(f"{root}/BatchNorm_{number - 1}", outputs, slope) if number else [slope])]
    last = nn.Conv2d(16, 1, 4, 1, 0, bias=False)
    with torch.no_grad():
        kernel = weight("dcgan_discriminator/Dense_0/kernel", 16 * 16, 1).reshape(4, 4, 16, 1)
        last.weight.copy_(kernel.permute(3, 2, 0, 1))
    return {
        "dcgan_generator": images(nn.Sequential(*up)(latents[:, :, None, None])),
        "dcgan_discriminator": numbers(nn.Sequential(*down, last)(pictures)[:, 0, 0, 0]),
    }


def normed(name: str, features: int, activation: nn.Module) -> list[nn.Module]:
    norm = nn.BatchNorm2d(features)
    with torch.no_grad():
        norm.weight.copy_(weight(f"{name}/scale", features))
        norm.bias.copy_(weight(f"{name}/bias", features))
    return [norm, activation]


# R3GAN: Huang et al. 2024, Networks.py; group 2, widths (8, 4), one block a stage


def r3gan() -> dict:
    def linear(x, name, outputs):  # bias-free 1x1 convolution
        return F.conv2d(x, weight(f"{name}/kernel", x.shape[1], outputs).T[:, :, None, None])

    def block(x, name, groups):
        channels = x.shape[1]
        y = linear(x, f"{name}/widen", 2 * channels)
        y = F.leaky_relu(y + weight(f"{name}/bias1", 2 * channels)[:, None, None], 0.2)
        y = F.conv2d(y, conv_kernel(f"{name}/grouped", 3, 2, 2 * channels), padding=1, groups=groups)
        y = F.leaky_relu(y + weight(f"{name}/bias2", 2 * channels)[:, None, None], 0.2)
        return x + linear(y, f"{name}/narrow", channels)

    taps = torch.tensor([1.0, 3, 3, 1]) / 8
    filtered = torch.outer(taps, taps)

    def resample(x, up):  # upfirdn2d with [1, 3, 3, 1], gain 4 upwards
        kernel = filtered.expand(x.shape[1], 1, 4, 4)
        if up:
            return F.conv_transpose2d(x, 4 * kernel, stride=2, padding=1, groups=x.shape[1])
        return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])

    latents, pictures = weight("input/latents", 3, 6), weight("input/images8", 3, 8, 8, 3).permute(0, 3, 1, 2)
    g, d = "r3gan_generator", "r3gan_discriminator"
    told = torch.cat([latents, weight(f"{g}/embedding", 3, 4)[LABEL]], dim=1)
    x = (told @ weight(f"{g}/latents/kernel", 10, 8))[:, :, None, None] * weight(f"{g}/basis", 4, 4, 8).permute(2, 0, 1)
    x = resample(linear(block(x, f"{g}/stage0_block0", 8), f"{g}/stage1_width", 4), True)
    made = linear(block(x, f"{g}/stage1_block0", 4), f"{g}/pixels", 3)

    x = block(linear(pictures, f"{d}/pixels", 4), f"{d}/stage1_block0", 4)
    x = block(linear(resample(x, False), f"{d}/stage1_width", 8), f"{d}/stage0_block0", 8)
    x = (x * weight(f"{d}/basis", 4, 4, 8).permute(2, 0, 1)).sum(dim=(2, 3)) @ weight(f"{d}/features/kernel", 8, 8)
    return {g: images(made), d: numbers((x * weight(f"{d}/embedding", 3, 8)[LABEL]).sum(dim=1))}


# BigGAN: Brock et al. 2019, figures 15 (a, b); 8 pixels, hierarchical latents, attention after the first block


def biggan() -> dict:
    def attend(x, name):
        def project(x, part, outputs):
            kernel = weight(f"{name}/{part}/kernel", x.shape[1], outputs).T[:, :, None, None]
            return F.conv2d(x, kernel / norm2(kernel))

        count, channels, rows, columns = x.shape
        theta = project(x, "theta", channels // 8).reshape(count, -1, rows * columns)
        phi = F.max_pool2d(project(x, "phi", channels // 8), 2).reshape(count, -1, rows * columns // 4)
        g = F.max_pool2d(project(x, "g", channels // 2), 2).reshape(count, -1, rows * columns // 4)
        beta = F.softmax(theta.transpose(1, 2) @ phi, dim=-1)
        mixed = (g @ beta.transpose(1, 2)).reshape(count, channels // 2, rows, columns)
        return x + weight(f"{name}/gamma") * project(mixed, "o", channels)

    def norm(x, condition, name):
        def part(which):
            kernel = weight(f"{name}/{which}/kernel", condition.shape[1], x.shape[1])
            return (condition @ (kernel / norm2(kernel)))[:, :, None, None]

        return F.batch_norm(x, None, None, training=True) * (1 + part("gain")) + part("bias")

    def up(x):
        return F.interpolate(x, scale_factor=2, mode="nearest")

    g, latents = "biggan_generator", weight("input/latents", 3, 6)
    condition = torch.cat([weight(f"{g}/shared", 3, 4)[LABEL], latents[:, 3:]], dim=1)
    kernel = weight(f"{g}/linear/kernel", 3, 256)
    x = latents[:, :3] @ (kernel / norm2(kernel)) + weight(f"{g}/linear/bias", 256)
    x = x.reshape(3, 4, 4, 16).permute(0, 3, 1, 2)
    y = conv(up(F.relu(norm(x, condition, f"{g}/block1/norm1"))), f"{g}/block1/conv1", 16, spectral=True)
    y = conv(F.relu(norm(y, condition, f"{g}/block1/norm2")), f"{g}/block1/conv2", 16, spectral=True)
    x = attend(y + conv(up(x), f"{g}/block1/shortcut", 16, 1, spectral=True), f"{g}/attention")
    x = F.batch_norm(x, None, None, weight(f"{g}/norm/scale", 16), weight(f"{g}/norm/bias", 16), training=True)
    made = torch.tanh(conv(F.relu(x), f"{g}/pixels", 3, spectral=True))

    d, x = "biggan_discriminator", weight("input/images8", 3, 8, 8, 3).permute(0, 3, 1, 2)
    for number, down, features in ((1, True, 8), (2, True, 8), (3, False, 8), (4, False, 8)):
        name, first = f"{d}/block{number}", number == 1
        y = conv(x if first else F.relu(x), f"{name}/conv1", features, spectral=True)
        y = conv(F.relu(y), f"{name}/conv2", features, spectral=True)
        if first:  # pooled before the 1x1 convolution of the shortcut, after it in the other blocks
            x = conv(F.avg_pool2d(x, 2), f"{name}/shortcut", features, 1, spectral=True)
        elif down:
            x = F.avg_pool2d(conv(x, f"{name}/shortcut", features, 1, spectral=True), 2)
        x = x + (F.avg_pool2d(y, 2) if down else y)
        x = attend(x, f"{d}/attention") if first else x
    h = F.relu(x).sum(dim=(2, 3))
    psi, table = weight(f"{d}/head/linear/kernel", 8, 1), weight(f"{d}/head/embedding", 3, 8)
    logits = h @ (psi / norm2(psi)) + weight(f"{d}/head/linear/bias", 1)
    return {g: images(made), d: numbers(logits[:, 0] + ((table / norm2(table))[LABEL] * h).sum(dim=1))}


# VDVAE: Child 2021, vae.py (GELU in its tanh form); two levels at 1 and 4 pixels


def vdvae() -> dict:
    def gelu(x):
        return F.gelu(x, approximate="tanh")

    def wide(x, name, outputs, size):  # a kernel of the network's own layout at any size
        kernel = conv_kernel(f"{name}/kernel", size, x.shape[1], outputs)
        return F.conv2d(x, kernel, weight(f"{name}/bias", outputs), padding=size // 2)

    def block(x, name, outputs, hidden=3):
        size = 3 if x.shape[-1] > 2 else 1
        for number, kernel in enumerate((1, size, size)):
            x = wide(gelu(x), f"{name}/Conv_{number}", hidden, kernel)
        return wide(gelu(x), f"{name}/Conv_3", outputs, 1)

    e, d, pictures = "vdvae_encoder", "vdvae_decoder", weight("input/images4", 3, 4, 4, 1).permute(0, 3, 1, 2)
    x = wide(pictures, f"{e}/Conv_0", 4, 3)
    fine = x + block(x, f"{e}/Block_0", 4)
    x = F.avg_pool2d(fine, 4)
    seen = {1: x + block(x, f"{e}/Block_1", 4), 4: fine}

    x, kl = weight(f"{d}/start", 1, 1, 4).permute(2, 0, 1).expand(3, 4, 1, 1), []
    for number, size in enumerate((1, 4)):
        x = x.repeat_interleave(size // x.shape[-1], 2).repeat_interleave(size // x.shape[-1], 3)
        x = x + weight(f"{d}/place_{size}", size, size, 4).permute(2, 0, 1)
        p_mean, p_log_variance, more = torch.split(block(x, f"{d}/prior_{number}", 8), (2, 2, 4), dim=1)
        q = block(torch.cat([x, seen[size]], dim=1), f"{d}/posterior_{number}", 4)
        q_mean, q_log_variance = torch.split(q, 2, dim=1)
        noise = weight(f"input/noise{number}", 3, size, size, 2).permute(0, 3, 1, 2)
        z = q_mean + torch.exp(0.5 * q_log_variance) * noise
        ours, prior = (torch.distributions.Normal(m, torch.exp(0.5 * v))
                       for m, v in ((q_mean, q_log_variance), (p_mean, p_log_variance)))  # fmt: skip
        kl.append(torch.distributions.kl_divergence(ours, prior).sum(dim=(1, 2, 3)))
        x = x + more
        x = x + wide(z, f"{d}/inject_{number}", 4, 1)
        x = x + block(x, f"{d}/block_{number}", 4)
    return {"vdvae": images(wide(gelu(x), f"{d}/Conv_0", 1, 1)), "vdvae_kl": numbers(torch.stack(kl))}


def main() -> None:
    """Write the golden file beside this script."""
    found = mimicry() | dcgan() | r3gan() | biggan() | vdvae()
    (Path(__file__).parent / "networks.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
