"""Start-up settings: what is added, what a person set and keeps, and that XLA really takes the recommended flags."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from gen_jax.core import platform
from gen_jax.runs.manifest import flags

ROOT = Path(__file__).parents[2]
FLAG = "--xla_cpu_experimental_ynn_fusion_type=dot"
SINGLE = "--xla_cpu_multi_thread_eigen=false"
DETERMINISTIC = platform.DETERMINISTIC.split()
GRAPHS = [f"{flag}={value}" for flag, value in platform.GRAPHS.items()]
SHOW = """
import os
from gen_jax.core import platform
platform.configure()
import jax
print(os.environ.get("XLA_FLAGS", ""))
print(jax.config.values["jax_compilation_cache_dir"])
print(jax.config.values["jax_persistent_cache_min_compile_time_secs"])
print(len(jax.devices()))
"""


def started(**environment):
    """What a fresh process reports after `configure()`; it exits unless XLA accepts the flags."""
    dropped = ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "XDG_CACHE_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in dropped}
    answer = subprocess.run(
        [sys.executable, "-c", SHOW], env={**clean, **environment}, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def test_flags_and_cache_of_a_fresh_process(tmp_path):
    flags, cache, seconds, _ = started(JAX_PLATFORMS="cpu", HOME=str(tmp_path))
    ten = f"{FLAG} {SINGLE}" if platform.usable_cores() <= 2 else FLAG
    assert flags == {"0.10": ten, "0.11": ""}[".".join(metadata.version("jaxlib").split(".")[:2])]
    assert cache.startswith(str(tmp_path / ".cache" / "gen_jax" / "xla"))
    assert float(seconds) == 0.5


def test_a_persons_own_settings_stay():
    own = (
        "--xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=true "
        "--xla_cpu_experimental_ynn_fusion_type=invalid"
    )
    flags, cache, seconds, devices = started(
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=own,
        JAX_COMPILATION_CACHE_DIR="/somewhere",
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="7",
    )
    assert (flags, cache, float(seconds), devices) == (own, "/somewhere", 7.0, "2")


@pytest.mark.parametrize(
    ("version", "known"),
    [("0.9.2", False), ("0.10.2", True), ("0.12.0.1", False), ("0.13.0", False), ("1.0.0", False), ("odd", False)],
)
def test_flags_only_for_versions_that_were_tried(monkeypatch, version, known):
    monkeypatch.setattr(metadata, "version", lambda package: version)
    assert list(platform.cpu_flags(cores=16).items()) == ([tuple(FLAG.split("="))] if known else [])


@pytest.mark.parametrize(
    ("version", "convolutional", "dense"),
    [("0.10.2", [FLAG, SINGLE], [FLAG, SINGLE]), ("0.11.2", [], [FLAG]), ("0.12.0", [], []), ("0.9.0", [], [])],
)
def test_flags_by_version_and_kind_of_model(monkeypatch, version, convolutional, dense):
    monkeypatch.setattr(metadata, "version", lambda package: version)
    for kind, wanted in ((False, convolutional), (True, dense)):
        assert [f"{flag}={value}" for flag, value in platform.cpu_flags(2, kind).items()] == wanted


@pytest.mark.parametrize(
    ("experiment", "dense"),
    [
        ("iwae", True),
        ("gan", True),
        ("dcgan", False),
        ("aae", False),
        ("acgan", False),
        ("flow_vae", False),
        ("no", False),
    ],
)
def test_a_script_says_what_its_networks_are(experiment, dense):
    assert platform.dense(ROOT / "experiments" / f"{experiment}.py") == dense


@pytest.mark.parametrize(("experiment", "added"), [("iwae", [FLAG]), ("dcgan", [])])
def test_the_newer_version_s_flags_follow_the_experiment(monkeypatch, experiment, added):
    monkeypatch.setattr(platform, "_asked", lambda: "cpu")
    monkeypatch.setattr(metadata, "version", lambda package: "0.11.2")
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    platform.configure(script=ROOT / "experiments" / f"{experiment}.py")
    assert os.environ["XLA_FLAGS"].split() == ["--mine", *added]


@pytest.mark.parametrize(("cores", "single"), [(1, True), (2, True), (3, False), (64, False)])
def test_operations_stay_on_one_thread_where_cores_are_few(monkeypatch, cores, single):
    monkeypatch.setattr(metadata, "version", lambda package: "0.10.2")
    found = [f"{flag}={value}" for flag, value in platform.cpu_flags(cores).items()]
    assert found == [FLAG, *([SINGLE] if single else [])]


@pytest.mark.parametrize(("asked", "added"), [("cpu", [FLAG]), ("cuda,cpu", GRAPHS), ("gpu", GRAPHS), ("tpu", [])])
def test_each_platform_gets_its_own_flags(monkeypatch, asked, added):
    monkeypatch.setattr(platform, "_asked", lambda: asked)
    monkeypatch.setattr(platform, "usable_cores", lambda: 8)
    monkeypatch.setattr(metadata, "version", lambda package: "0.10.2")
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    platform.configure()
    assert os.environ["XLA_FLAGS"].split() == ["--mine", *added]


def test_a_persons_own_graphs_stay(monkeypatch):
    monkeypatch.setattr(platform, "_asked", lambda: "cuda")
    monkeypatch.setattr(metadata, "version", lambda package: "0.11.2")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_command_buffer=")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    platform.configure()
    assert os.environ["XLA_FLAGS"].split() == ["--xla_gpu_enable_command_buffer=", GRAPHS[1]]


@pytest.mark.parametrize(
    ("version", "known"),
    [("0.9.2", False), ("0.10.2", True), ("0.11.2", True), ("0.12.0", False), ("1.0.0", False), ("odd", False)],
)
def test_graphs_only_for_versions_that_were_tried(monkeypatch, version, known):
    monkeypatch.setattr(metadata, "version", lambda package: version)
    assert [f"{flag}={value}" for flag, value in platform.gpu_flags().items()] == (GRAPHS if known else [])


@pytest.mark.parametrize(
    ("asked", "added"), [("cpu", []), ("cuda,cpu", [*DETERMINISTIC, *GRAPHS]), ("rocm", DETERMINISTIC)]
)
def test_determinism_is_for_what_may_be_a_gpu(monkeypatch, asked, added):
    monkeypatch.setattr(platform, "_asked", lambda: asked)
    monkeypatch.setattr(platform, "cpu_flags", lambda cores, dense: {})
    monkeypatch.setattr(metadata, "version", lambda package: "0.11.2")
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    for _ in range(2):  # twice is as good as once
        platform.configure(deterministic=True)
    assert os.environ["XLA_FLAGS"].split() == ["--mine", *added]
    assert flags()["XLA_FLAGS"] == os.environ["XLA_FLAGS"]  # and the manifest says so


def test_xla_knows_the_gpus_flags():
    flags = " ".join([*DETERMINISTIC, *GRAPHS])
    assert started(JAX_PLATFORMS="cpu", XLA_FLAGS=flags)[0].startswith(flags)
