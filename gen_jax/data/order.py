"""Which examples a position of an endless shuffled stream holds: a pure function of (seed, stream, position).

Position = (step * minibatches + minibatch) * batch_size + row. Epoch = position // n; inside the epoch, example number
permute(position % n), a keyed bijection of [0, n). Nothing needs saving to resume, any device can compute its own rows,
and numpy and jax.numpy give the same numbers (`xp` is either module). A weighted stream has no epochs: each position
draws its example anew (`weighted`).

The bijection is the hash permutation of A. Kensler, "Correlated Multi-Jittered Sampling", Pixar TM 13-01 (2013), with
cycle walking, applied twice under independent 32-bit keys (one pass is measurably uneven for n <= 256). All arithmetic
is modulo 2^32, since JAX has no 64-bit integers by default.
"""

import zlib
from typing import Any

import numpy as np
from jax import lax

U = np.uint32
LARGEST = 2**30  # most examples in a data set, and most rows in a round, that the 32-bit arithmetic below allows


def seed_of(seed: Any, stream: str, xp: Any = np) -> Any:
    """The seed of a named stream: "train" has the run's own, every other one of its own kind. Low 32 bits count."""
    if stream == "train":
        return seed
    return _mix(_word(seed, xp) ^ U(zlib.crc32(stream.encode()))).reshape(())


def indices(seed: Any, step: Any, minibatches: int, batch_size: int, n: int, rows: Any = None, xp: Any = np) -> Any:
    """Example numbers of one round: int32 [minibatches, batch_size], or [minibatches, len(rows)] of the rows asked for.

    `seed` (only its low 32 bits count) and `step` (0 .. 2^32 - 1) are Python ints or integer scalars and may be
    traced; `rows` are positions in the global batch. Raises ValueError when a size exceeds `LARGEST`.
    """
    per_round = minibatches * batch_size
    if not 0 < n <= LARGEST or not 0 < per_round <= LARGEST:
        raise ValueError(f"data size {n} and round size {per_round} must be in 1..{LARGEST}")
    rows = xp.arange(batch_size) if rows is None else xp.asarray(rows)
    inside = xp.arange(minibatches).astype(U)[:, None] * U(batch_size) + rows.astype(U)[None, :]
    epoch, offset = _start(_word(step, xp), per_round, n)
    offset = offset + inside  # < 2^31
    epoch, offset = epoch + offset // U(n), offset % U(n)
    seed = _word(seed, xp)
    for stream in (0x243F6A88, 0x85A308D3):  # digits of pi: two independent keys an epoch
        offset = permute(offset, n, _mix(_mix(seed ^ U(stream)) + epoch), xp)
    return offset.astype(xp.int32)


def weighted(
    seed: Any, step: Any, minibatches: int, batch_size: int, thresholds: Any, rows: Any = None, xp: Any = np
) -> Any:
    """Like `indices`, but every position draws one of n examples with replacement: int32 [minibatches, rows].

    `thresholds`: uint32 [n] from `thresholds_of`; example i is drawn where a uniform word lies below its threshold and
    not below the one before.
    """
    if not 0 < minibatches * batch_size <= LARGEST:
        raise ValueError(f"round size {minibatches * batch_size} must be in 1..{LARGEST}")
    rows = xp.arange(batch_size) if rows is None else xp.asarray(rows)
    inside = xp.arange(minibatches).astype(U)[:, None] * U(batch_size) + rows.astype(U)[None, :]
    seed, step = _word(seed, xp), _word(step, xp)
    first, second = (_mix(_mix(seed ^ U(stream)) + step) for stream in (0x452821E6, 0x38D01377))  # pi again
    words = xp.minimum(_mix(_mix(inside ^ first) + second), U(2**32 - 2))  # below the last threshold, always
    return xp.searchsorted(xp.asarray(thresholds), words, side="right").astype(xp.int32)


def poisson(
    seed: Any, step: Any, minibatches: int, batch_size: int, n: int, threshold: Any, rows: Any = None, xp: Any = np
) -> Any:
    """Like `indices`, but every example is in every minibatch with probability threshold / 2^32, by itself: int32
    [minibatches, rows], the examples in order and then -1 for rows that hold none.

    What would not fit into `batch_size` rows is left out: choose them so many that this does not happen
    (`data.poisson`). Differential privacy by amplification assumes batches like these, and no shuffled epochs.
    """
    if not 0 < minibatches * n <= LARGEST:
        raise ValueError(f"{minibatches} draws of {n} examples must be in 1..{LARGEST}")
    seed, step = _word(seed, xp), _word(step, xp)
    first, second = (_mix(_mix(seed ^ U(stream)) + step) for stream in (0xBE5466CF, 0x34E90C6C))  # pi again
    number = xp.arange(minibatches * n).astype(U).reshape(minibatches, n)
    inside = _mix(_mix(number ^ first) + second) < xp.asarray(threshold).astype(U)
    place = xp.where(inside, xp.cumsum(inside, axis=1) - 1, batch_size)  # of each example in its minibatch
    place = xp.minimum(place, batch_size).astype(xp.int32)
    batch, example = xp.arange(minibatches)[:, None], xp.broadcast_to(xp.arange(n), (minibatches, n))
    if xp is np:
        chosen = np.full((minibatches, batch_size + 1), -1, np.int32)
        chosen[np.broadcast_to(batch, place.shape)[inside], place[inside]] = example[inside]
    else:
        empty = xp.full((minibatches, batch_size + 1), -1, xp.int32)
        chosen = empty.at[batch, place].set(xp.where(inside, example, -1).astype(xp.int32))
    chosen = chosen[:, :batch_size]
    return chosen if rows is None else chosen[:, rows]


