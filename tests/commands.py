"""Commands as a user gives them: in processes of their own, which a process that has imported all they need forks, and
compiled quickly rather than well. Imports alone are half the time of a short command."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What starts no back end when it is imported (threads do not survive a fork).
IMPORTED = ["gen_jax.experiment", "gen_jax.runs.command", "gen_jax.runs.train", "gen_jax.models.gan", "flax.linen",
            "gen_jax.studies.ablation", "orbax.checkpoint", "sklearn.datasets", "scipy.stats", "tyro"]  # fmt: skip
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(IMPORTED)


def quick_to_compile() -> str:
    """XLA's flags for its older code generator on CPU, and for one LLVM module a program, where it makes several to
    compile side by side: most programs of the tests compile in .4 of the processor time, and run for a moment. XLA ends
    the process at a flag that it does not know: "" but for the version in which they were tried."""
    known = metadata.version("jaxlib").startswith("0.10.")
    return "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1" if known else ""


def one_device(**variables: str) -> dict[str, str]:
    """The environment of a command on one device, as on a user's machine, but for how its programs are compiled."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    quick = {"XLA_FLAGS": quick_to_compile(), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, "PYTHONPATH": path, **quick, **variables}


class Started:
    """A command that runs, with what the tests ask of subprocess.Popen. Its output goes to files."""

    def __init__(self, words: list[str], variables: dict[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._process = FORKED.Process(target=_run, args=(words, variables, self._folder))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Its end: exit status (-9 where it was killed), standard output and standard error."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            raise TimeoutError(f"no end after {timeout} s: {self.read('err')}")
        return subprocess.CompletedProcess([], status, self.read("out"), self.read("err"))

    def read(self, stream: str) -> str:
        """What it has said so far to "out" or "err"."""
        return (self._folder / stream).read_text() if (self._folder / stream).exists() else ""


def start(*words: object, **variables: str) -> Started:
    """`python WORDS…` from the root of the project, in `one_device`'s environment: a script or -m gen_jax."""
    return Started([str(word) for word in words], one_device(**variables))


def run(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """`start`, to its end."""
    return start(*words, **variables).wait()


def wait_for(path: Path, started: Started) -> None:
    """Until the command has made this file or folder. Fails where it ends before."""
    while not path.exists() and started.poll() is None:
        time.sleep(0.01)
    assert started.poll() is None, started.read("err")


def _quickly(variables: dict[str, str]) -> None:
    """JAX read its variables when the process that forks imported it: the one that is half the time of most programs is
    read again. (XLA reads its own with the back end, in the fork.)"""
    import jax

    jax.config.update("jax_disable_most_optimizations", variables.get("JAX_DISABLE_MOST_OPTIMIZATIONS") == "1")


def _run(words: list[str], variables: dict[str, str], folder: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the process that forks ignores Ctrl-C
    os.environ.clear()
    os.environ.update(variables)
    _quickly(variables)
    os.chdir(ROOT)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name="__main__")
