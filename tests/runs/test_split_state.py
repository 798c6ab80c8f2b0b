"""A state that is split over devices and processes: the same run, its shards written and read by each."""

import json
import signal

import crowd
import jax
import pytest
import toys
from jax import numpy as jnp

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.starting import PROCESS


def test_a_split_state_is_the_same_run_and_another_layout_goes_on(tmp_path):
    """On four devices of this process: up to rounding what one device does, and its checkpoint is anyone's."""
    split, whole = toys.make(tmp_path / "split"), toys.make(tmp_path / "whole")
    asked = {"steps": 3, "backend": "sharded", "devices": 4, "evaluate_every": 3}
    split.train(**asked, shard_state=True)
    whole.train(**asked)
    for left, right in zip(crowd.lines(split.run), crowd.lines(whole.run), strict=True):
        assert left == pytest.approx(right, rel=1e-4, abs=1e-6)
    whole.train(**{**asked, "steps": 4}, shard_state=True)
    assert crowd.steps(whole.run)[-1] == 4


def test_each_leaf_is_split_along_its_largest_side_that_the_devices_divide():
    where = parallel.layout("sharded", 4, shard_state=True)
    shapes = {(6, 8, 16): 2, (16, 8): 0, (3, 12): 1, (3, 5): None, (): None, (0, 4): 1}
    for shape, side in shapes.items():
        spec = where.of(jax.ShapeDtypeStruct(shape, jnp.float32)).spec
        assert (list(spec).index("data") if "data" in spec else None) == side
    assert where.of(jax.random.key(0)).is_fully_replicated
    split = parallel.put(jnp.ones((8, 3)), where.of(jnp.ones((8, 3))))
    assert {shard.data.shape for shard in split.addressable_shards} == {(2, 3)}
    with pytest.raises(UserError, match="--backend sharded"):
        parallel.layout("shard_map", 4, shard_state=True)


@pytest.mark.science
def test_a_state_that_is_split_over_processes_goes_on_in_one(tmp_path):
    """Each process writes its own shards and nothing else, and reads them again."""
    several, one = toys.make(tmp_path / "several"), toys.make(tmp_path / "one")
    asked = {"steps": 3, "backend": "sharded", "evaluate_every": 3}
    sharded = [*crowd.words(several, **asked), "--shard-state"]
    crowd.sane(crowd.Crowd(sharded, 2, 2).ends())
    others = crowd.written_by_others(several.run)
    assert any("/state/ocdbt.process_1/d/" in name for name in others)
    # Beside its shards, what Orbax has a process say of them.
    assert all("/state/ocdbt.process_1" in name or name.endswith("/array_metadatas/process_1") for name in others)
    one.train(**asked, devices=4)
    for left, right in zip(crowd.lines(several.run), crowd.lines(one.run), strict=True):
        assert left == pytest.approx(right, rel=1e-4, abs=1e-6)
    several.train(**{**asked, "steps": 4}, devices=4, shard_state=True)
    crowd.sane(crowd.Crowd([*crowd.words(several, **{**asked, "steps": 5}), "--shard-state"], 2, 2).ends())
    crowd.sane(crowd.Crowd([*crowd.words(several, **{**asked, "steps": 6}), "--shard-state"], 4).ends())
    several.train(**{**asked, "steps": 7}, devices=1)
    assert crowd.steps(several.run)[-1] == 7


@pytest.mark.science
def test_a_split_state_survives_kills_while_its_shards_are_written(tmp_path):
    """Six kills, five of them soon after a save has begun; the same layout goes on, and ends in the same bits."""
    import random
    import time

    chance = random.Random(1)
    asked = {"steps": 300, "steps_per_call": 5, "checkpoint_every": 5, "evaluate_every": 0, "log_every": 20}
    asked |= {"backend": "sharded", "width": 2048, "hyper.lr": 1e-3}
    straight, bench = toys.make(tmp_path / "straight"), toys.make(tmp_path / "killed")
    crowd.sane(crowd.Crowd([*crowd.words(straight, **asked), "--shard-state"], 2, 2).ends())
    saves = bench.run / "checkpoints"
    for kill in range(6):
        started = crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2, GEN_JAX_WAIT="30")
        over = started.started[0].poll
        if kill:
            before = crowd.steps(bench.run)[-1:]
            crowd.wait_for(lambda before=before, over=over: crowd.steps(bench.run)[-1:] > before or over() is not None)
            crowd.wait_for(lambda over=over: any("tmp" in path.name for path in saves.iterdir()) or over() is not None)
        time.sleep(chance.uniform(0, 0.2 if kill else 6.0))
        started.send(kill % 2, signal.SIGKILL)
        crowd.wait_for(lambda s=started: all(p.poll() is not None for p in s.started), 120)
        assert started.ends(5)[kill % 2][0] == -signal.SIGKILL  # it was there to be killed
    assert crowd.steps(bench.run)[-1] < asked["steps"]
    crowd.sane(crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends())
    assert crowd.digest(bench.run) == crowd.digest(straight.run)
    assert crowd.lines(bench.run) == crowd.lines(straight.run)