def thresholds_of(weights: np.ndarray) -> np.ndarray:
    """uint32 [n] for `weighted`: shares of 2^32, cumulated.

    weights: float [n], not negative, with a positive sum. A share of weight below 2^-32 is never drawn.
    """
    ends = np.cumsum(weights, dtype=np.float64)
    words = np.floor(ends / ends[-1] * 2.0**32)
    last = int(np.flatnonzero(weights)[-1])  # whatever follows has no weight, and no word may fall beyond the end
    words[last:] = 2.0**32
    return np.minimum(words, 2.0**32 - 1).astype(U)


def permute(positions: Any, n: int, key: Any, xp: Any) -> Any:
    """A keyed bijection of [0, n), elementwise: uint32 like `positions`. `key` is a uint32 scalar or of that shape."""
    mask = U((1 << (n - 1).bit_length()) - 1)
    key = xp.broadcast_to(xp.asarray(key).astype(U), positions.shape)
    x = _hash(positions.astype(U), mask, key)
    # Cycle walking: the hash permutes [0, mask]; whatever lands outside [0, n) is hashed again until it is inside.
    if xp is np:
        while (outside := x >= n).any():
            x = np.where(outside, _hash(x, mask, key), x)
    else:
        x = lax.while_loop(lambda x: (x >= n).any(), lambda x: xp.where(x >= n, _hash(x, mask, key), x), x)
    return (x + key % U(n)) % U(n)  # the paper's (x + key) % n is no bijection when x + key wraps around 2^32


def _start(step: Any, per_round: int, n: int) -> tuple[Any, Any]:
    """Divides step * per_round by n: (epoch modulo 2^32, offset), exact although the product may need 64 bits.

    Horner's scheme over groups of bits of `step`, from the highest, narrow enough that no term exceeds 32 bits.
    """
    epochs, rest = divmod(per_round, n)
    width = 31 - (n - 1).bit_length()  # offset * 2^width + group * rest < 2^(width + 1) * n <= 2^32
    epoch = offset = step * U(0)
    for low in reversed(range(0, 32, width)):
        group = (step >> U(low)) & U((1 << min(width, 32 - low)) - 1)
        shift = U(min(width, 32 - low))
        total = (offset << shift) + group * U(rest)
        epoch = (epoch << shift) + group * U(epochs & 0xFFFFFFFF) + total // U(n)
        offset = total % U(n)
    return epoch, offset


def _word(value: Any, xp: Any) -> Any:
    """The low 32 bits of an integer as uint32 [1, 1] (numpy warns of wrapping scalars, but not of arrays)."""
    if isinstance(value, int):
        value = U(value & 0xFFFFFFFF)
    return xp.asarray(value).astype(U).reshape(1, 1)


def _mix(x: Any) -> Any:
    """A 32-bit finaliser of low bias (C. Wellons, hash-prospector, "lowbias32"): every input bit moves every output."""
    x = (x ^ (x >> U(16))) * U(0x7FEB352D)
    x = (x ^ (x >> U(15))) * U(0x846CA68B)
    return x ^ (x >> U(16))


def _hash(x: Any, mask: Any, key: Any) -> Any:
    """Kensler's invertible hash of [0, mask], mask = 2^k - 1: only steps that are bijections modulo 2^k."""
    x = (x ^ key) * U(0xE170893D)
    x = x ^ (key >> U(16))
    x = x ^ ((x & mask) >> U(4))
    x = (x ^ (key >> U(8))) * U(0x0929EB3F)
    x = x ^ (key >> U(23))
    x = (x ^ ((x & mask) >> U(1))) * (U(1) | (key >> U(27)))
    x = x * U(0x6935FA69)
    x = (x ^ ((x & mask) >> U(11))) * U(0x74DCB303)
    x = (x ^ ((x & mask) >> U(2))) * U(0x9E501CC3)
    x = (x ^ ((x & mask) >> U(2))) * U(0xC860A3DF)
    x = x & mask
    return x ^ (x >> U(5))
