"""What is found before anything is written: what does not fit, what nothing reads, what no run will have."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.nets.conv import conv
from gen_jax.nets.conv_plain import plain_conv
from gen_jax.runs import memory, rehearsal, scripts
from gen_jax.runs.watching import tracking
from gen_jax.studies import promised

ROOT = Path(__file__).parents[2]


def script(name):
    module = scripts.load(ROOT / "experiments" / f"{name}.py")
    return module.Config, module.build


def rehearse(name, new=True, **settings):
    kind, build = script(name)
    config = kind(data="digits", batch_size=16, **settings)
    rehearsal.check(config)
    return rehearsal.rehearse(config, build, load.of(config), parallel.layout("jit", 1), Path(f"{name}.py"), new=new)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("gan", {"width": 8, "steps_per_call": 10**6, "resident_gib": 0.0}, ["--steps-per-call 1000000", "try --"]),
        ("vae", {"image_size": 60_000}, ["--image-size 60000", "--image-size "]),
        ("vae", {"sigma": 0.3}, ["--sigma 0.3: vae.py does not read it"]),
        ("conv_vae", {"capacity": 3.0}, ["--capacity 3.0: conv_vae.py does not read it"]),
        ("dcgan", {"packing": 3}, ["packing 3", "--batch-size 15 or 18"]),
        ("dcgan", {"width": 4, "noise_steps": 10}, ["--noise-steps 10"]),
        ("gan", {"width": 8}, []),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_what_would_work(name, settings, words, monkeypatch):
    monkeypatch.setattr(memory, "machine", lambda: 2.0**30)
    monkeypatch.setattr(rehearsal, "PROBES", 1)
    monkeypatch.setattr(memory, "host", lambda: 2.0**30)
    if not words:
        assert rehearse(name, **settings).metrics
        return
    with pytest.raises(UserError) as refused:
        rehearse(name, **settings)
    for word in words:
        assert word in str(refused.value)


def test_the_value_that_is_named_fits(monkeypatch):
    monkeypatch.setattr(memory, "machine", lambda: 2.0**30)
    monkeypatch.setattr(rehearsal, "PROBES", 1)
    with pytest.raises(UserError) as refused:
        rehearse("gan", latent_size=500_000)
    assert "--latent-size 500000: training needs at least" in str(refused.value)
    assert "and this machine has 1.0 GiB; try --latent-size" in str(refused.value)
    rehearse("gan", latent_size=int(str(refused.value).split()[-1]))


def test_precision_is_honoured_or_refused(tmp_path):
    kind, build = script("gan")

    def deaf(config, data):
        return build(dataclasses.replace(kind(), width=8), data)

    config = kind(data="digits", batch_size=16, precision="bfloat16")
    with pytest.raises(UserError, match=r"--precision bfloat16: own\.py does not read it"):
        rehearsal.rehearse(config, deaf, load.of(config), parallel.layout("jit", 1), Path("own.py"), new=True)
    # A run that was begun so can be continued.
    rehearsal.rehearse(config, deaf, load.of(config), parallel.layout("jit", 1), Path("own.py"), new=False)


def test_a_table_that_is_too_large_to_be_made_is_refused(monkeypatch):
    kind, build = script("gan")

    def greedy(config, data):
        if config.width > 512:
            raise MemoryError
        return build(dataclasses.replace(config, width=8), data)

    config = kind(data="digits", batch_size=16, width=1000)
    with pytest.raises(UserError, match="--width 1000: training needs more than there is.*try --width 5"):
        rehearsal.rehearse(config, greedy, load.of(config), parallel.layout("jit", 1), Path("own.py"), new=True)


def test_metrics_are_known_before_training():
    kind, _ = script("vae")
    run = rehearse("vae", width=4)
    config = kind(data="digits", batch_size=16, width=4)
    known = promised.names(run, config, load.of(config))
    assert {"elbo", "held_out/elbo", "samples/distance"} <= known
    promised.check(["held_out/elbo", "held_out/elbo:highest", tracking.PREFIX + "fd"], known)
    with pytest.raises(UserError, match="--metric held_out/elbow: no run .* will have it; did you mean held_out/elbo"):
        promised.check(["held_out/elbow"], known)
    with pytest.raises(UserError, match="write held_out/elbo:highest"):
        promised.check(["held_out/elbo:up"], known)
    quiet = promised.names(run, dataclasses.replace(config, evaluate_every=0), load.of(config))
    with pytest.raises(UserError, match="no run of this study will have it"):
        promised.check(["held_out/elbo"], quiet)


def test_this_projects_own_convolutions_count_as_xlas_do():
    x, kernel = jax.ShapeDtypeStruct((8, 16, 16, 4), jnp.float32), jax.ShapeDtypeStruct((3, 3, 4, 32), jnp.float32)
    needed = 4 * (8 * 16 * 16 * (4 + 32) + 3 * 3 * 4 * 32)
    for convolve in (conv, lambda x, k: plain_conv(x, k, stride=1, padding=((1, 1), (1, 1)))):
        assert memory.at_work(jax.make_jaxpr(convolve)(x, kernel)) == needed
