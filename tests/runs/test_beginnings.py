"""The first second of a run and the last: whenever it ends, the same command goes on, and nothing half-done stays."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import toys

from gen_jax.core.errors import UserError
from gen_jax.runs import checkpoint, files, folder, orbax_noise, paths
from gen_jax.runs.exits import Interrupted
from gen_jax.runs.opened import open_state
from gen_jax.runs.signals import Signals
from gen_jax.runs.watching import watch


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    bench = toys.make(tmp_path_factory.mktemp("begun"))
    bench.train()
    return bench


@pytest.fixture
def bench(trained, tmp_path):
    """Script, data and a finished run."""
    return trained.copy(tmp_path / "bench")


@pytest.fixture
def new(bench):
    """Script and data alone."""
    shutil.rmtree(bench.run)
    return bench


# ---- what a process left that was killed before its first step -------------------------------------------------------
def settings(bench, **changes):
    bench.run.mkdir()
    folder.write_config(bench.run, bench.config(**changes)[0])


def put(bench, name, content=b""):
    path = bench.run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


SHELLS = {
    "checkpoints, empty": lambda b: (b.run / "checkpoints").mkdir(parents=True),
    "a checkpoint being written": lambda b: put(b, "checkpoints/2.orbax-checkpoint-tmp-1/state/x"),
    "a temporary file": lambda b: put(b, ".config.json.abc.tmp", b"{"),
    "the script alone": lambda b: put(b, "experiment.py", b.script.read_bytes()),
    "settings alone": lambda b: settings(b),
    "settings of another command": lambda b: settings(b, width=9),
    "all that comes before a step": lambda b: (settings(b), put(b, "metrics.jsonl"), put(b, "samples/step_0.png")),
}
KEPT = {
    "a person's script": lambda b: put(b, "experiment.py", b"mine"),
    "a person's file": lambda b: put(b, "thesis.tex", b"mine"),
    "a person's checkpoints": lambda b: put(b, "checkpoints/model.ckpt", b"mine"),
    "settings that are not ours": lambda b: put(b, "config.json", b'{"model": "bert"}'),
}


@pytest.mark.parametrize("name", SHELLS)
def test_what_is_no_run_yet_is_begun_anew(name, new):
    SHELLS[name](new)
    config, _ = new.config()
    assert not folder.check(new.run, config, new.script)


def test_and_ends_as_one_that_was_begun_once(new, trained):
    settings(new, width=9)
    (new.run / "checkpoints").mkdir()
    put(new, ".manifest.json.abc.tmp", b"{")
    new.train()
    assert open_state(new.run).config.width == 3
    assert digest(new) == digest(trained)
    assert not list(new.run.glob(".*"))


@pytest.mark.parametrize("name", KEPT)
def test_what_is_somebodys_is_refused_and_untouched(name, new):
    KEPT[name](new)
    before = new.contents()
    with pytest.raises(UserError):
        new.train()
    assert new.contents() == before


def test_linked_checkpoints_are_refused_and_their_target_untouched(new, trained):
    target = new.folder / "target"
    shutil.copytree(trained.run / "checkpoints", target)
    new.run.mkdir()
    (new.run / "checkpoints").symlink_to(target)
    with pytest.raises(UserError, match="is a link to"):
        new.train()
    assert sorted(path.name for path in target.iterdir()) == ["1", "2"]


def digest(bench):
    with checkpoint.open_checkpoints(bench.run, writable=False) as checkpoints:
        return checkpoints.digest()


class Killed(BaseException):
    """What no handler of the run's own catches."""


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 8])
def test_killed_at_any_of_its_first_writes_the_same_command_goes_on(number, new, trained, monkeypatch):
    """A file is written beside and renamed over: the process ends just before the n-th renaming."""
    left, rename = [number], os.replace

    def once(source, target):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        if left[0] > 0:
            rename(source, target)

    monkeypatch.setattr(files.os, "replace", once)
    monkeypatch.setattr(files.os, "unlink", lambda path: None)  # nor is anything cleaned up
    with pytest.raises(Killed):
        new.train()
    monkeypatch.undo()
    new.train()
    assert digest(new) == digest(trained)
    assert open_state(new.run).step == 2
    assert not [path for path in new.run.rglob(".*") if path.name.endswith(".tmp")]


# ---- what is missing -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["experiment.py", "code/parts.py", "config.json"])
def test_what_is_missing_is_written_again(name, bench, capsys):
    before = (bench.run / name).read_bytes()
    (bench.run / name).unlink()
    bench.train()  # finished, so that this is all that there is to do
    assert (bench.run / name).read_bytes() == before
    assert f"{bench.run / name} was gone and is written again" in capsys.readouterr().err
    assert open_state(bench.run).step == 2


def test_without_its_manifest_a_run_goes_on_as_far_as_its_script_is_the_same(bench):
    (bench.run / "manifest.json").unlink()
    bench.script.write_text(bench.script.read_text() + "# changed\n")
    with pytest.raises(UserError, match="other code: experiment.py"):
        bench.train(steps=3)
    with pytest.raises(UserError, match="data is "):
        bench.train(steps=3, data="digits")


def test_temporary_files_go_and_those_of_a_verb_at_work_stay(bench):
    put(bench, ".manifest.json.abc.tmp")
    put(bench, "samples/.step_1.png.abc.tmp")
    put(bench, ".report.html.abc.tmp")
    put(bench, ".evaluation.json.abc.tmp")
    os.utime(bench.run / ".report.html.abc.tmp", (0, 0))
    bench.train()
    assert [path.name for path in bench.run.rglob(".*")] == [".evaluation.json.abc.tmp"]


