"""Settings that must be in place before JAX starts its back end: XLA's flags and the cache of compiled programs.

Measured on two cores (batch 64, float32), `--xla_cpu_experimental_ynn_fusion_type=dot` takes the backward pass of a
3×3 convolution from 54 to 155 GFLOP/s (32×32, 128 channels) and changes nothing else for the worse; results keep their
precision but not their bits, so a run's manifest states the flags. On one or two cores it pays to leave each operation
on one thread (`--xla_cpu_multi_thread_eigen=false`): operations that do not wait for each other fill the cores, without
handing over pieces (DCGAN-64 1.07 to .81 s a round, convolutional VAE 18.8 to 15.0 ms, ring GAN 1.16 to 1.03 ms; none
of eight models slower). With more cores it was not tried, and large operations would leave them idle.

jaxlib 0.11 (Python 3.12 and newer) needs neither for convolutions: DCGAN-64 .79 s a round, the convolutional VAE
15.1 ms without a flag, .96 s and 17.0 ms with the first. It still helps where all layers are dense: MLP VAE 1.31 to
.92 ms. XLA ends the process at a flag that it does not know, so flags are added only for versions in which they were
tried.

On a GPU the rounds of a call are recorded as CUDA graphs, the loop around them and its branches included
(`--xla_gpu_enable_command_buffer=+WHILE,…`): the host then starts a call, not each of its kernels, and reads nothing
between them. On one H100 a loop of a traced length runs as fast then as one of a fixed length (ring GAN .161 and
.159 ms a round).
"""

import ast
import hashlib
import os
import platform
import re
import tempfile
from importlib import metadata, util
from pathlib import Path

import jax

from gen_jax.core import threefry
from gen_jax.core.lines import say

CONVOLUTION_FLAG = "--xla_cpu_experimental_ynn_fusion_type"
THREAD_FLAG = "--xla_cpu_multi_thread_eigen"
FEW = 2  # cores up to which each operation stays on one thread
TRIED = ((0, 10), (0, 10))  # the first and last jaxlib, (major, minor), in which the CPU's flags were tried
TRIED_DENSE = ((0, 11), (0, 11))  # and those in which they help dense layers alone
DENSE = {"mlp", "made", "rows"}  # of gen_jax.nets, what has no convolution; and of its layers, all but those
GPU_TRIED = ((0, 10), (0, 11))  # likewise the GPU's
GRAPHS = {
    "--xla_gpu_enable_command_buffer": "+WHILE,+CONDITIONAL,+DYNAMIC_SLICE_FUSION",
    "--xla_gpu_graph_min_graph_size": "1",
}


def cpu_flags(cores: int, dense: bool = False) -> dict[str, str]:
    """The XLA flags recommended for so many cores; none where the installed jaxlib is not known to accept them.

    `dense`: for a model without convolutions.
    """
    if _tried(TRIED):
        return {CONVOLUTION_FLAG: "dot"} | ({THREAD_FLAG: "false"} if cores <= FEW else {})
    return {CONVOLUTION_FLAG: "dot"} if dense and _tried(TRIED_DENSE) else {}


def dense(script: Path) -> bool:
    """Whether an experiment's networks are dense, by what the script imports of `gen_jax.nets`; False where it imports
    nothing of it, or cannot be read."""
    try:
        tree = ast.parse(script.read_text())
    except (OSError, ValueError, SyntaxError):
        return False
    named = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    found = {alias.name for node in named if node.module == "gen_jax.nets" for alias in node.names}
    for node in named:
        module = str(node.module)
        if module == "gen_jax.nets.layers":
            found |= {alias.name for alias in node.names if "Conv" in alias.name}
        elif module.startswith("gen_jax.nets."):
            found.add(module.split(".")[2])
    return bool(found) and found <= DENSE


def gpu_flags() -> dict[str, str]:
    """The XLA flags recommended for an NVIDIA GPU; none where the installed jaxlib is not known to accept them."""
    return dict(GRAPHS) if _tried(GPU_TRIED) else {}


