"""Checkpoints: what is restored is what was saved, whatever happened to the files in between."""

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disk import files_no_larger_than
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from small_states import leaves_equal, make

from gen_jax.core.errors import UserError
from gen_jax.core.types import State
from gen_jax.runs import state_arrays
from gen_jax.runs.checkpoint import digest, open_checkpoints

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax, after a failed read


@jax.jit
def advance(state: State) -> State:
    params = jax.tree.map(lambda x: x * 1.5 + 1, state.params)
    return state.replace(step=state.step + 1, params=params)


donated = jax.jit(lambda state: advance(state), donate_argnums=0)
TEMPLATE = jax.eval_shape(make, jax.random.key(0))


def at(step: int) -> State:
    state = make(jax.random.key(7))
    for _ in range(step):
        state = advance(state)
    return state


def write(folder, *steps, **options):
    with open_checkpoints(folder, **options) as checkpoints:
        for step in steps:
            checkpoints.save(at(step), step)


def restored(folder, template=TEMPLATE, **options):
    lines = []
    with open_checkpoints(folder, writable=False, warn=lines.append) as checkpoints:
        state, step = checkpoints.restore(template, **options)
    return state, step, lines


def test_round_trip_keeps_every_bit_type_and_weakness(tmp_path):
    write(tmp_path, 1, 2)
    state, step, lines = restored(tmp_path)
    assert step == 2
    assert lines == []
    assert leaves_equal(state, at(2))
    assert jax.tree.map(lambda x: x.aval, state) == jax.tree.map(lambda x: x.aval, at(2))
    assert state.hyper["lr"].weak_type
    np.testing.assert_array_equal(jax.random.normal(state.key, (3,)), jax.random.normal(jax.random.key(7), (3,)))


def test_nothing_there(tmp_path):
    with open_checkpoints(tmp_path, writable=False) as checkpoints:
        assert checkpoints.steps() == []
        with pytest.raises(UserError, match="no checkpoint yet"):
            checkpoints.restore(TEMPLATE)
    assert list(tmp_path.iterdir()) == []  # looking creates nothing


def test_digest_is_sha256_of_path_dtype_shape_and_bytes():
    state = State(
        step=jnp.asarray(3, jnp.int32), key=jax.random.key(5), params={"g": {"w": jnp.ones((1, 2))}}, stats={}, opt={},
        ema={}, hyper={}, aux={},
    )  # fmt: skip
    by_hand = hashlib.sha256()
    by_hand.update(b"step int32 () ()\n" + (3).to_bytes(4, "little"))
    by_hand.update(b"key key<fry> () (2,)\n" + (0).to_bytes(4, "little") + (5).to_bytes(4, "little"))
    by_hand.update(b"params/g/w float32 (1, 2) (1, 2)\n" + bytes.fromhex("0000803f0000803f"))
    assert digest(state) == by_hand.hexdigest()
    assert digest(state.replace(params={"g": {"w": jnp.ones((2, 1))}})) != digest(state)
    assert digest(state.replace(params={"d": {"w": jnp.ones((1, 2))}})) != digest(state)
    assert digest(state.replace(key=jax.random.key(6))) != digest(state)


def test_recorded_digest_is_that_of_the_state(tmp_path):
    write(tmp_path, 1, 2)
    with open_checkpoints(tmp_path, writable=False) as checkpoints:
        assert checkpoints.digest() == digest(at(2))
        assert checkpoints.digest(1) == digest(at(1))


def big_state(step: int) -> State:
    return at(step).replace(params={"generator": {"w": jnp.arange(500_000.0)}})


def where_it_lies(state: State) -> int:
    return state.params["generator"]["w"].unsafe_buffer_pointer()