# ---- checkpoints -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["run[1]", "a]b", "s*", "wh?t", "back\\slash"])
@pytest.mark.parametrize("where", ["itself", "parent"])
def test_paths_that_checkpoints_cannot_be_kept_under_are_refused(name, where, new):
    run = new.folder / name if where == "itself" else new.folder / name / "run"
    before = sorted(new.folder.iterdir())
    with pytest.raises(UserError, match="checkpoints cannot be kept under a path with") as refusal:
        new.train(run_dir=run)
    assert str(new.folder) in str(refusal.value)
    assert sorted(new.folder.iterdir()) == before


def test_a_checkpoint_that_cannot_be_read_back_is_told_at_once(new, monkeypatch, capsys):
    """Under such a path Orbax merges nothing, warns, and goes on: the warning is seen, and the save not believed."""
    for module in (folder.paths, checkpoint):
        monkeypatch.setattr(module, "refuse_patterns", lambda path: None)
    orbax_noise._TOLD.clear()
    with pytest.raises(UserError, match="step 1 in .* was written and cannot be read back"):
        new.train(run_dir=new.folder / "run[1]")
    assert "checkpoints: " in capsys.readouterr().err


@pytest.mark.parametrize("spoil", ["index", "meta"])
def test_every_save_is_looked_at(spoil, new, monkeypatch):
    """Also those after the first of a sitting, which is read back whole."""
    finished = checkpoint.Checkpoints._finished

    def spoilt(self):
        finished(self)
        for path in (self.folder / "2").glob("state/manifest.ocdbt" if spoil == "index" else "meta/*"):
            path.write_bytes(b"")

    monkeypatch.setattr(checkpoint.Checkpoints, "_finished", spoilt)
    with pytest.raises(UserError, match="step 2 in .* was written and cannot be read back"):
        new.train(steps=4)


# ---- measures that fail ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [np.linalg.LinAlgError("no convergence"), ValueError("x"), MemoryError()])
def test_a_measure_that_fails_costs_nothing_but_itself(error, new, monkeypatch, capsys):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(watch.heldout, "means", fail)
    new.train(evaluate_every=1)
    assert open_state(new.run).step == 2
    assert json.loads((new.run / "manifest.json").read_text())["status"] == "complete"
    told = [line for line in capsys.readouterr().err.splitlines() if "the evaluation failed" in line]
    assert len(told) == 2
    assert type(error).__name__ in told[0]


def test_and_what_the_person_has_to_mend_is_raised_after_the_checkpoint(new, monkeypatch):
    def fail(*arguments):
        raise UserError("no space left")

    monkeypatch.setattr(watch.heldout, "means", fail)
    with pytest.raises(UserError, match="no space left"):
        new.train(evaluate_every=1)
    assert open_state(new.run).step == 1


# ---- signals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_each_signal_saves_and_says_which_it_was(name, new, request):
    number = getattr(signal, name)
    # As in a terminal: under `nohup`, or in the background of a script, some are ignored, and the run lets them be.
    listening = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    request.addfinalizer(functools.partial(signal.signal, number, signal.signal(number, listening)))
    begun = new.run / "metrics.jsonl"

    def send():
        while not (begun.exists() and begun.stat().st_size):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()
    with pytest.raises(Interrupted, match=r"saved step \d+ in .*; the same command continues") as end:
        new.train(steps=10**5, steps_per_call=1, log_every=1, checkpoint_every=0)
    assert end.value.status == 128 + number
    assert open_state(new.run).step > 0
    assert json.loads((new.run / "manifest.json").read_text())["status"] == "stopped"
    assert signal.getsignal(number) == listening


@pytest.mark.parametrize("theirs", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "somebody else's"])
def test_a_signal_that_is_spoken_for_stays_so(theirs):
    before = signal.signal(signal.SIGUSR1, theirs)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGUSR1, before)


IMPORTING = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, wherever this test runs
from gen_jax import experiment
os.kill(os.getpid(), signal.SIGINT)
print("went on")
"""
ORPHAN = """
import os, subprocess, sys, time
if len(sys.argv) > 1:
    from gen_jax.runs.signals import end_with
    end_with(int(sys.argv[1]))
    print("ready", flush=True)
    time.sleep(600)
child = subprocess.Popen([sys.executable, __file__, str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
os._exit(9)
"""


def python(text, place, **options):
    place.write_text(text)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, str(place)], env=env, capture_output=True, text=True, timeout=120, **options)


def test_ctrl_c_while_a_script_imports_is_one_line(tmp_path):
    done = python(IMPORTING, tmp_path / "script.py")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_worker_ends_with_its_parent(tmp_path):
    """`run` waits until nobody holds the pipe of standard error any more: the parent, and the worker that it left."""
    done = python(ORPHAN, tmp_path / "parent.py")
    assert done.returncode == 9


def test_data_are_named_by_whole_paths(tmp_path):
    named = toys.within(tmp_path, lambda: [paths.resolved_spec(s) for s in ("folder:a", "stacked:npz:b.npz", "tfds:x")])
    assert named == [f"folder:{tmp_path / 'a'}", f"stacked:npz:{tmp_path / 'b.npz'}", "tfds:x"]
