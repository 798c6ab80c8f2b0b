"""What a finding advises is a command that the run's data and networks take, with the run's own flags."""

import functools
import importlib
import json
import shlex
from pathlib import Path

import pytest
from commands import ROOT

from gen_jax.core import parallel
from gen_jax.data import load
from gen_jax.runs import command, manifest, rehearsal
from gen_jax.runs.config import Config
from gen_jax.runs.diagnosis import RULES, remedies
from gen_jax.runs.diagnosis.remedies import Ground, fitting, flags_of, ground
from gen_jax.runs.diagnosis.rule import Remedy
from gen_jax.runs.settings import flatten, to_json

RULE = {rule.name: rule for rule in RULES}
IMAGES, POINTS = (28, 28, 1), (2,)
RUNS = {  # script, flags, shape of an example, training examples
    "a DCGAN": ("dcgan", "--width 32 --seed 3", IMAGES, 4000),
    "a small DCGAN on few examples": ("dcgan", "--batch-size 16 --width 8", IMAGES, 100),
    "a DCGAN with R1": ("dcgan", "--r1-gamma 1 --no-batch-norm --augment ada", IMAGES, 4000),
    "a plain GAN": ("gan", "--loss minimax --hyper.lr-generator 1e-3", IMAGES, 4000),
    "a GAN of points": ("gan", "--data ring8 --loss minimax --width 64", POINTS, 90_000),
    "a GAN of 8 pixels": ("gan", "--data digits", (8, 8, 1), 1442),
    "a relativistic GAN": ("r3gan", "--seed 1", IMAGES, 4000),
    "a WGAN-GP": ("wgan_gp", "--n-critic 2", IMAGES, 4000),
    "a VAE": ("vae", "--hyper.beta 4 --image-size 32 --precision bfloat16", (32, 32, 1), 4000),
    "a beta-VAE": ("beta_vae", "--hyper.beta 10", IMAGES, 4000),
    "a sigma-VAE": ("sigma_vae", "", IMAGES, 4000),
    "a VAE of points": ("vae_points", "--data grid25", POINTS, 90_000),
}


@functools.cache
def module(name):
    return importlib.import_module(f"experiments.{name}")


def settings_of(name, flags):
    """The settings of a command line, read by hand, for tyro takes its time. KeyError for a flag that is none."""
    found = dict(flatten(to_json(module(name).Config())))
    for flag, value in flags:
        field = flag.removeprefix("--").replace("-", "_")
        if field.startswith("no_") and field not in found:
            field, value = field.removeprefix("no_"), "false"
        before, (value, *_) = found[field], [*shlex.split(value), "true"]
        numbers = isinstance(before, int | float) or value.replace(".", "").isdigit()
        found[field] = (
            {"true": True, "false": False}.get(value)
            if value in ("true", "false")
            else (float(value) if numbers else value)
        )
    return found


def of(name):
    script, flags, shape, train = RUNS[name]
    words = flags_of(shlex.split(flags))
    return Ground(f"experiments/{script}.py", words, settings_of(script, words), shape, train)


def advised(run):
    return {rule.name: [each["command"] for each in fitting(rule.remedies, run)] for rule in RULES}


@pytest.mark.parametrize("name", RUNS)
def test_every_command_is_one_of_the_project(name):
    run = of(name)
    for commands in advised(run).values():
        for line in commands:
            script, *flags = shlex.split(line)
            assert (ROOT / script).exists(), line
            if "papers" not in script:
                settings = settings_of(Path(script).stem, flags_of(flags))
                assert (Path(script).stem, settings) != (RUNS[name][0], dict(run.settings)), f"{line} changes nothing"


@pytest.mark.science
@pytest.mark.parametrize("name", RUNS)
def test_every_command_trains_on_the_data_of_the_run(name):
    """As far as shapes tell: built, traced and fed; the settings that it gives are read."""
    done = set()
    for line in {line for commands in advised(of(name)).values() for line in commands}:
        script, *flags = shlex.split(line)
        if "papers" in script or line in done:
            continue
        done.add(line)
        found = module(Path(script).stem)
        config = command.read(found.Config, flags)
        layout = parallel.layout("jit", 1)
        rehearsal.rehearse(config, found.build, load.of(config), layout, Path(script), new=True)


@pytest.mark.parametrize(
    ("name", "rule", "first"),
    [
        ("a DCGAN", "mode_collapse", "experiments/r3gan.py --seed 3"),
        ("a relativistic GAN", "mode_collapse", "experiments/dcgan.py --seed 1 --packing 2 --batch-size 128"),
        ("a GAN of points", "dropped_modes", "experiments/papers/modes_2d.py --arms rpgan --data ring8"),
        ("a GAN of points", "vanishing_gradient",
         "experiments/gan.py --data ring8 --width 64 --loss non_saturating"),
        ("a small DCGAN on few examples", "overfitting",
         "experiments/dcgan.py --batch-size 16 --width 8 --augment ada --r1-gamma 1 --no-batch-norm"),
        ("a DCGAN with R1", "overfitting",
         "experiments/dcgan.py --r1-gamma 1 --no-batch-norm --augment diffaugment"),
        ("a beta-VAE", "posterior_collapse", "experiments/vae.py --warm-up 2000 --hyper.beta 1"),
        ("a VAE", "blur", "experiments/sigma_vae.py --image-size 32 --precision bfloat16"),
        ("a plain GAN", "exploding_gradients", "experiments/dcgan.py --clip-norm 1"),
    ],
)  # fmt: skip
def test_what_is_advised_first(name, rule, first):
    assert advised(of(name))[rule][0] == first