def test_donating_right_after_an_asynchronous_save(tmp_path):
    state, sums = big_state(0), {}
    with open_checkpoints(tmp_path, keep=6) as checkpoints:
        for step in range(1, 7):
            before, place = state, where_it_lies(state)
            state = donated(state)
            if step == 1 or jax.version.__version_info__ < (0, 11):  # jaxlib 0.11 gives nothing away that a save reads
                assert before.params["generator"]["w"].is_deleted()
                assert where_it_lies(state) == place  # the step really wrote over what the save may still be reading
            sums[step] = hashlib.sha256(np.array(state.params["generator"]["w"]).tobytes()).hexdigest()
            checkpoints.save(state, step)
    template = jax.eval_shape(lambda: state)
    for step, expected in sums.items():
        kept = restored(tmp_path, template, step=step)[0].params["generator"]["w"]
        assert hashlib.sha256(np.asarray(kept).tobytes()).hexdigest() == expected


def test_training_goes_on_before_anything_is_written(tmp_path, monkeypatch):
    gate, true = threading.Event(), state_arrays.digest_of
    monkeypatch.setattr(state_arrays, "digest_of", lambda *a: gate.wait(60) and true(*a))
    with open_checkpoints(tmp_path) as checkpoints:
        state = at(3)
        checkpoints.save(state, 3)
        jax.block_until_ready(donated(state))
        assert checkpoints.steps() == []
        gate.set()
        checkpoints.wait()
        assert checkpoints.steps() == [3]
    assert leaves_equal(restored(tmp_path)[0], at(3))


def test_runs_that_save_at_once_do_not_write_into_each_others_folders(tmp_path):
    """As the runs of one program do, in one process: Orbax mixed them up, and most were lost."""
    folders, steps = [tmp_path / f"run{number}" for number in range(8)], range(1, 4)
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open_checkpoints(folder)) for folder in folders]
        for step in steps:
            for checkpoints in opened:
                checkpoints.save(at(step), step)
    for folder in folders:
        state, step, _ = restored(folder)
        assert step == steps[-1]
        assert leaves_equal(state, at(step))


def test_a_failure_before_writing_is_told_by_the_next_save(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_checkpoints(tmp_path) as checkpoints:
        with monkeypatch.context() as broken:
            broken.setattr(state_arrays, "digest_of", full)
            checkpoints.save(at(1), 1)
            with pytest.raises(UserError, match="no space left to write a checkpoint"):
                checkpoints.save(at(2), 2)
        checkpoints.save(at(3), 3)
    assert leaves_equal(restored(tmp_path)[0], at(3))


def test_restored_arrays_can_be_donated(recwarn):
    for sharding in (None, replicated(1)):
        _, arrays = state_arrays.take(big_state(0))
        arrays = [aligned(array) for array in arrays]  # such arrays the CPU backend would borrow, and never donate
        state = state_arrays.rebuild(jax.eval_shape(lambda: big_state(0)), arrays, sharding)
        place = where_it_lies(state)
        after = donated(state)
        assert state.params["generator"]["w"].is_deleted()
        assert where_it_lies(after) == place
        assert leaves_equal(after, advance(big_state(0)))
    assert not [w for w in recwarn if "donated" in str(w.message)]


def aligned(array: np.ndarray) -> np.ndarray:
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def replicated(count):
    mesh = jax.make_mesh((count,), ("data",), devices=jax.devices()[:count], axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec())


@pytest.mark.parametrize(("there", "here"), [(4, 1), (1, 4), (4, 2)])
def test_continues_on_another_number_of_devices(tmp_path, there, here):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(jax.device_put(at(3), replicated(there)), 3)
    state, _, _ = restored(tmp_path, sharding=replicated(here))
    assert leaves_equal(state, at(3))
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state)} == {here}


