"""Which script a run keeps: the one that ran, however its `Config` and `build` came about."""

import importlib
import runpy
import sys

import pytest
import toys

from gen_jax import api
from gen_jax.core.errors import UserError
from gen_jax.runs import executed, executing, local_code, scripts, train
from gen_jax.runs.opened import open_state
from gen_jax.studies import ablation

MAIN = '\nif __name__ == "__main__":\n    experiment.main(Config, build)\n'
HEAD = "from dataclasses import dataclass\nfrom gen_jax import experiment\n"
OWN = "@dataclass(frozen=True, kw_only=True)\nclass Config(Base):\n    note: str = 'own'\n"
WRITTEN = {
    "build of another file": HEAD + "from toy import Config as Base, build\n" + OWN + MAIN,
    "both of another file": HEAD + "from toy import Config, build\n" + MAIN,
    "a partial build": HEAD
    + "import functools\nfrom toy import Config, build as general\nbuild = functools.partial(general)\n"
    + MAIN,
    "a decorated build": HEAD
    + "import functools\nfrom toy import Config, build as inner\n"
    + "@functools.wraps(inner)\ndef build(*a):\n    return inner(*a)\n"
    + MAIN,
    "no guard before main": HEAD + "from toy import Config, build\nexperiment.main(Config, build)\n",
    "a main of its own": HEAD
    + "from toy import Config, build\nimport runner\n"
    + MAIN.replace("experiment.main", "runner.go"),
}
WRONG = {
    "another name of Config": HEAD + "from toy import Config as Mine, build\nexperiment.main(Mine, build)\n",
    "a lambda": HEAD + "from toy import Config, build\nexperiment.main(Config, lambda *a: build(*a))\n",
}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    bench = toys.make(tmp_path)
    (tmp_path / "runner.py").write_text("from gen_jax import experiment\ndef go(*a):\n    experiment.main(*a)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("toy", "parts", "runner", "mine", "mine.deep", "computed", "later"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield bench
    executing.importable({})
    for name in ("toy", "parts", "runner", "mine", "mine.deep", "computed", "later"):
        sys.modules.pop(name, None)


def started(bench, text, monkeypatch):
    script = bench.folder / "sub.py"
    script.write_text(text)
    flags = {"data": f"folder:{bench.pictures}", "run_dir": bench.run, **toys.ASKED}
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    monkeypatch.setattr(sys, "argv", [str(script), *words])
    runpy.run_path(str(script), run_name="__main__")
    return script


@pytest.mark.parametrize("name", WRITTEN)
def test_the_script_that_ran_is_kept(name, bench, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "train", lambda config, build, script: seen.append(script))
    script = started(bench, WRITTEN[name], monkeypatch)
    assert seen == [script]
    code = local_code.of(script)
    assert {"code/toy.py", "code/parts.py"} <= set(code)
    executing.importable(code)
    monkeypatch.setattr(sys, "argv", ["verb"])
    assert callable(scripts.load(script).build)


def test_and_its_run_is_opened_by_it(bench, monkeypatch):
    started(bench, WRITTEN["build of another file"], monkeypatch)
    opened = open_state(bench.run)
    assert (opened.config.note, opened.step) == ("own", 2)


@pytest.mark.parametrize("name", WRONG)
def test_what_verbs_could_not_find_again_is_one_line(name, bench, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        started(bench, WRONG[name], monkeypatch)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "what its script calls `Config` and `build`" in line
    assert not bench.run.exists()


# ---- files that are edited while they run ----------------------------------------------------------------------------
EDITS = """import importlib
from pathlib import Path
from gen_jax import experiment
from toy import Config, build as inner
HERE = Path({folder!r})
computed = importlib.import_module("comp" + "uted")
def build(*a):
    for name in ("sub.py", "parts.py", "computed.py"):
        if (HERE / name).exists():
            (HERE / name).write_text((HERE / name).read_text() + "# edited\\n")
    importlib.import_module("la" + "ter")
    return inner(*a)
"""


@pytest.mark.parametrize("how", ["python SCRIPT", "gen_jax.train", "a study"])
def test_what_was_executed_is_kept_whatever_the_files_say_by_then(how, bench, monkeypatch, capsys):
    text = EDITS.format(folder=str(bench.folder)) + MAIN
    script = bench.folder / "sub.py"
    for name, content in {"sub.py": text, "computed.py": "K = 1\n", "later.py": "K = 2\n"}.items():
        (bench.folder / name).write_text(content)
    before = {name: (bench.folder / name).read_text() for name in ("sub.py", "parts.py", "computed.py", "later.py")}
    flags = {"data": f"folder:{bench.pictures}", **toys.ASKED}
    if how == "python SCRIPT":
        started(bench, text, monkeypatch)
    elif how == "gen_jax.train":
        api.train(script, flags, bench.run)
    else:
        study = ablation.Ablation(experiment=script, study_dir=bench.run, seeds=1, settings=flags)
        ablation.run(study, say=lambda line: None)
    runs = [path.parent for path in bench.run.rglob("manifest.json")]
    for folder in {bench.run, *runs}:
        there = {name: folder / ("experiment.py" if name == "sub.py" else f"code/{name}") for name in before}
        kept = {name: path.read_text() for name, path in there.items()}
        assert kept == before
    assert f"{script} was edited since this command read it" in capsys.readouterr().err
    for name in ("computed.py", "later.py"):
        (bench.folder / name).unlink()
    for run in runs:  # where the computed names are found, too
        assert open_state(run).step == 2


@pytest.mark.parametrize(
    ("edit", "refused"), [("K = 1", True), ("# a comment", False), ("def f(): pass", True), ("(", True)]
)
def test_a_script_that_is_edited_before_it_says_main_is_refused(edit, refused, bench, monkeypatch, capsys):
    monkeypatch.setattr(train, "train", lambda *asked: None)
    text = HEAD + "from pathlib import Path\nfrom toy import Config, build\npath = Path(__file__)\n"
    text += f"path.write_text({edit!r} + chr(10) + path.read_text())\n" + MAIN
    if not refused:
        started(bench, text, monkeypatch)
        return
    with pytest.raises(SystemExit) as end:
        started(bench, text, monkeypatch)
    assert end.value.code == 2
    assert "was edited while it started; give the command again" in capsys.readouterr().err


def test_modules_are_held_as_they_are_imported(bench, monkeypatch):
    monkeypatch.setattr(executed, "HELD", {})
    monkeypatch.setattr(executed, "_WATCHER", executed._Watcher())
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    executed.watch()
    path = bench.folder / "mine" / "deep.py"
    importlib.import_module("mine.deep")
    path.write_text("SIZE = 4\n")
    assert executed.HELD[path.resolve()] == b"SIZE = 3\n"
    assert not any("gen_jax/" in str(path) for path in executed.HELD)


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("profile.py", "import profile", True),
        ("profile/__init__.py", "import profile", True),
        ("statistics.py", "from statistics import mean", True),
        ("optax.py", "import optax", True),
        ("optax/__init__.py", "import optax", False),  # a checkout
        ("profile.py", "import calendar", False),
        ("time.py", "import time", False),  # which is built in
        ("gen_jax.py", "import gen_jax", False),
    ],
)
def test_a_helper_named_as_pythons_own_module_is_refused(name, text, refused, tmp_path):
    script, helper = tmp_path / "own.py", tmp_path / name
    helper.parent.mkdir(exist_ok=True)
    helper.write_text("K = 1\n")
    script.write_text(f"def build():\n    {text}\n")
    if not refused:
        assert list(local_code.of(script)) == ["experiment.py"]
        return
    with pytest.raises(UserError, match=f"^{helper} has the name of"):
        local_code.of(script)


def test_a_script_in_a_package_has_siblings_of_other_names(tmp_path, monkeypatch):
    """As `python -m mine.own` starts it; started by its path, its folder is where Python looks first."""
    script, helper = tmp_path / "mine" / "own.py", tmp_path / "mine" / "types.py"
    script.parent.mkdir()
    for path, text in ((script, "import types\n"), (helper, "K = 1\n"), (script.with_name("__init__.py"), "")):
        path.write_text(text)
    assert list(local_code.of(script)) == ["experiment.py"]
    monkeypatch.syspath_prepend(script.parent)
    with pytest.raises(UserError, match=f"^{helper} has the name of"):
        local_code.of(script)


@pytest.mark.parametrize(("text", "line"), [("K = 1\n", 0), ("K = 1\nK = open(__file__)\n", 2), ("(", 0)])
def test_a_script_that_reads_beside_itself_is_told(text, line, tmp_path, capsys):
    script = tmp_path / "own.py"
    script.write_text(text)
    executing.own(local_code.of(script))
    said = f"own.py, line {line} uses __file__: a run folder keeps code alone"
    assert (said in capsys.readouterr().err) == bool(line)
