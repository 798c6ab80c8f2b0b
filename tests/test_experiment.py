"""Which script a run keeps: the one that ran, however its `Config` and `build` came about."""

import runpy
import sys

import pytest
import toys

from gen_jax.runs import local_code, scripts, train
from gen_jax.runs.opened import open_state

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
    for name in ("toy", "parts", "runner", "mine", "mine.deep"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield bench
    local_code.importable({})
    for name in ("toy", "parts", "runner", "mine", "mine.deep"):
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
    local_code.importable(code)
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
