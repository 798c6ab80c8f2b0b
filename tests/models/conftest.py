"""Many small programs, each run a few times: LLVM's optimisations would be most of these tests' time."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _quick_compilation():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
