"""Writes pythae_vae.json: losses and gradients of pythae 0.1.2 on fixed arrays, to compare ours with.

Run in an environment of its own: `pip install torch==2.13.0 pythae==0.1.2`, then `python tests/golden/pythae_vae.py`.
The decoder is linear, recon = z W + b, so that gradients by the encoder's outputs (mean, log-variance) and W say all.
"""

import json
from pathlib import Path

import numpy as np
import pythae
import torch
from pythae.models import (
    CIWAE,
    INFOVAE_MMD,
    IWAE,
    MIWAE,
    PIWAE,
    VAE,
    VAMP,
    WAE_MMD,
    BetaTCVAE,
    BetaTCVAEConfig,
    CIWAEConfig,
    FactorVAE,
    FactorVAEConfig,
    INFOVAE_MMD_Config,
    IWAEConfig,
    MIWAEConfig,
    PIWAEConfig,
    VAEConfig,
    VAMPConfig,
    WAE_MMD_Config,
)
from pythae.models.base.base_utils import ModelOutput
from pythae.models.vq_vae.vq_vae_config import VQVAEConfig
from pythae.models.vq_vae.vq_vae_utils import Quantizer, QuantizerEMA

torch.set_default_dtype(torch.float64)
B, D, L = 6, 5, 3
rng = np.random.default_rng(0)
arrays = {
    "x": rng.uniform(size=(B, D)),
    "mean": rng.normal(size=(B, L)),
    "log_variance": 0.5 * rng.normal(size=(B, L)),
    "noise": rng.normal(size=(B, 2, 4, L)),  # example, pythae's "gradient estimates", its "samples", latent
    "W": 0.4 * rng.normal(size=(L, D)),
    "b": 0.1 * rng.normal(size=D),
    "z_prior": rng.normal(size=(B, L)),
}
T = {name: torch.tensor(value) for name, value in arrays.items()}
common = {"input_dim": (D,), "latent_dim": L}
out = {}


