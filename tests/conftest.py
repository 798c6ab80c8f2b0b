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
for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # of one process among several: they would wait
    os.environ.setdefault(threads, "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax-tests"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

# Of the contract test, every row keeps its promises by default. The whole table runs for one row of each foundation
# (adversarial with batch statistics and noise, with several minibatches a round, with latents), and one mapped backend
# for the plainest and for rows whose round is more than a mean over examples: order, pairs, statistics or steps of the
# whole batch, further streams, or columns. All of it runs with `-m ""` (`make contract`): compiling takes its time.
WHOLE_TABLE = {"dcgan_dropout", "gan_n_critic", "vae"}
ON_A_MESH = {
    "gan", "ragan_clip_norm_shared", "top_k_instance_noise", "ada", "pacgan_smoothed", "unrolled", "tc_dip_info_vae",
    "factor_vae", "vq_vae", "vae_gan", "m2", "tvae",
}  # fmt: skip
WITH_ALL = {  # networks that take long to compile and have own tests; variants of a row that is there, likewise
    "sngan", "sagan_projection", "biggan", "r3gan", "stylegan2", "flow_matching", "paired", "wavegan", "m1_m2", "gain",
    "clustergan", "gan_minimax", "dcgan", "dcgan_shared_fakes", "vae_conv", "vae_gaussian", "piwae_stl",
    "vae_vamp_cyclical", "vae_iaf_capacity", "cvae_geco", "vae_flow_prior_free_bits",
}  # fmt: skip
BY_DEFAULT = (
    "test_what_a_model_offers_works",
    "test_what_a_model_is_given_is_asked_for_in_one_line",
    "test_an_output_of_an_example_is_its_own",
)


def by_default(test, row, backend):
    """Whether a test of a row of the contract is one of the default suite."""
    if row in WHOLE_TABLE:
        return test != "test_a_round_is_traced_on_a_mesh"  # it is run there
    if row in WITH_ALL:
        return False
    return test in BY_DEFAULT or (backend == "shard_map" and row in ON_A_MESH)


def pytest_collection_modifyitems(items):
    for item in items:
        row = getattr(item, "callspec", None) and item.callspec.params.get("row")
        if item.path.name != "test_contract.py" or row is None:
            continue
        if not by_default(item.originalname, row.name, item.callspec.params.get("backend")):
            item.add_marker(pytest.mark.science)


def pytest_collection_finish():
    """What all modules have imported stays: a million objects that no collection needs to look through again. Tracing
    makes as many that live for a moment, and would begin a collection every few milliseconds."""
    from gen_jax.core import threefry

    threefry.write_out()  # as `platform.configure` does for every command
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Many small programs, each run a few times: LLVM would be most of the time. Before the fixtures of a module, which
    compile, too. Tests of the science marker run for long, and as they would elsewhere."""
    import jax

    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("science") is None)
