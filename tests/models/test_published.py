"""What scripts and models say they take from published code: the numbers, and the commands in their docstrings."""

import inspect
import re
import shlex
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro
from flax import linen as nn

from gen_jax.data import load
from gen_jax.models.factor_vae import factor_vae
from gen_jax.models.vq_vae import vq_vae
from gen_jax.objectives import likelihoods
from gen_jax.studies.study import load_script

ROOT = Path(__file__).parents[2]
ATTENTION = {"width": 256, "critic_width": 128, "attention": 2, "critic_attention": 1}


def script(name):
    """(Config, build)."""
    return load_script(ROOT / "experiments" / f"{name}.py")


def built(name, *words):
    """(settings, algorithm) of a command line, on the 8×8 digits."""
    config_type, build = script(name)
    config = tyro.cli(config_type, args=["--data", "digits", *words])
    return config, build(config, load.load("digits"))


def commands(name):
    """The settings that each command of the script's docstring makes."""
    config, _ = script(name)
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
        # wae/configs, MNIST: WAE-MMD and WAE-GAN
        ("wae", 0, {"latent_size": 8}, {"lr": 1e-3, "b1": 0.5}),
        ("aae", 0, {"latent_size": 8}, {"lr": 1e-3, "b1": 0.5, "lr_discriminator": 5e-4, "b1_discriminator": 0.5}),
        ("factor_vae", 0, {}, {"lr_discriminator": 1e-4, "b1_discriminator": 0.5, "b2_discriminator": 0.9}),
    ],
)  # fmt: skip
def test_commands_have_the_sources_settings(name, number, settings, hyper):
    found = commands(name)[number]
    assert {key: getattr(found, key) for key in settings} == settings
    assert {key: getattr(found.hyper, key) for key in hyper} == hyper


def test_waes_penalty_weighs_what_the_authors_does():
    """10 · MMD + .05 · |x - x'|² of pixels in [0, 1], which is a quarter of that of pixels in [-1, 1]."""
    config = script("wae")[0]()
    assert config.hyper.mmd / (4 / (2 * config.sigma**2)) == pytest.approx(10 / 0.05)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vq_vae", "--average-commitment --stages 1 --width 4 --prior-layers 1"),
        ("info_vae", "--kernel rbf --width 4"),
        ("two_stage_vae", "--likelihood gaussian --binarization NONE --width 4 --second-width 4"),
        ("dcgan", "--uniform-latents --width 4"),
        ("biggan", "--no-average-statistics --orthogonal 1e-4 --width 8 --critic-width 8"),
    ],
)
def test_options_that_sources_differ_in_make_a_round(name, words):
    config, algorithm = built(name, *words.split())
    one = {"x": (config.batch_size, 8, 8, 1), "label": (config.batch_size,)}
    types = {"x": jnp.float32, "label": jnp.int32}
    count = algorithm.minibatches["train"]
    batch = {"train": {key: jax.ShapeDtypeStruct((count, *shape), types[key]) for key, shape in one.items()}}
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    after, _ = jax.eval_shape(algorithm.update, state, batch)
    assert jax.tree.structure(after) == jax.tree.structure(state)


class Corners(nn.Module):
    """[B, 8, 8, 1] -> [B, 2, 2, 2]: two numbers of every fourth pixel; with `back` the way back."""

    back: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        w = self.param("w", lambda _: jnp.array([0.3, -0.2]))
        return jnp.tile(x @ w[:, None], (1, 4, 4, 1)) if self.back else x[:, ::4, ::4] * w


class Even(nn.Module):
    """A prior of codes that knows nothing of them."""

    @nn.compact
    def __call__(self, numbers, *, train):
        return jnp.broadcast_to(self.param("logits", nn.initializers.zeros, (5,)), (*numbers.shape, 5))


@pytest.mark.parametrize("average", [True, False])
def test_the_papers_commitment_is_a_mean_over_the_grid(average):
    """β |z_e - sg(e)|² averaged over the N = h w codes (van den Oord et al. 2017, below eq. 3), or their sum."""
    hyper = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "lr_prior": 1e-3, "commitment": 0.25, "codebook_decay": 0.9,
             "revive": 0.0}  # fmt: skip
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, 8, 8, 1)).astype(np.float32)
    algorithm = vq_vae(Corners(), Corners(back=True), Even(), codes=5, likelihood=likelihoods.gaussian(0.5),
                       shape=(8, 8, 1), hyper=hyper, average_commitment=average)  # fmt: skip
    state = algorithm.init(jax.random.key(0))
    _, metrics = jax.jit(algorithm.update)(state, {"train": {"x": jnp.asarray(x)}})
    encodings = x[0, :, ::4, ::4] * np.array([0.3, -0.2])  # [4, 2, 2, 2]
    embedding = np.asarray(state.stats["codebook"]["codebook"]["book"]["embedding"])
    nearest = ((encodings[..., None, :] - embedding) ** 2).sum(axis=-1).min(axis=-1)  # [4, 2, 2]
    expected = nearest.mean() if average else nearest.sum(axis=(1, 2)).mean()
    np.testing.assert_allclose(metrics["commitment"], expected, rtol=1e-4)


def test_factor_vaes_discriminator_has_betas_of_its_own():
    """After one step Adam's moments are (1 - β1) g and (1 - β2) g²: disentanglement_lib has .5 and .9."""
    hyper = {"b1": 0.9, "b2": 0.999, "lr_discriminator": 1e-4, "b1_discriminator": 0.5, "b2_discriminator": 0.9}
    optimizer = inspect.signature(factor_vae).parameters["optimizer"].default(hyper)
    slope = jnp.float32(2.0)
    _, (moments, *_) = optimizer.update(slope, optimizer.init(slope))
    np.testing.assert_allclose([moments.mu, moments.nu], [0.5 * 2.0, 0.1 * 4.0], rtol=1e-5)
