"""Wrong calls that people made: each is refused in one line that names what is wrong, and costs nothing."""

import runpy
import shutil
import sys
from pathlib import Path

import jax
import pytest
from endings import assert_one_line, contents, ending

from gen_jax.__main__ import _run as verbs
from gen_jax.core.errors import UserError
from gen_jax.runs import memory, rehearsal, scripts
from gen_jax.runs.train import train

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation_here():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


EXPERIMENTS = [
    ("gan", "--steps 0", "--steps 0: give a whole number from 1"),
    ("gan", "--log-every 0", "--log-every 0"),
    ("gan", "--log-every -1", "--log-every -1"),
    ("gan", "--checkpoint-every -1", "from 0"),
    ("gan", "--sample-every -5", "from 0"),
    ("gan", "--evaluate-every -5", "from 0"),
    ("gan", "--steps-per-call 0", "from 1"),
    ("gan", "--steps-per-call -3", "from 1"),
    ("gan", "--steps-per-call 1000000000", "to 1000000"),
    ("gan", "--resident-gib nan", "finite number 0 or more"),
    ("gan", "--resident-gib inf", "finite number 0 or more"),
    ("gan", "--resident-gib -1", "number 0 or more"),
    ("gan", "--seed 1180591620717411303424", "to 4294967295"),
    ("gan", "--seed 4294967296", "to 4294967295"),
    ("gan", "--seed -1", "from 0"),
    ("gan", "--width 0", "from 1"),
    ("gan", "--width -4", "from 1"),
    ("gan", "--latent-size 0", "from 1"),
    ("gan", "--latent-size 1000000000", "to 1000000"),
    ("gan", "--latent-size 1000000000000", "to 1000000"),
    ("gan", "--image-size 1000000", "--image-size 1000000"),
    ("gan", "--image-size 65000", "--image-size 65000: a batch of 64 such images does not fit"),
    ("gan", "--max-nonfinite 0", "from 1"),
    ("gan", "--max-nonfinite -1", "from 1"),
    ("gan", "--hyper.lr-generator nan", "finite"),
    ("gan", "--hyper.lr-generator inf", "finite"),
    ("gan", "--hyper.lr-discriminator -1", "0 or more"),
    ("gan", "--hyper.lr-discriminator 1e39", "of size"),
    ("gan", "--hyper.b1 2", "from 0 and below 1"),
    ("gan", "--hyper.b1 -1", "from 0 and below 1"),
    ("gan", "--hyper.ema-decay 1.5", "from 0 and below 1"),
    ("gan", "--hyper.ema-decay -1", "from 0 and below 1"),
    ("gan", "--track-samples 3", "from 10 to 50000"),
    ("gan", "--steps abc", "--steps abc: give a whole number"),
    ("gan", "--steps 1.5", "--steps 1.5: give a whole number"),
    ("gan", "--hyper.b1 x", "--hyper.b1 x: give a number"),
    ("gan", "--loss hinged", "invalid choice 'hinged' for argument '--loss'"),
    ("gan", "--latent-siz 4", "--latent-size"),
    ("gan", "--steps", "--steps"),
    ("vae", "--hyper.beta nan", "finite"),
    ("vae", "--hyper.beta -1", "0 or more"),
    ("vae", "--sigma 0", "above 0"),
    ("dcgan", "--label-smoothing 7", "from 0 and below 1"),
    ("dcgan", "--instance-noise -1", "0 or more"),
    ("dcgan", "--instance-noise nan", "finite"),
    ("dcgan", "--minibatch-stddev 0", "from 2"),
    ("dcgan", "--top-k 0", "from 1"),
    ("dcgan", "--top-k -3", "from 1"),
    ("dcgan", "--packing 0", "from 1"),
    ("dcgan", "--clip-norm 0", "above 0"),
    ("dcgan", "--clip-norm nan", "above 0"),
    ("dcgan", "--r1-gamma -1", "0 or more"),
    ("dcgan", "--r1-gamma nan", "0 or more"),
    ("dcgan", "--dropout 1", "from 0 and below 1"),
    ("wavegan", "", "give --data wav:DIR"),
    ("tvae", "", "give --data table:PATH"),
    ("ctgan", "", "give --data table:PATH"),
    ("gan", "--data cifar10", "give tfds:cifar10"),
    ("gan", "--track FID", "did you mean fd?"),
    ("dcgan", "--data ring8", "for points there are experiments/gan.py"),
    ("sngan", "--data ring8", "for points there are experiments/gan.py"),
    ("stylegan2", "--data ring8", "for points there are experiments/gan.py"),
    ("r3gan", "--data ring8", "for points there are experiments/gan.py"),
    ("vq_vae", "--data ring8", "for points there are experiments/gan.py"),
    ("flow_matching", "--data ring8", "for points there are experiments/gan.py"),
    ("conv_vae", "--data ring8", "as experiments/vae_points.py does"),
]


