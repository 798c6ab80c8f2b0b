"""Silence is counted by who listens."""

import pytest

from gen_jax.core import vigil


def test_time_in_which_nobody_could_listen_is_no_silence(monkeypatch):
    at = [100.0]
    monkeypatch.setattr(vigil.time, "monotonic", lambda: at[0])
    clock = vigil.Clock()
    for passed, counted in ((vigil.EVERY, vigil.EVERY), (1.5, 1.5), (40.0, 4 * vigil.EVERY)):
        before = clock.now
        at[0] += passed
        assert clock.tick() - before == pytest.approx(counted)
    assert clock.tick() == clock.now
