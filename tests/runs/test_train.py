"""The loop and models that cannot do everything: what is left out is told, and mistakes cost nothing."""

import dataclasses
import json
import runpy

import pytest

from gen_jax.core.errors import UserError
from gen_jax.runs.train import train

SCRIPT = '''
"""An autoencoder: it encodes, decodes and evaluates, and has no prior to sample from."""
from dataclasses import dataclass, field
import jax.numpy as jnp
from flax import linen as nn
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, caller, sgd
from gen_jax.core.types import Aux
from gen_jax.experiment import Config as Common


@dataclass(frozen=True, kw_only=True)
class Config(Common):
    data: str = "digits"
    hyper: dict[str, float] = field(default_factory=lambda: {"lr": 0.1})


class Net(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.features)(x.reshape(len(x), -1))


def build(config, data):
    shape = data.shape
    size = 1
    for side in shape:
        size *= side
    flat, code = jnp.zeros((1, size)), jnp.zeros((1, 3))
    players = {"encoder": Player(Net(3), (flat,), sgd("lr")), "decoder": Player(Net(size), (code,), sgd("lr"))}
    call = caller(players)

    def again(params, stats, x):
        latents, _ = call("encoder", params, stats, x, train=False)
        return latents, call("decoder", params, stats, latents, train=False)[0].reshape(-1, *shape)

    def loss(params, context):
        error = jnp.mean((again(params, context.stats, context.batch["x"])[1] - context.batch["x"]) ** 2)
        return error, Aux(metrics={"loss/error": error})

    def encode(weights, batch):
        return {"mean": call("encoder", weights.params, weights.stats, batch["x"], train=False)[0]}

    def decode(weights, latents, given={}):
        return call("decoder", weights.params, weights.stats, latents, train=False)[0].reshape(-1, *shape)

    def evaluate(weights, batch, key):
        errors = (again(weights.params, weights.stats, batch["x"])[1] - batch["x"]) ** 2
        return {"error": errors.reshape(len(errors), -1).mean(axis=1)}

    algorithm = compose(players, [Phase(("encoder", "decoder"), loss)], dict(config.hyper))
    return algorithm._replace(encode=encode, decode=decode, evaluate=evaluate)
'''


@pytest.fixture
def experiment(tmp_path):
    script = tmp_path / "autoencoder.py"
    script.write_text(SCRIPT)
    names = runpy.run_path(str(script))
    asked = {"batch_size": 16, "steps": 4, "log_every": 2, "sample_every": 2, "evaluate_every": 2}
    return names["Config"](run_dir=tmp_path / "run", **asked), names["build"], script


def test_a_model_without_a_sampler_trains_without_grids(experiment, capsys):
    config, build, script = experiment
    run = train(config, build, script)
    assert "no sampler 'prior': no sample grids" in capsys.readouterr().err
    assert not (run / "samples").exists()
    seen = set().union(*(json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()))
    assert {"held_out/error", "reconstructions/distance", "loss/error"} <= seen
    assert not any(name.startswith("samples/") for name in seen)


def test_verbs_and_scores_of_samples_say_that_it_has_none(experiment):
    from gen_jax.verbs.interpolate import interpolate
    from gen_jax.verbs.reconstruct import reconstruct
    from gen_jax.verbs.sample import sample

    config, build, script = experiment
    with pytest.raises(UserError, match="--track fd needs a model with a sampler 'prior', and this one has not"):
        train(dataclasses.replace(config, track="fd"), build, script)
    assert not config.run_dir.exists()
    run = train(config, build, script)
    with pytest.raises(UserError, match="sample needs a model with a sampler 'prior', .*; it has none at all"):
        sample(run)
    with pytest.raises(UserError, match="interpolate needs a model that has `prior`, and this one has not"):
        interpolate(run)
    reconstruct(run)
    assert (run / "pictures" / "reconstructions.png").exists()


def test_a_hyper_that_nothing_reads_leaves_no_trace(experiment):
    config, build, script = experiment
    with pytest.raises(UserError, match="hyper learning_rate: nothing in this model reads it; it reads lr"):
        train(dataclasses.replace(config, hyper={"lr": 0.1, "learning_rate": 1.0}), build, script)
    assert not config.run_dir.exists()