def test_keeps_the_last_two_and_the_best(tmp_path):
    values = {1: 2.0, 2: 9.0, 3: float("nan"), 4: None, 5: 3.0, 6: float("inf"), 7: 1.0}
    with open_checkpoints(tmp_path, best_metric="elbo", lower_is_better=False) as checkpoints:
        for step, value in values.items():
            if step == 5:
                break
            checkpoints.save(at(0), step, None if value is None else {"elbo": value})
    with open_checkpoints(
        tmp_path, best_metric="elbo", lower_is_better=False
    ) as checkpoints:  # a resumed run still knows which was best
        for step in (5, 6, 7):
            checkpoints.save(at(0), step, {"elbo": values[step], "other": 0.0})
        checkpoints.wait()
        assert checkpoints.steps() == [2, 6, 7]
        assert checkpoints.best_step() == 2
    with open_checkpoints(tmp_path / "low", best_metric="loss") as checkpoints:
        for step, value in enumerate([2.0, 1.0, 3.0, 4.0]):
            checkpoints.save(at(0), step, {"loss": value})
        checkpoints.wait()
        assert checkpoints.steps() == [1, 2, 3]


def damages():
    def truncate(path):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def flip(path):
        content = bytearray(path.read_bytes())
        if content:
            content[len(content) // 2] ^= 0x10
        path.write_bytes(bytes(content))

    return [truncate, flip, Path.unlink]


@pytest.mark.parametrize("damage", damages(), ids=["truncated", "flipped", "missing"])
def test_any_damaged_file_is_noticed_or_harmless(tmp_path, damage):
    write(tmp_path / "sound", 1, 2)
    names = sorted(
        p.relative_to(tmp_path / "sound") for p in (tmp_path / "sound/checkpoints/2").rglob("*") if p.is_file()
    )
    assert len(names) > 5
    fell_back = []
    for number, name in enumerate(names):
        run = tmp_path / f"run{number}"
        shutil.copytree(tmp_path / "sound", run)
        damage(run / name)
        state, step, lines = restored(run)
        assert leaves_equal(state, at(step)), name
        assert len(lines) == (step == 1), (name, lines)
        assert all("\n" not in line and "step 2" in line for line in lines)
        fell_back.append(step == 1)
        if step == 1 and number % 3 == 0:  # and the run goes on from there, over the damaged one
            write(run, 2)
            assert restored(run)[1:] == (2, [])
    assert sum(fell_back) >= 3


def test_content_of_another_step_is_noticed_by_the_digest_alone(tmp_path):
    """The files are whole and consistent, so only the digest can tell."""
    write(tmp_path, 1, 2)
    shutil.rmtree(tmp_path / "checkpoints/2/state")
    shutil.copytree(tmp_path / "checkpoints/1/state", tmp_path / "checkpoints/2/state")
    _, step, lines = restored(tmp_path)
    assert step == 1
    assert len(lines) == 1
    assert "does not match its digest" in lines[0]


def test_damage_without_anything_older_is_an_error(tmp_path):
    write(tmp_path, 1, 2)
    for step in (1, 2):
        for part in (tmp_path / f"checkpoints/{step}/state").rglob("*"):
            if part.is_file():
                part.write_bytes(b"")
    with pytest.raises(UserError, match="no sound one is left"):
        restored(tmp_path)
    with pytest.raises(UserError, match=r"step 2 is damaged .*; there is step 1"):
        restored(tmp_path, step=2)
    with pytest.raises(UserError, match="no checkpoint of step 5; it has steps 1, 2"):
        restored(tmp_path, step=5)


def test_a_later_checkpoint_of_a_given_up_future_goes(tmp_path):
    write(tmp_path, 10, 20)
    write(tmp_path, 15)
    with open_checkpoints(tmp_path, writable=False) as checkpoints:
        assert checkpoints.steps() == [10, 15]


def test_another_model_is_named_by_its_first_leaf(tmp_path):
    write(tmp_path, 1)
    wider = jax.eval_shape(lambda key: make(key, width=5), jax.random.key(0))
    with pytest.raises(UserError, match=r"params/generator/Dense_0/bias is bfloat16\[3\] there and bfloat16\[5\] here"):
        restored(tmp_path, wider)
    with pytest.raises(UserError, match=r"it has params/generator/.* where this one has params/critic"):
        restored(tmp_path, TEMPLATE.replace(params={"critic": TEMPLATE.params["generator"]}))
    with pytest.raises(UserError, match="aux/z is missing there"):
        restored(tmp_path, TEMPLATE.replace(aux={**TEMPLATE.aux, "z": TEMPLATE.step}))
    with pytest.raises(UserError, match="aux/nothing is only there"):
        restored(tmp_path, TEMPLATE.replace(aux={k: v for k, v in TEMPLATE.aux.items() if k != "nothing"}))
    other = jax.eval_shape(make, jax.random.key(0, impl="rbg"))
    with pytest.raises(UserError, match=r"key is key<fry>\[\] there and key<rbg>\[\] here"):
        restored(tmp_path, other)


def test_a_full_disk_is_one_line_and_earlier_checkpoints_stay(tmp_path, capfd):
    """A limit on the file size is refused by the kernel in the same place as a full disk."""
    noise = jax.random.normal(jax.random.key(0), (200_000,))
    state = at(1).replace(aux={"noise": noise})
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state, 1)
        checkpoints.wait()
        with files_no_larger_than(100_000):
            checkpoints.save(state, 2)  # fails in its thread
            with pytest.raises(UserError, match=r"no space left .* kept \(step 1\)") as caught:
                checkpoints.wait()
        assert "\n" not in str(caught.value)
        assert checkpoints.steps() == [1]
        checkpoints.save(state, 3)  # once there is room again, the same folder goes on
    template = jax.eval_shape(lambda: state)
    assert restored(tmp_path, template)[1] == 3
    with open_checkpoints(tmp_path) as checkpoints:  # what the failed save left is cleaned up
        checkpoints.save(state, 4)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["3", "4"]
    assert "Traceback" not in capfd.readouterr().err