@pytest.mark.parametrize(("script", "flags", "words"), EXPERIMENTS, ids=lambda value: str(value)[:40])
def test_an_experiment(script, flags, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "host", lambda: 64.0 * 2**30)
    path = str(ROOT / "experiments" / f"{script}.py")
    monkeypatch.setattr(sys, "argv", [path, *flags.split()])
    status, out, err = ending(lambda: runpy.run_path(path, run_name="__main__"), capsys)
    assert_one_line(status, err, words)
    assert not out
    assert not list(tmp_path.iterdir())


ABLATE = [
    ("--memory-gib -1", "--memory-gib -1.0: give a number above 0"),
    ("--steps 0", "--steps 0"),
    ("--seeds 0", "--seeds 0"),
    ("--seed 4294967295 --seeds 2", "--seeds 2: give a whole number from 1 to 1"),
    ("--grid hyper.lr_generator=nan,1", "--grid hyper.lr_generator: nan: give a finite number 0 or more"),
    ("--grid lr=1,2", "did you mean hyper.lr_generator or hyper.lr_discriminator?"),
    ("--grid width=8,0", "--grid width: 0: give a whole number from 1"),
    ("--grid width=8 --metric nosuch", "--metric nosuch: no run of this study will have it"),
    ("--grid width=8 --evaluate-every 0 --metric held_out/elbo", "--metric held_out/elbo: no run"),
]