def _tried(versions: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    """Whether the installed jaxlib lies between the first and the last of these, both included."""
    version = re.match(r"(\d+)\.(\d+)", metadata.version("jaxlib"))
    return version is not None and versions[0] <= (int(version[1]), int(version[2])) <= versions[1]


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


DETERMINISTIC = "--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0"
DETERMINISTIC_COST = (
    "on a GPU, sums in a fixed order and no choice of kernels by trial, so slower scatters, reductions and "
    "convolutions: on an H100 a round of a small dense GAN took 1.4 times as long, one of DCGAN-64 in bfloat16 280 "
    "times (compare two short runs of yours); on a CPU it costs and changes nothing"
)


def configure(deterministic: bool = False, script: Path | None = None) -> None:
    """Sets flags and cache. Call it before the first array is made: XLA reads its flags once, when the back end starts.

    `script`: the experiment that this process trains, if it trains one.

    - With `deterministic`, appends `DETERMINISTIC` to XLA_FLAGS where this process may use a GPU.
    - Appends the `cpu_flags` to XLA_FLAGS, unless this process may use an accelerator, whose compiler reads the same
      variable and need not know a CPU flag; the `gpu_flags` where it may use an NVIDIA GPU. What is there stays.
    - Keeps compiled programs, and a GPU's choices of kernels by trial, in JAX_COMPILATION_CACHE_DIR, by default
      ~/.cache/gen_jax/xla (XDG_CACHE_HOME is respected), one folder a kind of machine: XLA's CPU programs use the
      instructions of the processor that they were compiled on, and a home folder may be shared by several.
    - Writes out the rounds of JAX's generator in a CPU's programs (`threefry.write_out`).
    """
    threefry.write_out()
    wanted: dict[str, str] = {}
    if _cpu_only():
        wanted |= cpu_flags(usable_cores(), script is not None and dense(script))
    elif deterministic:
        for flag in DETERMINISTIC.split():
            name, _, value = flag.partition("=")
            wanted[name] = value
    if _nvidia():
        wanted |= gpu_flags()
    chosen = os.environ.get("XLA_FLAGS", "")
    added = [f"{flag}={value}" for flag, value in wanted.items() if flag not in chosen]
    if added:
        os.environ["XLA_FLAGS"] = " ".join(filter(None, [chosen, *added]))
    if jax.config.values["jax_compilation_cache_dir"] is None and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        _keep_programs(user_cache() / "xla" / _machine())
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def accelerated() -> bool:
    """Whether programs are for a GPU or TPU: what is written in one way for them and in another for a CPU asks here."""
    return jax.default_backend() != "cpu"


def _keep_programs(folder: Path) -> None:
    """Compiled programs are kept there; a folder that cannot be made costs a line here, not a warning a program."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say(f"the cache {folder} cannot be written ({error.strerror}): every process compiles its programs anew")
    else:
        jax.config.update("jax_compilation_cache_dir", str(folder))


def user_cache() -> Path:
    """~/.cache/gen_jax, or where XDG_CACHE_HOME puts it; it need not exist yet. Under the folder of temporary files for
    a user who has no home, as in some containers."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "gen_jax"
    home = os.path.expanduser("~")
    return Path(home, ".cache", "gen_jax") if home != "~" else Path(tempfile.gettempdir(), f"gen_jax-{os.getuid()}")


def _cpu_only() -> bool:
    """True where JAX cannot choose an accelerator: told to use the CPU, or no plug-in for another is installed."""
    asked = _asked()
    if asked:
        return set(asked.split(",")) == {"cpu"}
    plugins = util.find_spec("libtpu") is not None or util.find_spec("jax_plugins") is not None
    return not plugins and not metadata.entry_points(group="jax_plugins")


def _nvidia() -> bool:
    """True where JAX may choose an NVIDIA GPU: told to, or its plug-in is installed and nothing else was asked for."""
    asked = set(filter(None, _asked().split(",")))
    if asked:
        return bool(asked & {"cuda", "gpu"})
    return any(util.find_spec(f"jax_cuda{version}_plugin") is not None for version in (12, 13))


def _asked() -> str:
    """The platforms that JAX was told to use, "cpu" or "cuda,cpu"; "" where it may choose."""
    return jax.config.values["jax_platforms"] or os.environ.get("JAX_PLATFORMS", "")


def _machine() -> str:
    """Eight hexadecimal digits of the processor's kind and instruction set."""
    kind = [platform.system(), platform.machine()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        kind += [
            line for line in cpuinfo.read_text().split("\n\n")[0].splitlines() if line.startswith(("flags", "Features"))
        ]
    return hashlib.sha256("\n".join(kind).encode()).hexdigest()[:8]
