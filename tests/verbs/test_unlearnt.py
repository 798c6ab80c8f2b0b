"""What a verb draws for a class without training examples comes with a line that says so."""

import dataclasses
from types import SimpleNamespace

import pytest
from evaluation_subjects import CONFIG, gan, made, weights

from gen_jax.verbs import interpolate, traverse


@pytest.mark.parametrize(
    ("module", "options", "told"),
    [
        (interpolate, {"label": "0", "pairs": 2}, False),
        (interpolate, {"label": "1", "pairs": 2}, True),
        (interpolate, {"pairs": 2}, True),  # classes in turn
        (traverse, {"example": 0}, False),  # of class 0
        (traverse, {"example": 1}, True),
    ],
)
def test_a_class_that_was_never_learnt_is_named(monkeypatch, tmp_path, capsys, module, options, told):
    source = dataclasses.replace(made(), counts=(200, 0))
    state = SimpleNamespace(params=weights().params, stats={}, ema={}, ema_stats={})
    opened = SimpleNamespace(algorithm=gan(conditional=True), source=source, state=state, step=1, config=CONFIG)
    monkeypatch.setattr(module, "open_state", lambda *_: opened)
    verb = getattr(module, module.__name__.rpartition(".")[2])
    verb(tmp_path, frames=2, out=tmp_path / "a.png", **options)
    assert ("no training examples of class 1" in "".join(capsys.readouterr())) == told
    assert (tmp_path / "a.png").exists()
