"""Checkpoints of a state that is split over devices: each piece written, digested and read alone, for any layout."""

import hashlib
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_states import leaves_equal, make

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.runs import orbax_folder, pieces, state_arrays
from gen_jax.runs.checkpoint import open_checkpoints

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax, after a failed read
WIDTH = 12
TEMPLATE = jax.eval_shape(lambda key: make(key, WIDTH), jax.random.key(0))
FOUR = parallel.layout("sharded", 4, shard_state=True)


def at(step, where=FOUR):
    state = make(jax.random.key(7), WIDTH)
    state = state.replace(step=jnp.int32(step), params=jax.tree.map(lambda x: x + step, state.params))
    return parallel.place_state(state, where)


def write(folder, *steps, where=FOUR):
    with open_checkpoints(folder, split=where.shards) as checkpoints:
        for step in steps:
            checkpoints.save(at(step, where), step)


def restored(folder, where, **options):
    lines = []
    with open_checkpoints(folder, writable=False, split=bool(where and where.shards), warn=lines.append) as checkpoints:
        state, step = checkpoints.restore(TEMPLATE, sharding=where and where.of, **options)
    return state, step, lines


@pytest.mark.parametrize(
    "where",
    [
        FOUR,
        parallel.layout("sharded", 2, shard_state=True),
        parallel.layout("shard_map", 4),
        parallel.layout("jit", 1),
        None,
    ],
    ids=["as it was", "two devices", "whole on four", "one device", "anywhere"],
)
def test_any_layout_reads_what_four_devices_wrote(where, tmp_path):
    write(tmp_path, 1, 2)
    state, step, lines = restored(tmp_path, where)
    assert (step, lines) == (2, [])
    assert leaves_equal(state, at(2))
    assert state.hyper["lr"].weak_type
    if where is not None:
        assert all(leaf.sharding == where.of(leaf) for leaf in jax.tree.leaves(state.params))


def test_a_split_run_goes_on_from_a_whole_checkpoint(tmp_path):
    write(tmp_path, 3, where=parallel.layout("jit", 1))
    state, _, _ = restored(tmp_path, FOUR)
    assert leaves_equal(state, at(3))
    assert not state.params["generator"]["Dense_0"]["kernel"].is_fully_replicated


def test_a_folder_of_any_name_is_read_by_shard_and_whole(tmp_path):
    """Also of one that would be another as a URL."""
    for name in ("a run #1", "50%20", "größer ~"):
        write(tmp_path / name, 1, 2)
        for where in (FOUR, None):
            assert leaves_equal(restored(tmp_path / name, where)[0], at(2)), name


def test_restored_arrays_are_ones_own(tmp_path):
    """A training step writes over them, and the files, read again, are as they were."""
    write(tmp_path, 1)
    double = jax.jit(lambda state: state.replace(params=jax.tree.map(lambda x: 2 * x, state.params)), donate_argnums=0)
    state, _, _ = restored(tmp_path, FOUR)
    double(state)
    assert state.params["generator"]["Dense_0"]["kernel"].is_deleted()
    assert leaves_equal(restored(tmp_path, FOUR)[0], at(1))


def test_the_record_lists_each_value_once_and_its_digest(tmp_path):
    write(tmp_path, 1)
    meta = orbax_folder.meta(tmp_path / "checkpoints", 1)
    whole = dict(zip(("/".join(leaf["path"]) for leaf in meta["leaves"]), state_arrays.take(at(1))[1], strict=True))
    kernel = [piece for piece in pieces.in_order(meta["pieces"]) if meta["leaves"][piece.leaf]["path"][-1] == "kernel"]
    assert [piece.where for piece in kernel[:4]] == [[[0, 4], [start, start + 3]] for start in (0, 3, 6, 9)]
    counted = np.zeros(len(meta["leaves"]), int)
    for piece in pieces.in_order(meta["pieces"]):
        array = whole["/".join(meta["leaves"][piece.leaf]["path"])]
        assert hashlib.sha256(np.ascontiguousarray(array[piece.place]).tobytes()).hexdigest() == piece.digest
        counted[piece.leaf] += array[piece.place].size
    assert counted.tolist() == [array.size for array in whole.values()]


def test_the_digest_is_of_the_values(tmp_path):
    found = {}
    for name, step in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / name, step)
        with open_checkpoints(tmp_path / name, writable=False) as checkpoints:
            found[name] = checkpoints.digest()
    assert found["a"] == found["b"] != found["c"]


TWO = pytest.param(parallel.layout("sharded", 2, shard_state=True), marks=pytest.mark.science)


@pytest.mark.parametrize("where", [FOUR, TWO, None])
def test_no_damage_is_taken_for_what_was_saved(where, tmp_path):
    """A byte of any file changed, or a file cut or gone: an older checkpoint, or an error, or the same values."""
    chance, fell_back = random.Random(0), 0
    write(tmp_path, 1, 2)
    files = sorted(path for path in (tmp_path / "checkpoints/2").rglob("*") if path.is_file())
    assert len(files) > 5
    for path in files:
        before = path.read_bytes()
        for how in ("flip", "cut", "gone"):
            if how == "flip" and before:
                place = chance.randrange(len(before))
                path.write_bytes(before[:place] + bytes([before[place] ^ 0x10]) + before[place + 1 :])
            elif how == "cut":
                path.write_bytes(before[: len(before) // 2])
            else:
                path.unlink(missing_ok=True)
            state, step, lines = restored(tmp_path, where)
            assert leaves_equal(state, at(step)), (path, how)
            assert (step == 1) == (len(lines) == 1)
            fell_back += step == 1
            path.write_bytes(before)
    assert fell_back > 6  # the rest are files that say what a reader knows


def test_another_model_is_refused_by_name(tmp_path):
    write(tmp_path, 1)
    other = jax.eval_shape(lambda key: make(key, WIDTH + 4), jax.random.key(0))
    told = pytest.raises(UserError, match=r"Dense_0/bias is bfloat16\[12\] there and bfloat16\[16\] here")
    with open_checkpoints(tmp_path, writable=False, split=True) as checkpoints, told:
        checkpoints.restore(other, sharding=FOUR.of)


def test_a_later_checkpoint_of_a_given_up_future_goes(tmp_path):
    write(tmp_path, 10, 20)
    write(tmp_path, 15)
    with open_checkpoints(tmp_path, writable=False) as checkpoints:
        assert checkpoints.steps() == [10, 15]


def test_what_cannot_be_read_back_is_not_believed(tmp_path, monkeypatch):
    def damaged(*_):
        raise ValueError("its content does not match its digest")

    with open_checkpoints(tmp_path, split=True) as checkpoints:
        with monkeypatch.context() as broken:
            broken.setattr(pieces, "check", damaged)
            with pytest.raises(UserError, match="was written and cannot be read back"):
                checkpoints.save(at(1), 1)
        checkpoints.save(at(2), 2)
    assert leaves_equal(restored(tmp_path, FOUR)[0], at(2))
