"""How many importance samples fit: refused before a step, or dealt out in chunks."""

import math
import os
from collections.abc import Sequence

import jax

from gen_jax.core.errors import UserError

CHUNK_NUMBERS = 2**22  # decoder outputs alive at once in `likelihood`: 16 MiB in float32, whatever k is


def check_samples_fit(samples: int, rows: int, outputs: Sequence[int]) -> None:
    """UserError where k samples of a batch cannot fit into memory, counting the decoder's outputs alone (about four
    copies live through a gradient), with the k that would. Checked as the program is traced: before any step."""
    one = 4 * 4 * rows * math.prod(outputs)
    limit = _memory_bytes()
    if samples * one > limit:
        raise UserError(
            f"{samples} importance samples of {rows} examples need at least {samples * one / 2**30:.0f} GiB, and the "
            f"device has {limit / 2**30:.0f}; use at most {max(limit // one, 1)} samples or a smaller batch"
        )


def _memory_bytes() -> int:
    device = jax.local_devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def chunk_size(samples: int, numbers: int) -> int:
    """The largest divisor of `samples` whose chunk holds at most CHUNK_NUMBERS decoder outputs; `numbers` a sample."""
    if samples < 1:
        raise UserError(f"a likelihood with {samples} importance samples: ask for 1 or more")
    most = max(1, min(samples, CHUNK_NUMBERS // numbers))
    return next(size for size in range(most, 0, -1) if samples % size == 0)
