"""What scripts and models say they take from published code: the numbers, and the commands in their docstrings."""

import re
import shlex
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro

from gen_jax.models.factor_vae import factor_vae
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods
from gen_jax.studies.study import load_script

ROOT = Path(__file__).parents[2]
ATTENTION = {"width": 256, "critic_width": 128, "attention": 2, "critic_attention": 1}


def script(name):
    return load_script(ROOT / "experiments" / f"{name}.py")[0]


def commands(name):
    """The settings that each command of the script's docstring makes."""
    config = script(name)
    text = sys.modules[config.__module__].__doc__.replace("\\\n", " ")
    lines = re.findall(rf"^ *python experiments/{name}\.py(.*)$", text, re.M)
    return [tyro.cli(config, args=shlex.split(line, comments=True)) for line in lines]


@pytest.mark.parametrize(
    ("name", "number", "settings", "hyper"),
    [
        # StudioGAN's configs/CIFAR10/SAGAN.yaml and the defaults of its config.py
        ("sagan", 1, {**ATTENTION, "n_critic": 5, "batch_size": 64, "steps": 100_000},
         {"lr_generator": 2e-4, "lr_discriminator": 2e-4, "b1": 0.5, "b2": 0.999}),
        # BigGAN-PyTorch's CIFAR-10 script
        ("biggan", 1, {"width": 256, "critic_width": 256, "n_critic": 4, "batch_size": 50, "average_statistics": True},
         {"lr_generator": 2e-4, "lr_discriminator": 2e-4, "b1": 0.0, "b2": 0.999, "ema_decay": 0.9999}),
        # StudioGAN's configs/CIFAR10/BigGAN.yaml
        ("biggan", 2, {"hierarchical": True, "latent_size": 80, "n_critic": 5, "average_statistics": True},
         {"lr_generator": 2e-4, "lr_discriminator": 2e-4, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9999}),
        # mimicry's CIFAR-10
        ("sngan", 1, {"width": 256, "critic_width": 128, "n_critic": 5, "decay_steps": 100_000},
         {"lr_generator": 2e-4, "lr_discriminator": 2e-4, "b1": 0.0, "b2": 0.9}),
        # WassersteinGAN's main.py, InfoGAN's run_mnist_exp.py, disentanglement_lib's model_configs
        ("wgan", 0, {"n_critic": 5, "batch_size": 64}, {"lr_generator": 5e-5, "lr_discriminator": 5e-5, "clip": 0.01}),
        ("infogan", 0, {"noise": 62, "categories": 10, "groups": 1}, {"information": 1.0, "continuous": 1.0,
         "lr_generator": 1e-3, "lr_discriminator": 2e-4}),
        ("factor_vae", 0, {}, {"lr_discriminator": 1e-4, "b1_discriminator": 0.5, "b2_discriminator": 0.9}),
    ],
)  # fmt: skip
def test_commands_have_the_sources_settings(name, number, settings, hyper):
    found = commands(name)[number]
    assert {key: getattr(found, key) for key in settings} == settings
    assert {key: getattr(found.hyper, key) for key in hyper} == hyper


def test_factor_vaes_discriminator_has_betas_of_its_own():
    """After one step Adam's moments are (1 - β1) g and (1 - β2) g²: their ratio tells β2 of disentanglement_lib, .9."""
    hyper = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0, "total_correlation": 2.0,
             "lr_discriminator": 1e-4, "b1_discriminator": 0.5, "b2_discriminator": 0.9}  # fmt: skip
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 5)), jnp.float32)
    body = vae_body(mlp.Encoder(2, widths=(4,)), mlp.Decoder((5,), widths=(4,)),
                    likelihood=likelihoods.gaussian(0.5), shape=(5,), hyper=hyper)  # fmt: skip
    algorithm = factor_vae(body, mlp.Discriminator(widths=(4,)))
    state, _ = jax.jit(algorithm.update)(algorithm.init(jax.random.key(0)), {"train": {"x": x}})
    for player, ratio in (("discriminator", 0.1 / 0.5**2), ("encoder", 0.001 / 0.1**2)):
        moments = state.opt[player][0]
        for mu, nu in zip(jax.tree.leaves(moments.mu), jax.tree.leaves(moments.nu), strict=True):
            np.testing.assert_allclose(nu, ratio * mu**2, rtol=1e-3, atol=1e-20)
