"""A stranger's run: whatever needs its model refuses to execute its script in one line, and `--trust` executes it."""

import json
from pathlib import Path

import pytest
from endings import assert_one_line, contents, ending

from gen_jax import api
from gen_jax.runs import folder, trust
from gen_jax.runs.settings import to_json
from gen_jax.studies.launch import Job, work
from gen_jax.verbs.evaluate import evaluate
from gen_jax.verbs.export import export
from gen_jax.verbs.info import info
from gen_jax.verbs.interpolate import interpolate
from gen_jax.verbs.latents import latents
from gen_jax.verbs.reconstruct import reconstruct
from gen_jax.verbs.reproduce import reproduce
from gen_jax.verbs.sample import sample
from gen_jax.verbs.traverse import traverse

SCRIPT = """
from pathlib import Path
Path(__file__).with_name("executed").touch()
from gen_jax import experiment
class Config(experiment.Config): pass
def build(config, data): raise LookupError("built")
"""
VERBS = {
    "info": lambda run, trust: info(run, digest=True, trust=trust),
    "export": lambda run, trust: export(run, run.parent / "exported", trust=trust),
    "reproduce": lambda run, trust: reproduce(run, trust=trust),
    "load": lambda run, trust: api.load(run, trust=trust),
    **{verb.__name__: lambda run, trust, verb=verb: verb(run, trust=trust) for verb in (
        sample, reconstruct, interpolate, traverse, latents, evaluate,
    )},
}  # fmt: skip


@pytest.fixture(autouse=True)
def unknown(tmp_path, monkeypatch):
    """A cache that knows no script."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(trust, "_HERE", set())


@pytest.fixture
def run(tmp_path):
    from gen_jax import experiment

    path = tmp_path / "run"
    path.mkdir()
    settings = to_json(experiment.Config(data="digits"))
    (path / "config.json").write_text(json.dumps({"format": folder.FORMAT, **settings}))
    (path / "experiment.py").write_text(SCRIPT)
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_rebuilds_asks_first(verb, run, capsys):
    before = contents(run)
    status, _, err = ending(lambda: VERBS[verb](run, False), capsys)
    assert_one_line(status, err, str(run / "experiment.py"), "--trust")
    assert contents(run) == before


def test_trusted_it_is_executed(run):
    with pytest.raises(LookupError, match="built"):
        VERBS["sample"](run, True)
    assert (run / "executed").exists()
    assert not list(Path(run.parent, "cache").rglob("scripts/*"))  # and is a stranger's still


def test_modules_beside_it_are_looked_at_as_well(run, capsys):
    """The script is the checkout's, what it would import is not."""
    (run / "experiment.py").write_bytes((Path(__file__).parents[2] / "experiments" / "vae.py").read_bytes())
    (run / "code").mkdir()
    (run / "code" / "jax.py").write_text("raise SystemExit('hijacked')")
    status, _, err = ending(lambda: VERBS["info"](run, False), capsys)
    assert_one_line(status, err, str(run / "code" / "jax.py"), "--trust")


def test_a_worker_asks_and_one_that_was_sent_does_not(run, capsys):
    study = {"experiment": "x.py", "settings": to_json_of(run), "grid": {}, "seeds": 1, "baseline": "base"}
    (run / "study.json").write_text(json.dumps(study))
    status, _, err = ending(lambda: work(Job(str(run), ("base",), "auto", None)), capsys)
    assert_one_line(status, err, str(run / "experiment.py"), "--trust")
    assert not (run / "executed").exists()
    with pytest.raises(LookupError, match="built"):
        work(Job(str(run), ("base",), "auto", None, trusted=True))
    assert (run / "executed").exists()


def to_json_of(run):
    return {name: value for name, value in json.loads((run / "config.json").read_text()).items() if name != "format"}
