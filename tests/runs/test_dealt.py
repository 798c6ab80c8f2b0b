"""An evaluation of four devices is that of one: samples, features, what a model says of examples, anomaly scores."""

import json
import shutil

import crowd
import jax
import numpy as np
import pytest
from commands import ROOT
from contract_rows import ROWS
from evaluation_subjects import gan, made, subject, vae, weights

from gen_jax.core import dealing, keys
from gen_jax.core.players import adam
from gen_jax.core.types import weights as weights_of
from gen_jax.data import source
from gen_jax.runs import completing
from gen_jax.runs.batches import in_batches
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.scores import named
from gen_jax.runs.scores.score import of_rows

COUNT = 1_100  # samples: five batches


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path / "cache"))


def both(algorithm, **options):
    """A subject on one device, and on four."""
    found = [subject(algorithm, view=view, **options) for view in (weights(), dealing.on_all(weights()))]
    assert [each.devices for each in found] == [1, 4]
    return found


def same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


@pytest.mark.parametrize("algorithm", [gan(), gan(conditional=True)], ids=["gan", "conditional"])
def test_samples_their_labels_and_their_features(algorithm):
    one, four = both(algorithm)
    same(one.images(COUNT), four.images(COUNT))
    same(tuple(one.fakes(1, COUNT)), tuple(four.fakes(1, COUNT)))
    assert len(one.images(COUNT)[0]) == COUNT


@pytest.mark.parametrize("sampler", ["posterior", "reconstruction"])
def test_samples_from_examples(sampler):
    one, four = both(vae(), sampler=sampler)
    same(one.images(COUNT), four.images(COUNT))


@pytest.mark.parametrize("size", [7, 40, 250])
def test_what_a_model_says_of_examples(size):
    def noisy(view, batch, key, scale):
        return {"value": vae().encode(view, batch)["mean"] + scale * keys.normal(key, len(batch["x"]), 3)}

    compiled, rows = dealing.by_device(noisy, static=(3,)), np.arange(3, 100)
    found = [
        in_batches(compiled, view, made().train, rows, size, key=jax.random.key(0), more=(2.0,))
        for view in (weights(), dealing.on_all(weights()))
    ]
    assert found[0]["value"].shape == (97, 3)
    same(*found)


@pytest.mark.parametrize("score", ["elbo", "latent_knn", "residual_knn"])
def test_anomaly_scores(score):
    algorithm = next(row for row in ROWS if row.name == "vae").build(adam)
    view = weights_of(jax.jit(algorithm.init)(jax.random.key(0)))
    pictures = np.random.default_rng(0).integers(0, 256, (130, 8, 8, 1)).astype(np.uint8)
    data = source.from_arrays("npz:random", {"x": pictures[:60]}, {"x": pictures}, None)
    chosen, found = named.score(score), []
    for each in (view, dealing.on_all(view)):
        one = Subject(algorithm, each, data, Config(data="npz:random"), Options())
        found.append(of_rows(chosen, chosen.make(one), data.test, np.arange(130), one.devices))
    np.testing.assert_array_equal(*found)


def test_completions():
    row = next(row for row in ROWS if row.name == "inpaint_vae")
    algorithm = row.build(adam)
    view = weights_of(jax.jit(algorithm.init)(jax.random.key(0)))
    x = np.random.default_rng(0).uniform(-1, 1, (120, 8, 8, 1)).astype(np.float32)
    mask = completing.masks_of("random:0.5", x, made().kind, 0)
    same(*(tuple(completing.complete(algorithm, each, x, mask, 0, 2)) for each in (view, dealing.on_all(view))))


@pytest.mark.science
def test_the_verb_on_four_devices(tmp_path):
    common = [str(ROOT / "experiments" / "vae.py"), "--data", "digits", "--steps", "30", "--evaluate-every", "0"]
    assert crowd.alone([*common, "--sample-every", "0", "--run-dir", str(tmp_path / "1")], 1).returncode == 0
    shutil.copytree(tmp_path / "1", tmp_path / "4")
    asked = ["--metrics", "held_out,fd,nll,latents,auroc", "--samples", "600", "--repeats", "1", "--nll-samples", "50"]
    asked += ["--nll-examples", "170", "--against", "class:3", "--score", "elbo", "--json"]
    found = {}
    for devices in (1, 4):
        run = tmp_path / str(devices)
        done = crowd.alone(["-m", "gen_jax", "evaluate", str(run), *asked], devices, GEN_JAX_CACHE=str(tmp_path / "c"))
        assert done.returncode == 0, done.stderr
        results = json.loads(done.stdout)["results"]
        found[devices] = {result["name"]: result["value"] for result in results}
        found[devices, "stamps"] = [result["protocol"] for result in results]
    assert {"FD-LeNet", "NLL (importance-weighted bound)"} <= found[1].keys()
    assert found[4] == pytest.approx(found[1], rel=1e-6, abs=1e-9)
    assert found[4, "stamps"] == found[1, "stamps"]
