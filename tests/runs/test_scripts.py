"""A script that cannot be executed is named in one line; whose it is decides whether it is executed at all."""

import os
from pathlib import Path

import pytest
from endings import assert_one_line, ending

from gen_jax.core.errors import UserError
from gen_jax.runs import scripts, trust

SOUND = "class Config: pass\ndef build(config, data): pass\n"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def build(:\n", ["line 1", "no Python"]),
        ("x = 1\n  y = 2\n", ["line 2", "no Python"]),
        (SOUND[: len(SOUND) // 2] + "(", ["no Python"]),
        ("x = '\x00'", ["no Python"]),
        (b"x = '\xff\xfe'\n", ["no Python"]),
        ("(" * 5000, ["no Python"]),
        ("", ["no `Config`"]),
        ("class Config: pass\n", ["no `build`"]),
        ("\nimport no_such_module_anywhere\n", ["line 2", "no_such_module_anywhere", "install it"]),
        ("from math import no_such_name\n", ["line 1", "no_such_name"]),
        ("import sys\n\nsys.exit(0)\n", ["line 3", "sys.exit"]),
        ("raise SystemExit\n", ["line 1", "ends the program"]),
        ("x = [\n1 / 0]\n", ["line 2", "ZeroDivisionError"]),
        ("def f(): return f()\nf()\n", ["RecursionError"]),
        ("x = undefined\n", ["line 1", "NameError", "undefined"]),
        ("raise Exception('a\\n\\x1b[2Jb')\n", ["line 1", r"a \x1b[2Jb"]),
    ],
)
def test_broken_scripts_end_as_one_line(text, words, tmp_path, capsys):
    script = tmp_path / "experiment.py"
    script.write_bytes(text if isinstance(text, bytes) else text.encode())
    status, out, err = ending(lambda: scripts.load(script), capsys)
    assert_one_line(status, err, str(script), *words)
    assert out == ""


def test_other_files_are_no_scripts(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    for name, words in {"none.py": "No such file", "folder.py": "Is a directory", "pipe.py": "is a pipe"}.items():
        with pytest.raises(UserError, match=f"cannot read .*{words}"):
            scripts.load(tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is no Python file"):
        scripts.load(tmp_path / "config.json")


def test_annotations_given_as_text_find_their_names(tmp_path):
    """What the script defines is looked up in it later, when its dataclasses are read."""
    import typing

    (tmp_path / "a.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Hyper: x: int = 1\n"
        "@dataclass\nclass Config:\n    hyper: Hyper\ndef build(config, data): pass\n"
    )
    config = scripts.load(tmp_path / "a.py").Config
    assert typing.get_type_hints(config)["hyper"].__name__ == "Hyper"


def test_a_compiled_file_beside_it_is_not_what_is_executed(tmp_path):
    import importlib.util
    import marshal

    script = tmp_path / "experiment.py"
    script.write_text(SOUND)
    compiled = Path(importlib.util.cache_from_source(str(script)))
    compiled.parent.mkdir()
    state = script.stat()
    header = importlib.util.MAGIC_NUMBER + (0).to_bytes(4, "little") + int(state.st_mtime).to_bytes(4, "little")
    evil = compile("raise RuntimeError('executed')", str(script), "exec")
    compiled.write_bytes(header + state.st_size.to_bytes(4, "little") + marshal.dumps(evil))
    assert scripts.load(script).build is not None


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A user's cache that knows nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(trust, "_HERE", set())
    return tmp_path / "cache" / "gen_jax" / "scripts"


def test_only_this_checkouts_scripts_and_ones_own_are_executed(cache, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(SOUND)
    with pytest.raises(UserError, match=r"mine\.py would be executed.*--trust"):
        trust.require(tmp_path, [mine])
    assert trust.require(tmp_path, [mine], trusted=True) == [mine.read_bytes()]
    assert not cache.exists()  # looking at a stranger's run makes nobody's script one's own

    copy = tmp_path / "experiment.py"
    copy.write_bytes((ROOT / "experiments" / "dcgan.py").read_bytes())
    assert trust.require(tmp_path, [copy])
    copy.write_bytes(copy.read_bytes() + b"\n")
    with pytest.raises(UserError, match="neither a script of this checkout"):
        trust.require(tmp_path, [copy])

    trust.record([mine.read_bytes()])
    trust._HERE.clear()  # another process
    assert trust.require(tmp_path, [mine])
    with pytest.raises(UserError, match=r"experiment\.py"):  # every one of several
        trust.require(tmp_path, [mine, copy])


def test_a_cache_that_others_can_write_says_nothing(cache, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(SOUND)
    trust.record([mine.read_bytes()])
    trust._HERE.clear()
    cache.chmod(0o777)
    with pytest.raises(UserError, match="--trust"):
        trust.require(tmp_path, [mine])
    cache.chmod(0o700)
    assert trust.require(tmp_path, [mine])


def test_a_cache_that_cannot_be_written_costs_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setattr(trust, "_HERE", set())
    mine = tmp_path / "mine.py"
    mine.write_text(SOUND)
    trust.record([mine.read_bytes()])
    assert "--trust" in capsys.readouterr().err
    assert trust.require(tmp_path, [mine])  # this process knows
    trust._HERE.clear()
    with pytest.raises(UserError, match="--trust"):
        trust.require(tmp_path, [mine])


def test_links_in_a_run_folder_are_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="checkpoints is a link to .*elsewhere"):
        trust.refuse_links(tmp_path, ["samples", "checkpoints"])