def test_a_failed_save_does_not_hide_why_the_block_was_left(tmp_path):
    lines, state = [], at(1).replace(aux={"noise": jax.random.normal(jax.random.key(0), (200_000,))})

    def interrupted():
        with files_no_larger_than(100_000), open_checkpoints(tmp_path, warn=lines.append) as checkpoints:
            checkpoints.save(state, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(lines) == 1
    assert "no space left" in lines[0]


def test_read_only_leaves_a_save_under_way_alone(tmp_path):
    write(tmp_path, 1)
    under_way = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    under_way.mkdir()
    (under_way / "part").write_bytes(b"half")
    assert restored(tmp_path)[1] == 1
    assert (under_way / "part").exists()
    with open_checkpoints(tmp_path, writable=False) as checkpoints, pytest.raises(ValueError, match="writable=False"):
        checkpoints.save(at(3), 3)
    write(tmp_path, 2)  # a run that continues there cleans up
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["1", "2"]


KILLED = """
    import sys, jax
    from test_checkpoint import at
    from gen_jax.runs.checkpoint import open_checkpoints
    with open_checkpoints(sys.argv[1]) as checkpoints:
        step = 0
        while True:
            step += 1
            noise = jax.numpy.full(3_000_000, 1.0 * step)
            checkpoints.save(at(1).replace(step=jax.numpy.int32(step), aux={"noise": noise}), step)
            print(step, flush=True)
"""


def test_killed_while_saving(tmp_path):
    """SIGKILL at several moments of an endless series of saves: the newest finished one is whole every time."""
    paths = [str(folder) for folder in Path(__file__).parents[:3]]  # tests/runs, tests, and the package's own
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    template, newest = None, 0
    for moment in (0.0, 0.013, 0.031):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        begun = [int(process.stdout.readline()) for _ in range(4)][-1]  # the save of step 4 is under way
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        begun = max([begun, *map(int, process.stdout.read().split())])
        template = jax.eval_shape(lambda: at(1).replace(aux={"noise": jnp.zeros(3_000_000)}))
        state, newest, lines = restored(tmp_path, template)
        assert lines == []
        assert newest >= begun - 1  # the save before had finished, for the next one waits for it
        assert int(state.step) == newest
        np.testing.assert_array_equal(state.aux["noise"], np.full(3_000_000, newest, np.float32))
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(at(0), newest + 1)
    assert all(p.name.isdecimal() for p in (tmp_path / "checkpoints").iterdir())