class Calls(torch.nn.Module):
    """A function where pythae wants a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def leaves():
    made = {name: T[name].clone().requires_grad_() for name in ("mean", "log_variance", "W")}
    return made["mean"], made["log_variance"], made["W"]


def record(name, loss, mean, log_variance, weights, **extra):
    gradients = torch.autograd.grad(loss, (mean, log_variance, weights), allow_unused=True)
    keep = {
        n: g.numpy().tolist() for n, g in zip(("mean", "log_variance", "W"), gradients, strict=True) if g is not None
    }
    out[name] = {"loss": loss.item(), "gradients": keep, **extra}


def decode(z, weights):
    return z @ weights + T["b"]


for kind in ("mse", "bce"):
    m, v, w = leaves()
    z = m + torch.exp(0.5 * v) * T["noise"][:, 0, 0]
    recon = decode(z, w) if kind == "mse" else torch.sigmoid(decode(z, w))
    loss, _, kl = VAE(VAEConfig(**common, reconstruction_loss=kind)).loss_function(recon, T["x"], m, v, z)
    record(f"vae_{kind}", loss, m, v, w, kl=kl.item())

for name, model in (
    ("iwae", IWAE(IWAEConfig(**common, number_samples=4))),
    ("ciwae", CIWAE(CIWAEConfig(**common, number_samples=4, beta=0.3))),
):
    m, v, w = leaves()
    mm, vv = m[:, None].repeat(1, 4, 1), v[:, None].repeat(1, 4, 1)
    z = mm + torch.exp(0.5 * vv) * T["noise"][:, 0]
    record(name, model.loss_function(decode(z, w), T["x"], mm, vv, z)[0], m, v, w)

multiple = {"number_gradient_estimates": 2, "number_samples": 4}
for name, model, which in (
    ("miwae", MIWAE(MIWAEConfig(**common, **multiple)), 0),
    ("piwae_encoder", PIWAE(PIWAEConfig(**common, **multiple)), 0),
    ("piwae_decoder", PIWAE(PIWAEConfig(**common, **multiple)), 1),
):
    m, v, w = leaves()
    mm, vv = m[:, None, None].repeat(1, 2, 4, 1), v[:, None, None].repeat(1, 2, 4, 1)
    z = mm + torch.exp(0.5 * vv) * T["noise"]
    loss = model.loss_function(decode(z, w), T["x"], mm, vv, z)[which]
    record(name, loss.mean(), m, v, w)

m, v, w = leaves()
z = m + torch.exp(0.5 * v) * T["noise"][:, 0, 0]
tc = BetaTCVAE(BetaTCVAEConfig(**common, alpha=1.0, beta=6.0, gamma=2.0, use_mss=False))
record("beta_tc", tc.loss_function(decode(z, w), T["x"], m, v, z, 1000)[0], m, v, w)

for kernel in ("rbf", "imq"):
    m, v, w = leaves()
    z = m + torch.exp(0.5 * v) * T["noise"][:, 0, 0]
    info = INFOVAE_MMD(INFOVAE_MMD_Config(**common, kernel_choice=kernel, alpha=0.5, lbd=10.0, kernel_bandwidth=0.8))
    record(f"info_{kernel}", info.loss_function(decode(z, w), T["x"], z, T["z_prior"], m, v)[0], m, v, w)
m, v, w = leaves()
wae = WAE_MMD(WAE_MMD_Config(**common, kernel_choice="imq", reg_weight=3.0, kernel_bandwidth=1.2))
record("wae_imq", wae.loss_function(decode(m, w), T["x"], m, T["z_prior"])[0], m, v, w, scales=list(wae.scales))

factor = FactorVAE(FactorVAEConfig(**common, gamma=2.0))
factor.discriminator = Calls(lambda z: z[:, :2])  # two logits, the first for "joint"
m, v, w = leaves()
_, loss, critic = factor.loss_function(decode(m, w), T["x"], m, v, m, T["z_prior"])
record("factor", loss, m, v, w, discriminator=critic.item())

vamp = VAMP(VAMPConfig(**common, number_components=4))
vamp.encoder = Calls(lambda x: ModelOutput(embedding=x[:, :L], log_covariance=0.3 * x[:, 1 : L + 1]))
vamp.double()
pseudo = vamp.pseudo_inputs(vamp.idle_input)
out["vamp"] = {
    "pseudo": pseudo.detach().numpy().tolist(),
    "log_p_z": vamp._log_p_z(T["mean"]).detach().numpy().tolist(),
}

latents = rng.normal(size=(2, 2, 2, L))
codes = rng.normal(size=(4, L))
config = VQVAEConfig(**common, num_embeddings=4, commitment_loss_factor=0.25, quantization_loss_factor=1.0, decay=0.9)
config.embedding_dim = L
# pythae's quantiser is float32 by its casts.
plain = Quantizer(config)
plain.embeddings.weight.data = torch.tensor(codes).float()
result = plain(torch.tensor(latents).float())
ema = QuantizerEMA(config)
ema.embeddings = torch.tensor(codes).float()
ema.cluster_size, ema.ema_embed = torch.ones(4), torch.tensor(codes).float()
ema.train()
ema(torch.tensor(latents).float())
out["vq"] = {
    "latents": latents.tolist(),
    "codes": codes.tolist(),
    "indices": result.quantized_indices.reshape(2, 2, 2).tolist(),
    "loss": result.loss.item(),
    "counts": ema.cluster_size.tolist(),
    "sums": ema.ema_embed.tolist(),
    "embedding": ema.embeddings.tolist(),
}

made_by = {"pythae": getattr(pythae, "__version__", "0.1.2"), "torch": torch.__version__}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"made_by": made_by, "arrays": {n: a.tolist() for n, a in arrays.items()}, "cases": out}))
print(path, list(out))
