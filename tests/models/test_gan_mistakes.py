"""What a GAN cannot be asked for: each mistake is one line that names what would work, before anything is written."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data.source import from_arrays
from gen_jax.models.gan_checks import need_whole_packs
from gen_jax.runs import feeding

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def images(size=8, classes=3, count=40, channels=1):
    arrays = {"x": np.zeros((count, size, size, channels), np.uint8)}
    if classes:
        arrays["label"] = np.arange(count, dtype=np.int32) % classes
    return from_arrays("toy", arrays, arrays, classes)


def start(name: str, data, **settings):
    """What a run does before it writes: build, shapes, feeding."""
    spec = importlib.util.spec_from_file_location(f"experiment_{name}", EXPERIMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    config = script.Config(**{"width": 4, "batch_size": 8, **settings})
    algorithm = script.build(config, data)
    jax.eval_shape(algorithm.init, jax.random.key(0))
    feeding.check(data, config.batch_size, algorithm.minibatches, config.devices or 1)


def assert_refused(words, name, data, **settings):
    with pytest.raises(UserError) as caught:
        start(name, data, **settings)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["gan", "dcgan", "lsgan", "wgan", "wgan_gp", "dragan", "cgan", "acgan", "infogan"])
def test_sound_requests_pass(name):
    start(name, images(count=80))


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_a_conditional_model_on_unlabelled_data(name):
    assert_refused([f"{name} needs labels", "toy has none", "mnist5k"], name, images(classes=None))


@pytest.mark.parametrize(("batch_size", "packing", "better"), [(8, 3, "6 or 9"), (2, 3, "3"), (64, 5, "60 or 65")])
def test_a_packing_that_does_not_divide_the_batch(batch_size, packing, better):
    words = [f"packing {packing} does not divide", f"batch of {batch_size}", f"--batch-size {better}"]
    assert_refused(words, "dcgan", images(count=80), batch_size=batch_size, packing=packing)


def test_a_packing_that_does_not_divide_a_devices_share():
    assert need_whole_packs(2, 8, devices=4) == 2
    with pytest.raises(UserError, match="4 devices; try --batch-size 8 or 16"):
        need_whole_packs(2, 12, devices=4)
    with pytest.raises(UserError, match="packing 0"):
        need_whole_packs(0, 12)


@pytest.mark.parametrize(
    ("name", "count", "batch_size", "use"),
    [("wgan", 40, 16, "--batch-size 8 or less, or fewer"), ("wgan_gp", 40, 16, "--batch-size 8 or less, or fewer"),
     ("wgan", 9, 4, "--batch-size 1, or fewer"), ("wgan", 4, 4, "fewer")],
)  # fmt: skip
def test_an_n_critic_that_the_data_cannot_feed(name, count, batch_size, use):
    words = [f"5 minibatches of {batch_size}", f"{count} train examples", f"; use {use} discriminator steps a round"]
    assert_refused(words, name, images(count=count), batch_size=batch_size)
    assert_refused(["n_critic is 0"], name, images(), n_critic=0)


@pytest.mark.parametrize("name", ["dcgan", "cgan", "infogan"])
@pytest.mark.parametrize("size", [4, 200])
def test_a_size_that_the_architecture_cannot_make(name, size):
    assert_refused(["8 to 128 pixels", str(size), "resize"], name, images(size, count=10))


def test_points_and_channels_that_the_architecture_cannot_make():
    points = {"x": np.zeros((40, 2), np.float32)}
    assert_refused(["images, not of points", "gan.py"], "dcgan", from_arrays("points", points, points, None))
    assert_refused(["1 or 3 channels", "2"], "dcgan", images(channels=2))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"packing": 2, "augment": "diffaugment"}, ["augmentations", "packing 1"]),
        ({"share_fakes": True, "n_critic": 2}, ["share_fakes", "n_critic 1"]),
        ({"label_smoothing": 0.1, "loss": "hinge"}, ["label smoothing", "minimax or non_saturating"]),
        ({"dropout": 1.0}, ["dropout", "1.0"]),
    ],
)
def test_combinations_that_cannot_work(settings, words):
    from gen_jax.objectives.adversarial import Loss

    if "loss" in settings:
        settings = settings | {"loss": Loss[settings["loss"]]}
    assert_refused(words, "dcgan", images(), **settings)