@pytest.mark.parametrize(("flags", "words"), ABLATE)
def test_ablate(flags, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    common = ["--data", "digits", "--batch-size", "16", "--width", "8"]
    call = ["ablate", str(ROOT / "experiments" / "gan.py"), "--study-dir", "study", *common, *flags.split()]
    status, _, err = ending(lambda: verbs(call), capsys)
    assert_one_line(status, err, words)
    assert not list(tmp_path.iterdir())


FILE_FOR_RUN = [
    f"{verb} FILE"
    for verb in (
        "info",
        "report",
        "diagnose",
        "sample",
        "reconstruct",
        "interpolate",
        "traverse",
        "latents",
        "complete",
        "evaluate",
        "score",
        "audit",
        "reproduce",
        "compare FILE",
        "export --out x",
    )
]


@pytest.mark.parametrize("call", FILE_FOR_RUN)
def test_a_file_where_a_run_is_meant(call, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("notes.md").touch()
    status, _, err = ending(lambda: verbs(call.replace("FILE", "notes.md").split()), capsys)
    assert_one_line(status, err, "notes.md is a file; give a run folder")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


LAUNCH = [
    ("--processes 2 experiments/dcgan.py --steps 3", "put -- before the script: launch --processes 2 -- experiments"),
    ("--processes 2", "what to run?"),
    ("--processes 2 -- nowhere.py", "nowhere.py is no file"),
]


@pytest.mark.parametrize(("call", "words"), LAUNCH)
def test_launch(call, words, capsys):
    status, _, err = ending(lambda: verbs(["launch", *call.split()]), capsys)
    assert_one_line(status, err, words)


# ---- of a run that is there ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model that encodes, decodes and samples, told no labels; two latent dimensions. Begun after a mistake."""
    folder = tmp_path_factory.mktemp("run") / "run"
    wrong_first(folder, 1)
    assert not folder.exists()
    return trained(folder, 1)


def trained(folder, steps, **more):
    path = ROOT / "experiments" / "vae2d.py"
    module = scripts.load(path)
    return train(module.Config(**SMALL, steps=steps, run_dir=folder, **more), module.build, path)


def wrong_first(folder, steps):
    """A mistake that is found as late as one of settings can be."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(memory, "machine", lambda: 2.0**22)
        small.setattr(rehearsal, "PROBES", 1)
        with pytest.raises(UserError, match="--steps-per-call 1000000: training needs"):
            trained(folder, steps, steps_per_call=10**6)


SMALL = {"data": "digits", "width": 8, "batch_size": 16, "warm_up": 0, "sample_every": 0, "evaluate_every": 0}
OF_A_RUN = [
    ("sample RUN --count 1000000000", "to 1000000"),
    ("sample RUN --count 900000", "--count 900000 needs at least"),
    ("sample RUN --count 0", "from 1"),
    ("sample RUN --seed 1180591620717411303424", "--seed"),
    ("sample RUN --label 3", "--label 3: this model is not told labels"),
    ("sample RUN --label 99", "--label 99"),
    ("sample RUN --label=-1", "--label -1"),
    ("sample RUN --step -1", "--step -1"),
    ("interpolate RUN --label 99", "--label 99"),
    ("interpolate RUN --label 3", "--label 3: this model is not told labels"),
    ("interpolate RUN --label=-1", "--label -1"),
    ("interpolate RUN --pairs 100000000", "to 10000"),
    ("interpolate RUN --pairs 10000 --frames 10000", "--pairs 10000 needs at least"),
    ("interpolate RUN --frames 1", "from 2"),
    ("traverse RUN --frames 1000000000", "to 10000"),
    ("traverse RUN --extent nan", "finite"),
    ("traverse RUN --extent inf", "finite"),
    ("traverse RUN --example -1", "--example -1"),
    ("traverse RUN --dimensions 0", "--dimensions 0"),
    ("latents RUN --coverage 1", "above 0 and below 1"),
    ("latents RUN --coverage nan", "above 0 and below 1"),
    ("latents RUN --frames 10000", "--frames 10000 needs at least"),
    ("reconstruct RUN --count 0", "from 1"),
    ("reconstruct RUN --count 900000", "test has"),
    ("reproduce RUN --tolerance nan", "finite"),
    ("reproduce RUN --tolerance -1", "0 or more"),
    ("reproduce RUN --metric nosuch", "nosuch"),
    ("evaluate RUN --samples 10000000000", "to 1000000"),
    ("evaluate RUN --samples 1000000 --metrics kid", "--samples 1000000 needs at least"),
    ("evaluate RUN --nll-samples 10000000000", "to 1000000"),
    ("evaluate RUN --nll-examples 0", "from 1"),
    ("evaluate RUN --repeats 0", "from 1"),
    ("evaluate RUN --repeats 1000000", "to 1000"),
    ("evaluate RUN --seed -1", "from 0"),
    ("evaluate RUN --features nosuch --metrics fd", "nosuch"),
    ("evaluate RUN --sampler nosuch --metrics kid", "nosuch"),
    ("evaluate RUN --metrics nosuch", "nosuch"),
    ("evaluate RUN --features inception", "--features inception needs the network's weights"),
    ("evaluate RUN --features inception --metrics held_out", "--features inception needs the network's weights"),
    ("evaluate RUN --metrics FID", "did you mean fd?"),
    ("evaluate RUN --step abc", "--step abc"),
    ("info RUN --digest --step -1", "from 0"),
]


@pytest.mark.parametrize(("call", "words"), OF_A_RUN, ids=lambda value: str(value)[:50])
def test_a_verb(call, words, run, monkeypatch, capsys):
    monkeypatch.setattr(memory, "host", lambda: 2.0**27)
    monkeypatch.setattr(memory, "machine", lambda: 2.0**27)
    before = contents(run)
    status, _, err = ending(lambda: verbs([str(run) if word == "RUN" else word for word in call.split()]), capsys)
    assert_one_line(status, err, words)
    assert contents(run) == before


def test_a_mistake_costs_nothing_and_the_corrected_command_runs_in_its_place(run, tmp_path):
    there = Path(shutil.copytree(run, tmp_path / "there"))
    before = contents(there)
    wrong_first(there, 2)
    assert contents(there) == before
    trained(there, 2)
