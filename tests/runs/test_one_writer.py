"""Of several processes one writes: what a signal ends before a round leaves the manifest to the leader."""

import pytest

from gen_jax.core import processes
from gen_jax.runs import manifest, train


@pytest.mark.parametrize(("leader", "written"), [(True, ["stopped"]), (False, [])])
def test_a_run_that_ends_before_a_round(leader, written, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(processes, "leader", lambda: leader)
    monkeypatch.setattr(manifest, "finish", lambda run_dir, status, *why: found.append(status))
    said = train._stopped_before_a_round(tmp_path, 7)
    assert "at step 7" in said
    assert found == written
