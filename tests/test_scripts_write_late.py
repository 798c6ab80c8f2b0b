"""A script that breaks a run on purpose writes nothing before its command line is understood."""

import runpy
import sys
from pathlib import Path

import pytest

from gen_jax.runs import signals

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "experiments" / "failures").glob("*.py"))


@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.stem != "__main__"], ids=lambda path: path.stem)
@pytest.mark.parametrize("flags", [["--no-such-flag"], ["--steps", "-1"]])
def test_a_wrong_flag_writes_nothing(script, flags, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), *flags])
    monkeypatch.syspath_prepend(str(script.parent))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 2
    assert list(tmp_path.rglob("*")) == []
    capsys.readouterr()
    signals.interrupt_again()  # which the script has changed
