"""Resident and streamed batches are the same bits, on every layout, from any step."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from gen_jax.core.errors import UserError
from gen_jax.data import feed, source

N, M, B, SEED = 50, 3, 8, 11


def images(size: int = N) -> source.Source:
    random = np.random.RandomState(0)
    arrays = {
        "x": random.randint(0, 256, (size, 4, 5, 3)).astype(np.uint8),
        "label": np.arange(size, dtype=np.int32),
    }
    return source.from_arrays("noise", arrays, {key: a[:5] for key, a in arrays.items()}, size)


def points() -> source.Source:
    arrays = {"x": np.random.RandomState(0).standard_normal((N, 2)).astype(np.float32)}
    return source.from_arrays("cloud", arrays, arrays, None)


def resident_round(data, step):
    arrays = feed.resident(data.train)
    return jax.jit(lambda seed, step: feed.fetch(arrays, seed, step, M, B))(SEED, step)


def rounds_of(split, start, stop, **options):
    """One stream's rounds, as they are streamed."""
    for found in feed.stream({"train": (split, M)}, SEED, start, stop, B, **options):
        yield found["train"]


@pytest.mark.parametrize("make", [images, points])
@pytest.mark.parametrize("start", [0, 1, 4_000_000])
@pytest.mark.parametrize("threads", [0, 1, 4])
def test_streamed_is_resident_bit_for_bit(make, start, threads):
    data = make()
    streamed = list(rounds_of(data.train, start, start + 6, threads=threads, prefetch=3))
    assert len(streamed) == 6
    for step, raw in zip(range(start, start + 6), streamed, strict=True):
        batch, expected = jax.jit(feed.to_batch)(raw), resident_round(data, step)
        assert set(batch) == set(expected) == set(data.train.arrays)
        for name in batch:
            assert batch[name].dtype == expected[name].dtype
            assert np.array_equal(batch[name], expected[name])


def test_batches_are_what_the_contract_says():
    data = images()
    batch = resident_round(data, 0)
    assert batch["x"].shape == (M, B, 4, 5, 3)
    assert batch["x"].dtype == jnp.float32
    assert batch["label"].shape == (M, B)
    assert batch["label"].dtype == jnp.int32
    # Pixels and labels stay together: the label of this data is the example's number.
    expected = data.train.arrays["x"][np.asarray(batch["label"])] / 127.5 - 1
    np.testing.assert_allclose(batch["x"], expected, atol=1e-6)
    first_epoch = np.concatenate([np.asarray(resident_round(data, s)["label"]).reshape(-1) for s in range(3)])[:N]
    assert sorted(first_epoch.tolist()) == list(range(N))


def test_resuming_a_stream_continues_it():
    data = images()
    whole = list(rounds_of(data.train, 0, 9))
    parts = [*rounds_of(data.train, 0, 4), *rounds_of(data.train, 4, 9)]
    for a, b in zip(whole, parts, strict=True):
        assert np.array_equal(a["x"], b["x"])


def test_shards_hold_the_rows_of_the_whole_batch():
    arrays = feed.resident(images().train)
    expected = feed.fetch(arrays, SEED, 5, M, B)

    def shard(arrays, _):
        return feed.fetch(arrays, SEED, 5, M, B)

    mapped = jax.vmap(shard, in_axes=(None, 0), axis_name="data")(arrays, jnp.arange(4))
    pmapped = jax.pmap(shard, "data", in_axes=(None, 0))(arrays, jnp.arange(4))
    mesh = Mesh(np.array(jax.devices()[:4]), ("data",))
    sharded = jax.jit(
        jax.shard_map(
            lambda a: shard(a, None),
            mesh=mesh,
            in_specs=PartitionSpec(),
            out_specs=PartitionSpec(None, "data"),
            check_vma=False,
        )
    )(arrays)
    for name in expected:
        for stacked in (mapped[name], pmapped[name]):  # [4, M, B / 4, ...] -> [M, B, ...]
            whole = np.moveaxis(np.asarray(stacked), 0, 1).reshape(expected[name].shape)
            assert np.array_equal(whole, expected[name])
        assert np.array_equal(sharded[name], expected[name])


def test_a_process_may_stream_its_own_rows():
    data = images()
    rows = np.array([4, 5, 6, 7])
    for mine, whole in zip(rounds_of(data.train, 3, 5, rows=rows), rounds_of(data.train, 3, 5), strict=True):
        assert np.array_equal(mine["x"], whole["x"][:, rows])


def test_streams_of_a_round_are_drawn_side_by_side():
    data = images()
    drawn = {"train": (data.train, M), "test": (data.test, 1)}
    for step, both in enumerate(feed.stream(drawn, SEED, 0, 4, B)):
        assert set(both) == {"train", "test"}
        for name, (split, minibatches) in drawn.items():
            arrays = feed.resident(split)
            expected = feed.fetch(arrays, SEED, step, minibatches, B, name)
            assert both[name]["x"].shape == (minibatches, B, 4, 5, 3)
            assert np.array_equal(jax.jit(feed.to_batch)(both[name])["x"], expected["x"])
            assert np.array_equal(both[name]["label"], expected["label"])


def test_a_further_stream_does_not_move_the_first():
    """Every stream has an order of its own, so that adding one changes nothing of the others."""
    data = images()
    alone = rounds_of(data.train, 0, 3)
    beside = feed.stream({"other": (data.train, M), "train": (data.train, M)}, SEED, 0, 3, B)
    for mine, both in zip(alone, beside, strict=True):
        assert np.array_equal(mine["label"], both["train"]["label"])
        assert not np.array_equal(both["other"]["label"], both["train"]["label"])


def test_a_lazy_source_can_be_made_resident():
    data = images()
    lazy = source.Source("lazy", data.shape, N, "", source.lazy(N, data.train.read, data.shape, labels=True), data.test)
    assert np.array_equal(feed.resident(lazy.train).arrays["x"], data.train.arrays["x"])


def test_errors_in_reading_reach_the_reader():
    def read(indices):
        raise UserError("a.png cannot be read")

    broken = source.lazy(N, read, (4, 5, 3), labels=False)
    with pytest.raises(UserError, match=r"a\.png cannot be read"):
        list(rounds_of(broken, 0, 3))


def test_a_stream_may_be_left_early():
    reader = rounds_of(images().train, 0, 2**31 - 1)
    assert len(list(itertools.islice(reader, 2))) == 2


def test_fits():
    data = images()
    assert data.train.nbytes == N * (60 + 4)
    assert feed.fits(data, N * 64)
    assert not feed.fits(data, N * 64 - 1)


@pytest.mark.parametrize(
    ("batch_size", "devices", "message"),
    [
        (0, 1, "batch size 0: must be at least 1"),
        (51, 1, "batch size 51 is larger than noise, which has 50 train examples"),
        (10, 4, "batch size 10 cannot be divided among 4 devices; try 8 or 12"),
        (3, 4, "batch size 3 cannot be divided among 4 devices; try 4"),
    ],
)
def test_impossible_batches(batch_size, devices, message):
    with pytest.raises(UserError, match=message):
        feed.check(images(), batch_size, devices)
    feed.check(images(), 48, 4)
