"""The bytes that Python has executed of a script and its modules: files are edited while a run loads its data.

`watch` begins as early as a script imports `gen_jax.experiment`: modules that are imported from then on are held as
they are executed. Those that the script imported before are read then, a moment after they were executed. The script
itself is compared, in `started`, with what is running. No JAX, for scripts import this to say `--help`.
"""

import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from gen_jax.core.errors import UserError
from gen_jax.core.lines import say

HELD: dict[Path, bytes] = {}  # resolved path to what was executed of it
SLACK = 0.05  # seconds between the start of a process and the first import of a script, at least
_HERE = Path(__file__).resolve().parents[1]


def is_local(path: Path) -> bool:
    """Whether no package manager keeps a source file, nor is it of gen_jax."""
    path = path.resolve()
    return not any(path.is_relative_to(root) for root in _INSTALLED) and "site-packages" not in path.parts


_INSTALLED = [
    *(Path(sysconfig.get_paths()[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    Path(site.getusersitepackages()).resolve(),
    _HERE,
]


class _Holding(SourceFileLoader):
    """Executes the source, never a compiled file beside it, and holds its bytes."""

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        HELD[Path(self.path).resolve()] = content
        return self.source_to_code(content, self.path)


class _Watcher:
    """Finds what Python would find, of local modules with a loader that holds their bytes."""

    def __init__(self) -> None:
        self.installed = set(sys.stdlib_module_names) | {"gen_jax"}  # names of whole packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top in self.installed:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin and not is_local(Path(spec.origin)):
            self.installed.add(top)
        elif spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Holding(spec.loader.name, spec.loader.path)
            return spec
        return None


_WATCHER = _Watcher()


def watch() -> None:
    """Hold what local modules are executed from now on, and what those are that are there already."""
    began = _began()
    for path in _loaded():
        changed = _hold(path)
        if began is not None and changed > began + SLACK:
            say(f"{path} was edited as this command started: kept is what it is now, run perhaps what it was before")
    sys.meta_path.insert(0, _WATCHER)


def started(script: Path, names: Mapping[str, Any]) -> bytes:
    """What is executed of the script whose names these are. Raises UserError where its file is already another."""
    for path in _loaded():
        _hold(path)
    content = script.read_bytes()
    running = _running(names)
    if running is not None and not _same(running, _compiled(content, running)):
        raise UserError(f"{script} was edited while it started; give the command again")
    HELD[script.resolve()] = content
    return content


def _loaded() -> Iterator[Path]:
    """Sources of the local modules that are imported by now and not held, without the script's."""
    watched = _WATCHER in sys.meta_path
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or not isinstance(file, str) or not file.endswith(".py"):
            continue
        path, top = Path(file), name.partition(".")[0]
        if top in _WATCHER.installed:
            continue
        if not is_local(path):
            _WATCHER.installed.add(top)  # a process may have thousands of modules
        elif not (watched and path.resolve() in HELD):
            yield path


def _hold(path: Path) -> float:
    """When the file was changed last, in seconds; 0 for one that is gone: who needs it says so."""
    try:
        HELD[path.resolve()] = path.read_bytes()
        state = path.stat()
        return max(state.st_mtime, state.st_ctime)
    except OSError:
        return 0.0


def _began() -> float | None:
    """When this process began, in seconds of the clock of files; None where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


# ---- what is running -------------------------------------------------------------------------------------------------
def _running(names: Mapping[str, Any]) -> CodeType | None:
    """The body of a script that is being executed; None where it was imported, and a function called."""
    found, frame = None, sys._getframe()
    while frame is not None:
        if frame.f_globals is names and frame.f_code.co_name == "<module>":
            found = frame.f_code
        frame = frame.f_back
    return found


def _compiled(content: bytes, running: CodeType) -> CodeType | None:
    try:
        return compile(content, running.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Whether two compiled sources do the same; on which lines they stand says nothing."""
    if not isinstance(one, CodeType) or not isinstance(other, CodeType):
        return type(one) is type(other) and (one == other if isinstance(one, frozenset) else repr(one) == repr(other))
    parts = ("co_name", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_flags")
    alike = all(getattr(one, part) == getattr(other, part) for part in parts)
    return alike and len(one.co_consts) == len(other.co_consts) and all(map(_same, one.co_consts, other.co_consts))
