"""Doing things beside the training: the same order in a thread as at once, copies of a state, failures that arrive."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from gen_jax.core.types import State
from gen_jax.runs import train as train_
from gen_jax.runs.checkpoint import open_checkpoints
from gen_jax.runs.exits import Diverged
from gen_jax.runs.watching import aside as aside_
from gen_jax.runs.watching.aside import aside
from gen_jax.studies.study import load_script

ROOT = Path(__file__).parents[2]


def state_of(value):
    empty = {name: {} for name in ("params", "stats", "opt", "ema", "hyper", "aux")}
    return State(step=jnp.int32(value), key=jax.random.key(value), **empty)


@pytest.mark.parametrize("threaded", [False, True])
def test_things_happen_in_their_order(threaded):
    seen = []
    with aside(threaded) as beside:
        for number in range(4):
            beside.do(lambda n=number: (time.sleep(0.002 * (4 - n)), seen.append(n)))
            beside.look(state_of(number), lambda state: seen.append(int(state.step) + 10))
    assert seen == [0, 10, 1, 11, 2, 12, 3, 13]


def test_a_look_keeps_what_is_overwritten():
    advance = jax.jit(lambda state: state.replace(step=state.step + 1), donate_argnums=0)
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def see(state):
        begun.set()
        go_on.wait(10)
        seen.append((int(state.step), jax.random.key_data(state.key).tolist()))

    with aside(True) as beside:
        state = state_of(3)
        beside.look(state, see)
        begun.wait(10)
        state = jax.block_until_ready(advance(state))
        go_on.set()
    assert seen == [(3, [0, 3])]
    assert int(state.step) == 4


@pytest.mark.parametrize("threaded", [False, True])
def test_a_failure_stops_what_follows_and_arrives(threaded):
    done = []

    def fail():
        raise Diverged("it did")

    with pytest.raises(Diverged, match="it did"), aside(threaded) as beside:
        beside.do(done.append, 1)
        beside.do(fail)
        beside.do(done.append, 2)
        beside.wait()
    assert done == [1]


def test_leaving_with_an_error_ends_what_has_begun_and_no_more():
    done, begun = [], threading.Event()
    with pytest.raises(KeyError), aside(True) as beside:
        beside.do(lambda: (begun.set(), time.sleep(0.05), done.append(1)))
        beside.do(done.append, 2)
        begun.wait(10)
        raise KeyError
    assert done == [1]


def test_a_run_is_the_same_either_way(monkeypatch, tmp_path):
    script = ROOT / "experiments" / "gan.py"
    config_type, build = load_script(script)
    numbers = {"log_every": 2, "evaluate_every": 4, "sample_every": 4, "checkpoint_every": 4, "steps_per_call": 3}
    found = {}
    for threaded in (False, True):
        monkeypatch.setattr(train_, "platform", SimpleNamespace(accelerated=lambda threaded=threaded: threaded))
        run = tmp_path / str(threaded)
        config = config_type(run_dir=run, data="ring8", width=8, depth=1, batch_size=16, steps=10, devices=1, **numbers)
        train_.train(config, build, script)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        values = [{name: v for name, v in line.items() if name not in ("seconds", "crc32")} for line in lines]
        with open_checkpoints(run, writable=False) as checkpoints:
            found[threaded] = values, checkpoints.steps(), checkpoints.digest()
        assert len(list((run / "samples").glob("*.png"))) == 4  # of steps 0, 4, 8 and 10
    assert found[True] == found[False]


def test_a_state_that_is_split_over_devices_is_not_copied(monkeypatch, tmp_path):
    """It is split because it fills them."""
    script = ROOT / "experiments" / "gan.py"
    config_type, build = load_script(script)
    monkeypatch.setattr(train_, "platform", SimpleNamespace(accelerated=lambda: True))
    monkeypatch.setattr(aside_, "_copy", lambda state: pytest.fail("it was copied"))
    numbers = {"evaluate_every": 2, "checkpoint_every": 2, "steps": 2, "width": 8, "depth": 1, "batch_size": 16}
    split = {"backend": "sharded", "devices": 4, "shard_state": True}
    train_.train(config_type(run_dir=tmp_path / "run", data="ring8", **numbers, **split), build, script)
    with open_checkpoints(tmp_path / "run", writable=False) as checkpoints:
        assert checkpoints.steps() == [2]
