"""The shuffled stream: a bijection every epoch, the same in numpy and JAX at any position, and evenly spread."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gen_jax.data import order


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 1000, 1025, 4000, 60000])
@pytest.mark.parametrize("key", [0, 12345, 2**32 - 1, 2**32 - 2])  # the last two wrap around in (x + key)
def test_permute_is_a_bijection(n, key):
    permuted = order.permute(np.arange(n), n, np.uint32(key), np)
    assert np.array_equal(np.sort(permuted), np.arange(n))


@pytest.mark.parametrize("n", [1, 7, 100, 1000])
def test_every_example_once_an_epoch(n):
    rounds, minibatches, batch = 40, 3, 25  # 3,000 positions: 3, 30, 428 and 3,000 whole epochs
    stream = np.concatenate([order.indices(9, s, minibatches, batch, n).reshape(-1) for s in range(rounds)])
    epochs = stream[: len(stream) // n * n].reshape(-1, n)
    assert (np.sort(epochs, axis=1) == np.arange(n)).all()
    if n > 50:
        assert not np.array_equal(epochs[0], epochs[1])


def test_seeds_and_epochs_differ():
    first = {seed: order.indices(seed, 0, 1, 1000, 1000)[0] for seed in (0, 1, 2, 2**31, 2**32 - 1)}
    second = order.indices(0, 1, 1, 1000, 1000)[0]  # step 1 is epoch 1 of the same seed
    streams = [*first.values(), second]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert (a == b).mean() < 0.02  # two random permutations agree in about 1 place of 1,000


@pytest.mark.parametrize("n", [2, 797, 4000, 60000, 1281167, 2**24 + 1, 2**30 - 1, 2**30])
@pytest.mark.parametrize(("minibatches", "batch"), [(1, 3), (6, 4096)])
def test_start_is_exact_beyond_32_bits(n, minibatches, batch):
    per_round = minibatches * batch
    for step in (0, 1, 999, 123457, 10**7, 2**31 - 1, 2**32 - 1):
        epoch, offset = order._start(order._word(step, np), per_round, n)
        expected = divmod(step * per_round, n)  # Python integers have no limit
        assert (int(epoch[0, 0]), int(offset[0, 0])) == (expected[0] % 2**32, expected[1])


@pytest.mark.parametrize("n", [1, 3, 1000, 4000, 60000, 1281167, 2**30])
@pytest.mark.parametrize(("minibatches", "batch"), [(1, 5), (6, 64)])
def test_numpy_and_jax_agree_bitwise(n, minibatches, batch):
    fetch = jax.jit(lambda seed, step: order.indices(seed, step, minibatches, batch, n, xp=jnp))
    for seed in (0, 7, 2**31 - 1):
        for step in (0, 10**7, 2**31 - 1):
            on_host = order.indices(seed, step, minibatches, batch, n)
            on_device = fetch(jnp.int32(seed), jnp.int32(step))
            assert on_host.dtype == on_device.dtype == np.int32
            assert np.array_equal(on_host, on_device)
            assert (on_host >= 0).all()
            assert (on_host < n).all()


def test_python_integers_and_traced_seeds_agree():
    by_number = [order.indices(seed, 5, 2, 8, 100, xp=jnp) for seed in (3, 2**32 + 3)]
    batched = jax.vmap(lambda seed: order.indices(seed, 5, 2, 8, 100, xp=jnp))(jnp.array([3, 4]))
    assert np.array_equal(by_number[0], by_number[1])  # only the low 32 bits of a seed count
    assert np.array_equal(by_number[0], batched[0])
    assert not np.array_equal(batched[0], batched[1])


def test_rows_are_a_selection_of_the_whole():
    whole = order.indices(1, 77, 4, 32, 1000)
    rows = np.array([31, 0, 7])
    assert np.array_equal(order.indices(1, 77, 4, 32, 1000, rows), whole[:, rows])


@pytest.mark.parametrize("n", [16, 64, 1000, 4000])
def test_neighbours_are_independent_over_seeds(n):
    """Chi-square of where each two of 16 positions land, over seeds, in an 8 by 8 table (one hash pass fails)."""
    seeds, cells = 2000, 8
    landed = np.stack([order.indices(seed, 0, 1, 16, n)[0] for seed in range(seeds)]).astype(np.int64)
    cell = landed * cells // n
    share = n / cells  # examples in a cell; two positions never hold the same example
    expected = np.full((cells, cells), share**2) - np.diag(np.full(cells, share))
    expected *= seeds / (n * (n - 1))
    for a in range(16):
        for b in range(a):
            table = np.bincount(cell[:, a] * cells + cell[:, b], minlength=cells**2).reshape(cells, cells)
            assert stats.chi2.sf(((table - expected) ** 2 / expected).sum(), cells**2 - 1) > 1e-6


def test_batches_are_uniform_within_an_epoch():
    """Each batch of a long epoch spreads over the data like draws without replacement."""
    n, batch, cells = 60000, 600, 20
    counts = np.stack(
        [np.bincount(order.indices(3, s, 1, batch, n)[0] * cells // n, minlength=cells) for s in range(100)]
    )
    expected = batch / cells
    statistic = ((counts - expected) ** 2).sum() / expected / (1 - batch / n)  # finite-population correction
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], 99 * (cells - 1))  # the epoch is complete: 99 batches are free
    assert low < statistic < high


@pytest.mark.parametrize(("n", "batch"), [(0, 4), (2**30 + 1, 4), (10, 0), (10, 2**30 + 1)])
def test_sizes_outside_the_arithmetic_are_refused(n, batch):
    with pytest.raises(ValueError, match="must be in"):
        order.indices(0, 0, 1, batch, n, rows=np.arange(1))


STREAMS = ("train", "labelled", "pairs", "test", "few labels")


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("stream", STREAMS)
def test_the_seed_of_a_stream_is_the_same_in_numpy_and_jax(seed, stream):
    on_host = order.seed_of(seed, stream)
    traced = jax.jit(lambda seed: order.seed_of(seed, stream, jnp))(jnp.uint32(seed))
    assert np.uint32(on_host) == np.asarray(traced).astype(np.uint32)
    assert np.shape(on_host) == traced.shape == ()


def test_train_has_the_seed_of_the_run_itself():
    assert order.seed_of(123, "train") == 123
    traced = jnp.uint32(5)
    assert order.seed_of(traced, "train", jnp) is traced


def test_streams_have_orders_of_their_own():
    """Two streams of one seed, and one stream of two seeds, agree no more than chance."""
    n = 1000
    seeds = {(seed, name): order.seed_of(seed, name) for seed in (0, 1, 2) for name in STREAMS}
    assert len({int(value) for value in seeds.values()}) == len(seeds)
    orders = [order.indices(seed, 0, 1, n, n)[0] for seed in seeds.values()]
    for i, a in enumerate(orders):
        for b in orders[:i]:
            assert (a == b).mean() < 0.02
