"""The first meeting of the devices of several processes."""

import contextlib
import os
import sys
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import PartitionSpec

from gen_jax.core import parallel, processes
from gen_jax.core.axis import DATA_AXIS


def connect(where: parallel.Layout) -> None:
    """Have the devices of all processes meet for the first time: Gloo waits 30 s for the last, so nothing slow may lie
    between. What it says on standard output about that is not said."""
    if not processes.together():
        return
    ones = parallel.put(np.ones((), np.float32), where.replicated)
    whole = PartitionSpec()
    meeting = jax.shard_map(
        lambda x: jax.lax.psum(x, DATA_AXIS), mesh=where.mesh, in_specs=whole, out_specs=whole, check_vma=False
    )
    compiled = jax.jit(meeting).lower(ones).compile()
    processes.meet("connect")
    with _silent_output():
        jax.block_until_ready(compiled(ones))


@contextlib.contextmanager
def _silent_output() -> Iterator[None]:
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)