@pytest.mark.science
def test_damage_that_one_process_finds_is_everyones(tmp_path):
    """Both fall back to the same older checkpoint, though the damaged shard is one's own."""
    bench = toys.make(tmp_path / "toy")
    asked = {"steps": 4, "backend": "sharded", "evaluate_every": 0, "checkpoint_every": 2, "width": 4096}
    crowd.sane(crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends())
    kept = crowd.digest(bench.run, 4)
    for shard in (bench.run / "checkpoints/4/state/ocdbt.process_1").rglob("*"):
        if shard.is_file():
            written = shard.read_bytes()
            shard.write_bytes(written[: len(written) // 2].ljust(len(written), b"\0"))
    ends = crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends()
    assert "the checkpoint of step 4 is damaged" in crowd.sane(ends)[2]
    assert crowd.digest(bench.run, 4) == kept


@pytest.mark.science
@pytest.mark.parametrize("sees", ["[]", "own(folder)[:1]"], ids=["none", "an older one"])
def test_all_go_on_from_what_process_0_sees_of_the_folder(sees, tmp_path):
    """A network disk shows new files late, and to each machine at its own time."""
    bench = toys.make(tmp_path / "toy")
    code = f"""
import os
from gen_jax.core import processes
from gen_jax.runs import orbax_folder
own = orbax_folder.steps
def late(folder):
    return {sees} if processes.index() == 1 else own(folder)
if "SEES_LATE" in os.environ:
    orbax_folder.steps = late
"""
    crowd.before_it_runs(bench.script, code)
    asked = {"steps": 2, "backend": "sharded"}
    crowd.sane(crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends())
    words = [*crowd.words(bench, **{**asked, "steps": 3}), "--shard-state"]
    _, _, err = crowd.sane(crowd.Crowd(words, 2, 2, SEES_LATE="1").ends(60))
    assert "from step 2" in err
    assert crowd.steps(bench.run)[-1] == 3


@pytest.mark.science
@pytest.mark.parametrize("full", [0, 1])
def test_a_disk_that_is_full_for_one_process_is_told_at_once(full, tmp_path):
    """Nobody waits for the process that has failed, and it waits for nobody."""
    bench = toys.make(tmp_path / "toy")
    code = f"""
import os, resource
if os.environ["{PROCESS}"] == "{full}":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""
    crowd.before_it_runs(bench.script, code)
    words = [*crowd.words(bench, backend="sharded", width=4096), "--shard-state"]
    _, _, err = crowd.sane(crowd.Crowd(words, 2, 2).ends(60), 2)
    assert f"error: {'process 1: ' if full else ''}no space left to write a checkpoint" in err.splitlines()[-1]
    assert crowd.steps(bench.run) == []


@pytest.mark.science
def test_what_one_process_cannot_read_back_no_process_takes_for_saved(tmp_path):
    """Also of the last checkpoint, after which nobody would have said more than that the run is complete."""
    bench = toys.make(tmp_path / "toy")
    code = """
from gen_jax.core import processes
from gen_jax.runs import orbax_folder
own = orbax_folder.check_pieces
def check(folder, step, found):
    if processes.index() == 1:
        import time
        time.sleep(2)
        raise ValueError("broken")
    own(folder, step, found)
orbax_folder.check_pieces = check
"""
    crowd.before_it_runs(bench.script, code)
    words = [*crowd.words(bench, steps=1, backend="sharded"), "--shard-state"]
    _, out, err = crowd.sane(crowd.Crowd(words, 2, 2).ends(60), 2)
    assert json.loads((bench.run / "manifest.json").read_text())["status"] == "failed"
    assert "1 step" not in out
    assert "was written and cannot be read back (process 1: ValueError: broken)" in err.splitlines()[-1]


@pytest.mark.science
@pytest.mark.parametrize("where", ["own", "in_order"], ids=["while it writes", "while it reads"])
def test_a_process_whose_disk_stands_still_is_named(where, tmp_path):
    bench = toys.make(tmp_path / "toy")
    code = f"""
import os, time
from gen_jax.core import processes
from gen_jax.runs import pieces
own = pieces.{where}
def hangs(*given):
    if "HANGS" in os.environ and processes.index() == 1:
        time.sleep(1000)
    return own(*given)
pieces.{where} = hangs
"""
    crowd.before_it_runs(bench.script, code)
    asked = {"steps": 1, "backend": "sharded"}
    if where == "in_order":
        crowd.sane(crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends())
    words = [*crowd.words(bench, **{**asked, "steps": 2}), "--shard-state"]
    started = crowd.Crowd(words, 2, 2, HANGS="1", GEN_JAX_LATE="5")
    crowd.wait_for(lambda: started.started[0].poll() is not None, 60)
    started.started[1].kill()
    status, _, err = started.ends(10)[0]
    assert status == 1
    assert err.splitlines()[-1].startswith("error: process 1 (on ")
    assert "it hangs" in err.splitlines()[-1]
