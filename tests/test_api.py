"""Runs from Python: the same numbers as the command line's, and mistakes in its words."""

import inspect

import numpy as np
import pytest
from PIL import Image

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.verbs.sample import sample

SETTINGS = {"data": "digits", "width": 8, "batch_size": 16, "steps": 2, "sample_every": 0, "evaluate_every": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return gen_jax.train("experiments/cvae.py", SETTINGS, tmp_path_factory.mktemp("runs") / "cvae")


def test_settings_reach_the_run(run):
    assert run.step == 2
    assert run.opened.config.width == 8
    assert gen_jax.load(run.path).step == 2
    assert list(run.metrics()["elbo"].steps) == [2]


def test_samples_are_the_command_lines(run, tmp_path):
    sample(run.path, count=6, seed=3, label=2, out=tmp_path / "a.png", npz=tmp_path / "a.npz")
    drawn = run.sample(6, seed=3, label=2)
    assert np.array_equal(drawn, np.load(tmp_path / "a.npz")["images"])
    assert drawn.shape == (6, *run.opened.source.shape)


def test_files_hold_what_evaluate_scores(run, tmp_path):
    sample(run.path, count=5, seed=1, to=tmp_path / "pngs")
    files = sorted((tmp_path / "pngs").iterdir())
    assert [path.name for path in files] == [f"{number:05d}.png" for number in range(5)]
    opened = run.opened
    subject = Subject(opened.algorithm, run.weights, opened.source, opened.config, Options(seed=1))
    scored, _ = subject.images(5)
    for path, image in zip(files, scored, strict=True):
        assert np.abs(np.asarray(Image.open(path)) - (image[..., 0] + 1) * 127.5).max() <= 0.5 + 1e-4
    with pytest.raises(UserError, match="a new folder"):
        sample(run.path, count=5, to=tmp_path / "pngs")
    with pytest.raises(UserError, match="leave out"):
        sample(run.path, to=tmp_path / "more", npz=tmp_path / "a.npz")


def test_codes_and_back(run):
    held_out = run.examples(5)
    assert held_out["x"].dtype == np.uint8
    codes = run.encode(held_out["x"], label=held_out["label"])
    floats = held_out["x"] / 127.5 - 1
    np.testing.assert_allclose(run.encode(floats, label=held_out["label"])["mean"], codes["mean"], atol=1e-4)
    again = run.reconstruct(held_out["x"], label=held_out["label"])
    assert again.shape == floats.shape
    assert np.array_equal(again, run.decode(codes["mean"], label=held_out["label"]))
    assert run.score(held_out["x"], label=held_out["label"]).shape == (5,)


def test_scores_and_pictures(run):
    found = run.evaluate(["held_out"])
    assert found["elbo"]["unit"] == "nats"
    assert (run.path / "evaluation.json").exists()
    picture = run.picture(run.sample(4))
    assert picture.size[0] > 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda run: run.sample(0), "1 sample or more"),
        (lambda run: run.sample(4, label=12), "10 classes"),
        (lambda run: run.sample(4, mask=np.ones(4)), "not given mask"),
        (lambda run: run.sample(4, sampler="posterior"), "reconstruct"),
        (lambda run: run.encode(np.zeros((2, 5, 5, 1)), label=[0, 1]), "this run's data are"),
        (lambda run: run.encode(run.examples(2)["x"]), "give it label"),
        (lambda run: run.classify(run.examples(2)["x"]), "classify"),
        (lambda run: run.evaluate("fid"), "there is no metric"),
        (lambda run: run.evaluate("held_out", sample=3), "no option sample"),
        (lambda run: gen_jax.load(run.path / "nowhere"), "no run folder"),
        (lambda run: gen_jax.train("nowhere.py"), "nowhere.py"),
        (lambda run: gen_jax.train("experiments/cvae.py", {"widht": 3}), "widht"),
        (lambda run: gen_jax.train("experiments/cvae.py", {"hyper.beta": float("nan")}), "beta"),
    ],
)
def test_mistakes_are_the_command_lines(run, wrong, message):
    with pytest.raises(gen_jax.UserError, match=message) as found:
        wrong(run)
    assert "\n" not in str(found.value)


def test_every_option_of_the_command_line_is_one_of_python():
    from gen_jax.runs.evaluation.subject import Options
    from gen_jax.verbs.evaluate import evaluate

    own = set(inspect.signature(evaluate).parameters) - {
        "run",
        "metrics",
        "weights",
        "step",
        "trust",
        "json",
        "data",
        "access",
    }
    assert own == set(Options._fields)


def test_flags():
    from gen_jax.api import _flags

    got = _flags({"batch_norm": False, "hyper.ema_decay": 0.5, "widths": (8, 4), "run_dir": "x"})
    assert got == ["--no-batch-norm", "--hyper.ema-decay", "0.5", "--widths", "8", "4", "--run-dir", "x"]


def test_the_package_says_what_it_has():
    assert gen_jax.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = gen_jax.lod
