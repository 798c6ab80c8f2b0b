"""Test set-up: four fake CPU devices, so that every backend can be tested anywhere, and a quiet, cached compiler."""

import gc
import os
import sys
from pathlib import Path

import pytest
from commands import quick_to_compile

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4 {quick_to_compile()}"
)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax-tests"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

# Of the contract test, every row runs one mapped backend and its promises by default; the whole table runs for the
# foundation's rows, and for all rows with `-m ""` (`make contract`): compiling it takes its time.
WHOLE_TABLE = {"gan", "dcgan", "dcgan_dropout", "dcgan_shared_fakes", "gan_n_critic", "vae", "vae_conv", "vae_gaussian"}
WITH_ALL = {  # networks that take long to compile and have own tests
    "sngan", "sagan_projection", "biggan", "r3gan", "stylegan2", "flow_matching", "paired", "wavegan", "m1_m2", "gain",
    "clustergan",
}  # fmt: skip
BY_DEFAULT = (
    "test_what_a_model_offers_works",
    "test_what_a_model_is_given_is_asked_for_in_one_line",
    "test_an_output_of_an_example_is_its_own",
)


def pytest_collection_modifyitems(items):
    for item in items:
        row = getattr(item, "callspec", None) and item.callspec.params.get("row")
        if item.path.name != "test_contract.py" or row is None:
            continue
        item.add_marker(pytest.mark.xdist_group(row.name))  # a row's tests share what they compile
        if row.name in WHOLE_TABLE:
            continue
        backend = item.callspec.params.get("backend")
        if row.name in WITH_ALL or (item.originalname not in BY_DEFAULT and backend != "shard_map"):
            item.add_marker(pytest.mark.science)


MAPPINGS, RESIDENT = 20_000, 1500 << 20  # of a process; Linux grants 65,530 mappings


@pytest.fixture(scope="module", autouse=True)
def _forget_what_was_compiled():
    """Thousands of compiled programs in one process are gigabytes, and more mappings than the system grants. Most go
    with the tests that made them; the small ones that all modules share stay while there is room."""
    yield
    gc.collect()
    if "jax" in sys.modules and _is_full():
        sys.modules["jax"].clear_caches()


def _is_full():
    own = Path("/proc/self")
    if not own.exists():
        return True
    resident = int((own / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident > RESIDENT or (own / "maps").read_text().count("\n") > MAPPINGS


# Many small programs, each run a few times: LLVM would be most of the time.
QUICK = {"core", "models", "nets", "objectives", "runs", "studies", "verbs"}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before the fixtures of a module, which compile, too."""
    import jax

    quick = item.path.parent.name in QUICK or item.path.name == "test_contract.py"
    jax.config.update("jax_disable_most_optimizations", quick and item.get_closest_marker("science") is None)
