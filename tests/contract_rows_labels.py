"""Contract rows of models that learn from few labels, or find groups without any: (name, build)."""

from collections.abc import Callable
from functools import partial

from gen_jax.core.types import Algorithm
from gen_jax.models.classifier import classifier
from gen_jax.models.clustergan import clustergan
from gen_jax.models.feature_matching import feature_matching
from gen_jax.models.gan_parts import uniform_latents
from gen_jax.models.m1_m2 import m1_m2
from gen_jax.models.m2 import m2
from gen_jax.models.vade import vade
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import by_class, classify, mlp
from gen_jax.objectives import likelihoods
from gen_jax.objectives.jitter import jitter
from gen_jax.objectives.likelihoods import Binarization

SHAPE, CLASSES, LATENT = (8, 8, 1), 10, 3
ADAM = {"b1": 0.9, "b2": 0.999, "ema_decay": 0.9}


def _classifier(optimizer: Callable) -> Algorithm:
    network = classify.ConvClassifier(CLASSES, width=4, dropout=0.5)
    return classifier(network, shape=SHAPE, hyper={"lr": 1e-2, **ADAM}, optimizer=optimizer("lr"))


def _feature_matching(optimizer: Callable) -> Algorithm:
    return feature_matching(
        classify.SoftplusGenerator(SHAPE, (8,)),
        classify.NoisyDiscriminator(CLASSES, (8, 6)),
        shape=SHAPE,
        latents=uniform_latents(4),
        hyper={"lr_generator": 0.02, "lr_discriminator": 0.02, "unlabelled": 1.0, **ADAM},
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
    )


def _m2(optimizer: Callable) -> Algorithm:
    return m2(
        classify.Classifier(CLASSES, (8,)),
        by_class.Encoder(LATENT, CLASSES, (8,)),
        mlp.Decoder(SHAPE, widths=(8,), classes=CLASSES),
        likelihood=likelihoods.bernoulli(),
        binarization=Binarization.DYNAMIC,
        shape=SHAPE,
        classes=CLASSES,
        hyper={"lr": 1e-3, "alpha": 1.0, "labelled": 0.5, **ADAM},
        optimizer=optimizer("lr"),
    )


def _m1_m2(optimizer: Callable, pretrain: int = 0) -> Algorithm:
    first = vae_body(
        mlp.Encoder(LATENT, widths=(8,)),
        mlp.Decoder(SHAPE, widths=(8,)),
        likelihood=likelihoods.bernoulli(),
        binarization=Binarization.DYNAMIC,
        shape=SHAPE,
        hyper={"lr": 1e-3, "lr_second": 1e-3, "alpha": 1.0, "labelled": 0.5, "beta": 1.0, **ADAM},
        optimizer=optimizer("lr"),
    )
    return m1_m2(
        first,
        classify.Classifier(CLASSES, (8,)),
        by_class.Encoder(2, CLASSES, (8,)),
        mlp.Decoder((LATENT,), outputs=2 * LATENT, widths=(8,), classes=CLASSES),
        classes=CLASSES,
        pretrain=pretrain,
        optimizer=optimizer("lr_second"),
    )


def _vade(optimizer: Callable) -> Algorithm:
    """Its three parts within the contract's rounds: two as an autoencoder, the fit, and the bound."""
    return vade(
        mlp.Encoder(LATENT, widths=(8,)),
        mlp.Decoder(SHAPE, widths=(8,)),
        likelihood=likelihoods.bernoulli(),
        shape=SHAPE,
        components=3,
        pretrain=2,
        memory=24,
        augment=jitter,
        hyper={"lr": 1e-3, "beta": 1.0, **ADAM},
        optimizer=optimizer("lr"),
    )


def _clustergan(optimizer: Callable) -> Algorithm:
    hyper = {"lr_generator": 0.02, "lr_discriminator": 0.02, **ADAM}
    return clustergan(
        mlp.Generator(SHAPE, widths=(8,)),
        mlp.Discriminator(widths=(8,)),
        classify.Classifier(5, (8,)),
        shape=SHAPE,
        noise=2,
        clusters=3,
        n_critic=2,
        hyper=hyper | {"gradient_penalty": 10.0, "noise_cycle": 1.0, "code_cycle": 1.0},
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
    )


ROWS = [
    ("classifier", _classifier),
    ("feature_matching", _feature_matching),
    ("m2", _m2),
    ("m1_m2", _m1_m2),
    ("m1_then_m2", partial(_m1_m2, pretrain=2)),  # both of its parts within the contract's rounds
    ("vade", _vade),
    ("clustergan", _clustergan),
]
READ_LABELS = {"classifier", "feature_matching", "m2", "m1_m2", "m1_then_m2"}  # of the stream "labelled"
