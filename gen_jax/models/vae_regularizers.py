"""Regularisers of the aggregate posterior, for `vae(regularizers=...)` and `autoencoder(regularizers=...)`.

β-TCVAE (Chen et al. 2018)          total_correlation(...) with hyper beta = 0: it replaces the KL
DIP-VAE (Kumar et al. 2018)         dip(...), beside the KL
InfoVAE, MMD-VAE (Zhao et al. 2019) mmd(...), beta = 1 - α and weight α + λ - 1
WAE-MMD (Tolstikhin et al. 2018)    mmd(...) on an `autoencoder`
RAE (Ghosh et al. 2020)             latent_l2(), gradient_penalty() on an `autoencoder`
"""

from collections.abc import Callable

import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.types import Array
from gen_jax.models.codes import Codes, Regularizer
from gen_jax.objectives import autoencoder, disentangle, divergences
from gen_jax.objectives.disentangle import Aggregate, Decomposition, Dip


def total_correlation(dataset_size: int, how: Aggregate = Aggregate.STRATIFIED) -> tuple[Regularizer, ...]:
    """The KL in three parts, weighted by the hypers mutual_information, total_correlation and dimension_kl.

    dataset_size: N, the number of training examples. Each part is the mean over this instance's rows, nats.
    """

    def part(name: str) -> Callable[[Codes], Array]:
        def value(codes: Codes) -> Array:
            # Three times the same sums: XLA makes them once.
            return getattr(_decompose(codes, dataset_size, how), name).mean()

        return value

    return tuple(Regularizer(name, part(name)) for name in Decomposition._fields)


def _decompose(codes: Codes, dataset_size: int, how: Aggregate) -> Decomposition:
    log_variance = jnp.zeros_like(codes.mean) if codes.log_variance is None else codes.log_variance
    return disentangle.decompose(codes.latents, codes.mean, log_variance, dataset_size, how)


def dip(kind: Dip, diagonal: float = 1.0) -> Regularizer:
    """DIP-VAE's penalty, weight hyper["dip"] = λ_od; λ_d = `diagonal` λ_od (the paper: 10 for I, 1 for II)."""

    def value(codes: Codes) -> Array:
        log_variance = jnp.zeros_like(codes.mean) if codes.log_variance is None else codes.log_variance
        return disentangle.dip_vae(codes.mean, log_variance, 1.0, diagonal, kind)

    return Regularizer("dip", value)


def mmd(kernel: divergences.Kernel | None = None) -> Regularizer:
    """Unbiased MMD² between the codes and as many draws of N(0, I), weight hyper["mmd"]; default: WAE's kernel."""

    def value(codes: Codes) -> Array:
        rows, dims = codes.latents.shape
        draws = keys.normal(keys.named(codes.key, "prior"), rows, dims)
        return divergences.mmd(codes.latents, draws, kernel or divergences.wae_kernel(dims))

    return Regularizer("mmd", value)


def latent_l2() -> Regularizer:
    """½ |z|², weight hyper["latent_l2"]."""
    return Regularizer("latent_l2", lambda codes: autoencoder.latent_l2(codes.latents).mean())


def gradient_penalty() -> Regularizer:
    """½ |∂decode/∂z|² (RAE-GP), weight hyper["gradient_penalty"]."""

    def value(codes: Codes) -> Array:
        return autoencoder.decoder_gradient_penalty(codes.decode, codes.latents, codes.key).mean()

    return Regularizer("gradient_penalty", value)
