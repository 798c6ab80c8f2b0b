"""Names of JAX's private modules: one, and what becomes of several processes in a version of JAX that moves it."""

import re
from pathlib import Path

import pytest
from jax._src import distributed

from gen_jax.core import processes
from gen_jax.core.errors import UserError

ROOT = Path(__file__).parents[2]


def test_there_is_one_place():
    code = [path for room in ("gen_jax", "experiments", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    found = [str(path.relative_to(ROOT)) for path in code if re.search(r"\bjax\._src\b", path.read_text())]
    assert found == ["gen_jax/core/processes.py"]


class Client:
    """What gen_jax asks of the client that `jax.distributed` makes, as jaxlib has it."""

    key_value_set = blocking_key_value_get = key_value_dir_get = key_value_delete = wait_at_barrier = print


def test_the_client_that_jaxlib_makes_has_what_is_asked_of_it():
    """This fails first where a new jaxlib renames what several processes say to each other by."""
    found = distributed.State.__annotations__ if hasattr(distributed.State, "__annotations__") else {}
    assert "client" in found or hasattr(distributed.State, "client")
    from jaxlib import _jax

    kind = _jax.DistributedRuntimeClient
    assert [name for name in processes._ASKED if not hasattr(kind, name)] == []


@pytest.mark.parametrize("breaks", ["moved", "renamed"])
def test_another_version_of_jax_is_told_in_one_line(breaks, monkeypatch):
    client = Client() if breaks == "moved" else object()
    monkeypatch.setattr(distributed.global_state, "client", client)
    if breaks == "moved":
        monkeypatch.delattr(distributed, "global_state")
    with pytest.raises(UserError, match="key-value store where several processes do not find it") as told:
        processes._joined()
    assert ("global_state" if breaks == "moved" else "key_value_set") in str(told.value)
    assert "\n" not in str(told.value)
