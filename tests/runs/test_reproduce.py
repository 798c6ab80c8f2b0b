"""`reproduce`: bitwise where it should be, and otherwise what is off and why."""

import json
import math
import shutil
from pathlib import Path

import pytest

from gen_jax.core.errors import UserError
from gen_jax.runs import log, reproduce
from gen_jax.runs.train import train
from gen_jax.studies import plan, study
from gen_jax.verbs.reproduce import reproduce as verb

ROOT = Path(__file__).parents[2]
GAN = ROOT / "experiments" / "gan.py"
SETTINGS = {
    "data": "digits", "steps": 8, "width": 4, "depth": 1, "latent_size": 4, "batch_size": 16, "backend": "jit",
    "devices": 1, "steps_per_call": 4, "log_every": 2, "sample_every": 0, "evaluate_every": 4, "checkpoint_every": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config_type, build = study.load_script(GAN)
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train(plan.replace(config_type(), {**SETTINGS, "run_dir": folder}), build, GAN)


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "copy"))


def edit(run, change):
    """Other settings, as a forger makes them: in config.json and where the manifest has them again."""
    settings, manifest = (json.loads((run / name).read_text()) for name in ("config.json", "manifest.json"))
    for each in (settings, manifest["sittings"][-1]["identity"]["settings"]):
        change(each)
    (run / "config.json").write_text(json.dumps(settings))
    (run / "manifest.json").write_text(json.dumps(manifest))


def test_the_same_machine_gives_the_same_bits(run, capsys):
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    verb(run)
    out = capsys.readouterr().out
    assert "bitwise equal" in out
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_changed_hyperparameter_is_named(copy, capsys):
    before = (copy / "manifest.json").read_bytes()
    edit(copy, lambda settings: settings["hyper"].update(lr_generator=1e-3))
    forged = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(before)
    with pytest.raises(
        UserError, match=r"config.json is not as it was .*: hyper.lr_generator is 0.0002 there and 0.001"
    ):
        verb(copy, json=True)
    (copy / "manifest.json").write_bytes(forged)
    with pytest.raises(SystemExit) as end:
        verb(copy, json=True)
    assert end.value.code == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["bitwise"] is False
    assert found["leaves"][0] == "hyper/lr_generator: 0.0002 there, 0.001 here"
    assert not any("lr_discriminator" in line for line in found["leaves"])
    assert found["deviations"]["loss/generator"] > 0


def test_a_tampered_metric_is_seen_although_the_state_is_the_same(copy):
    path = copy / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    line = log.parse(lines[1])
    name = next(key for key in line if key.startswith("loss/"))
    line[name] += 0.25
    lines[1] = log.encode(line)  # with a checksum that fits
    path.write_bytes(b"\n".join(lines) + b"\n")
    verdict = reproduce.reproduce(copy)
    assert verdict.same_digest
    assert not verdict.same_stream
    assert verdict.deviations[name] == pytest.approx(0.25)
    assert {n for n, value in verdict.deviations.items() if value} == {name}


def test_tolerance_decides_the_exit_status(copy):
    edit(copy, lambda settings: settings["hyper"].update(lr_generator=1e-3))
    verdict = reproduce.reproduce(copy)
    before, again = verdict.finals["loss/generator"]
    off = abs(again - before)
    assert off > 0
    verb(copy, metric="loss/generator", tolerance=off * 1.01)
    with pytest.raises(SystemExit) as end:
        verb(copy, metric="loss/generator", tolerance=off * 0.99)
    assert end.value.code == 1


def test_another_place_is_described(run):
    record = json.loads((run / "manifest.json").read_text())
    other = json.loads(json.dumps(record))
    sitting = other["sittings"][0]
    sitting["versions"]["jax"] = "0.9.0"
    sitting["flags"]["XLA_FLAGS"] = "--xla_something"
    sitting["platform"]["cpu_features"] = ["avx", "amx_tile"]
    sitting["platform"]["devices"] = ["NVIDIA H100"]
    record["sittings"][0]["platform"]["cpu_features"] = ["avx", "avx512f"]
    found = "\n".join(reproduce.places(other, record))
    assert "versions.jax: 0.9.0 there" in found
    assert "flags.XLA_FLAGS: --xla_something there" in found
    assert "cpu_features: amx_tile only there, avx512f only here" in found
    assert "platform.devices: ['NVIDIA H100'] there" in found
    assert reproduce.places(record, record) == []


@pytest.mark.science
def test_a_run_that_was_stopped_and_continued_reproduces(tmp_path):
    config_type, build = study.load_script(GAN)
    folder = tmp_path / "run"
    short = plan.replace(config_type(), {**SETTINGS, "steps": 3, "run_dir": folder})
    train(short, build, GAN)
    train(plan.replace(short, {"steps": 8}), build, GAN)
    assert reproduce.reproduce(folder).bitwise


def test_deviations_by_hand():
    before = [{"step": 1, "a": 1.0, "b": None}, {"step": 2, "a": 2.0, "b": 1.0}]
    again = [{"step": 1, "a": 1.5, "b": None}, {"step": 2, "a": 1.75, "b": None}, {"step": 3, "a": 9.0}]
    assert reproduce.deviations(before, again) == {"a": 0.5, "b": math.inf}


def test_mistakes_are_one_line(run, tmp_path):
    with pytest.raises(UserError, match=r"no metric loss/generatr; it has .*loss/generator"):
        verb(run, metric="loss/generatr")
    with pytest.raises(UserError, match="a --metric that it is for"):
        verb(run, tolerance=0.1)
    with pytest.raises(UserError, match="no run folder"):
        verb(tmp_path)