def test_what_the_data_rule_out_is_left_out():
    points, few = advised(of("a GAN of points")), advised(of("a small DCGAN on few examples"))
    assert not [line for lines in points.values() for line in lines if "dcgan" in line or "r3gan" in line]
    assert not [line for lines in few.values() for line in lines if "--batch-size 128" in line]
    assert not [line for line in advised(of("a DCGAN"))["dropped_modes"] if "modes_2d" in line or "points" in line]


def test_settings_that_cannot_be_had_together_are_not_advised():
    augmented, run = advised(of("a DCGAN with R1")), of("a DCGAN")
    assert not [line for lines in augmented.values() for line in lines if "--packing" in line]
    packed = run._replace(settings={**run.settings, "packing": 2})
    assert not [line for lines in advised(packed).values() for line in lines if "--augment" in line]
    assert [line for line in advised(run)["overfitting"] if "--augment" in line]


def test_numbers_are_parts_of_what_the_run_has():
    run = of("a plain GAN")
    lines = fitting((Remedy("", "--hyper.lr-generator /4 --steps /2", ""),), run)
    assert lines[0]["command"] == "experiments/gan.py --loss minimax --hyper.lr-generator 0.00025 --steps 1000"


def test_a_run_is_known_by_its_folder(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"data": "digits", "width": 8, "hyper": {"lr": 1e-3}}))
    assert ground(tmp_path) == Ground(settings={"data": "digits", "width": 8, "hyper.lr": 1e-3})
    source = load.of(Config(data="digits"))
    monkeypatch.setattr("sys.argv", ["some where/my gan.py", "--width=8", "--data", "folder:a b", "--run-dir", "x"])
    manifest.start(tmp_path, source, {"generator": 1}, "jit", 1, 0)
    found = ground(tmp_path)
    assert found.script == "some where/my gan.py"
    assert found.flags == (("--width", "8"), ("--data", "'folder:a b'"), ("--run-dir", "x"))
    assert (found.shape, found.train) == ((8, 8, 1), 1442)
    assert fitting((Remedy("", "--hyper.lr /10", ""),), found)[0]["command"].endswith(
        "my gan.py' --width 8 --data 'folder:a b' --hyper.lr 0.0001"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["python", "-m", "gen_jax", "ablate", "experiments/gan.py", "--grid", "width=8,16", "--data", "digits"],
        ["experiments/papers/stacked_mnist.py", "--data-dir", "/a b", "--arms", "dcgan", "--seeds", "3"],
    ],
    ids=["an ablation", "a paper's script"],
)
def test_a_study_s_own_flags_are_none_of_its_runs(words, tmp_path, monkeypatch):
    settings = {"data": "tfds:mnist", "data_dir": "/a b", "width": 8, "hyper": {"lr": 1e-3}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr("sys.argv", words)
    manifest.start(tmp_path, load.of(Config(data="digits")), {"generator": 1}, "jit", 1, 0)
    lines = fitting((Remedy("", "--hyper.lr /10", ""), Remedy("vae.py", "--warm-up 9", "")), ground(tmp_path))
    assert [each["command"] for each in lines] == [
        "--hyper.lr 0.0001",
        "experiments/vae.py --data tfds:mnist --data-dir '/a b' --warm-up 9",
    ]


def test_a_run_from_python_gets_flags_and_its_data(tmp_path):
    run = Ground("", (), {"data": "folder:/a b", "hyper.lr": 1e-3}, IMAGES, 100)
    lines = fitting((Remedy("", "--hyper.lr /10", ""), Remedy("vae.py", "--warm-up 9", "")), run)
    assert [each["command"] for each in lines] == [
        "--hyper.lr 0.0001",
        "experiments/vae.py --data 'folder:/a b' --warm-up 9",
    ]


def test_every_rule_has_something_for_every_family():
    for name in RUNS:
        family = "vae" if "VAE" in name else "gan"
        for rule in {"gan": ["mode_collapse", "dropped_modes", "vanishing_gradient"],
                     "vae": ["posterior_collapse", "exploding_gradients"]}[family]:  # fmt: skip
            if "VAE of points" not in name:
                assert advised(of(name))[rule], (name, rule)


@pytest.mark.parametrize(
    ("script", "helped"),
    [("m1_m2", True), *((name, False) for name in ("vae", "factor_vae", "vae_gan", "dcgan", "wgan"))],
)
def test_gradients_that_explode_are_no_reason_for_another_kind_of_model(script, helped):
    run = Ground(f"experiments/{script}.py", (), settings_of(script, ()), IMAGES, 4000)
    lines = advised(run)["exploding_gradients"]
    assert any("--hyper.lr " in line for line in lines) != (script in ("dcgan", "wgan"))
    assert any("--hyper.lr-second" in line for line in lines) == helped
    game = script in ("dcgan", "wgan")
    assert any(name in line for line in lines for name in ("dcgan.py", "wgan_gp.py")) == game


def test_nothing_is_known_of_a_folder_that_is_none(tmp_path):
    assert ground(tmp_path) == Ground()
    assert remedies.fitting(RULE["blur"].remedies, Ground())[0]["command"] == "experiments/sigma_vae.py"
