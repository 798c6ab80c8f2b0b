"""What papers measure is what `evaluate` measures, under its checks, and stands with its protocol in the run."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_subjects import CONFIG, gan, made, subject, vae, weights

from gen_jax.core.errors import UserError
from gen_jax.core.types import State
from gen_jax.metrics import lenet
from gen_jax.runs.evaluation import scores
from gen_jax.runs.opened import Opened
from gen_jax.studies import measures


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def trained(tmp_path):
    def opened(algorithm):
        view = weights()
        state = State(jnp.int32(7), jax.random.key(0), view.params, view.stats, {}, {}, {}, {})
        return Opened(tmp_path, CONFIG, made(), algorithm, state, 7)

    return opened


def test_likelihood_of_the_test_split(trained):
    run = trained(vae())
    found = measures.log_likelihood(run, 3)
    pixels = run.source.test.arrays["x"] / 127.5 - 1
    assert found["nll"] == pytest.approx(-100 * pixels.mean(), rel=1e-4)
    assert found["effective_samples"] == 7
    (first, *_) = json.loads((run.path / "evaluation.json").read_text())["results"]
    assert first["protocol"] | {"importance samples": 3, "step": 7, "weights": "raw"} == first["protocol"]


def test_a_bernoulli_of_grey_pixels_has_no_likelihood(trained):
    with pytest.raises(UserError, match="does not normalise"):
        measures.log_likelihood(trained(vae()._replace(levels=0)), 3)


def test_distance_of_samples_and_of_reconstructions(trained, monkeypatch):
    monkeypatch.setattr(lenet, "train_classifier", lambda *_: lenet.Classifier(2, {"w": np.ones(1)}, 0.75))
    monkeypatch.setattr(
        lenet, "apply", lambda c, x, **_: (x.reshape(len(x), -1)[:, 30:114].astype(np.float32), np.zeros((len(x), 2)))
    )
    run = trained(vae())
    found = measures.fd_lenet(run), measures.fd_lenet(run, reconstructions=True)
    for sampler, value in zip(("prior", "reconstruction"), found, strict=True):
        one = subject(vae(), features="lenet", samples=120, sampler=sampler)
        assert value == pytest.approx(scores.frechet_of(one.reference(), one.fakes(0)), rel=1e-6)
    assert found[0] != found[1]


def test_held_out_values_and_codes(trained):
    run = trained(vae())
    pixels = run.source.test.arrays["x"] / 127.5 - 1
    assert measures.held_out(run) == {"logits": pytest.approx(pixels.mean(), rel=1e-5)}
    codes = measures.codes_of(run, run.source.test.arrays["x"])
    wanted = pixels.reshape(120, -1) @ np.asarray(run.state.params["decoder"]["w"]).T
    np.testing.assert_allclose(codes, wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="`encode`"):
        measures.codes_of(trained(gan()), run.source.test.arrays["x"])
