"""A script's local code, as this process executes it: the modules of one code at a time, from the bytes that are kept.

What a run is of is what was executed, whatever the files say by the time that it is written down: `of` has those bytes.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from gen_jax.core.lines import say
from gen_jax.runs import executed, local_code, trust
from gen_jax.runs.executed import is_local
from gen_jax.runs.files import read_bytes
from gen_jax.runs.local_code import FOLDER, SCRIPT, Code, File

_RAN: dict[Path, Code] = {}  # by resolved script: what tools have executed of it last


def of(script: Path) -> dict[str, File]:
    """`local_code.of`, of a script that this process has executed: as it was then, with what it has imported since."""
    return local_code.of(script, _RAN.get(script.resolve()), executed.HELD if local_code.is_main(script) else {})


def ran(script: Path, code: Code) -> None:
    """Remember what was executed of a script."""
    _RAN[script.resolve()] = code


def own(code: Code) -> None:
    """Remember the code as this user's, who may open its runs here. A line for each file that was edited since it was
    executed, and for one whose copy will not find what it reads."""
    trust.record(file.content for file in code.values())
    for file in code.values():
        try:
            edited = file.path.read_bytes() != file.content
        except OSError:
            edited = True
        if edited:
            say(f"{file.path} was edited since this command read it: what runs, and is kept, is the file as it was")
        if line := local_code.uses_its_place(file):
            say(
                f"{file.path}, line {line} uses __file__: a run folder keeps code alone, and what is read beside the "
                "file is not found beside its copy, so that the model may not be rebuilt from there"
            )


class _Finder:
    """Imports the modules of one code at a time, from the bytes that were read: neither from files that were changed
    since, nor from compiled ones beside them. First of all finders.

    Where the code is live, a local module that it imports by a name that it computes becomes a part of it."""

    def __init__(self) -> None:
        self.code: dict[str, File] = {}
        self.live = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        inside = f"{FOLDER}/{name.replace('.', '/')}"
        if self.live:
            self._adopt(name, path)
        for key, package in zip(local_code.keys(name), (True, False), strict=True):
            if key in self.code:
                origin = self.code[key].path
                spec = ModuleSpec(name, self, origin=str(origin), loader_state=key, is_package=package)  # pyright: ignore
                spec.has_location = True  # which is what gives a module its __file__
                if package and self.live:
                    spec.submodule_search_locations = [str(origin.parent)]
                return spec
        if any(key.startswith(f"{inside}/") for key in self.code):  # a folder without __init__.py
            spec = ModuleSpec(name, None, is_package=True)
            beside = PathFinder.find_spec(name, path) if self.live else None
            spec.submodule_search_locations = [*((beside and beside.submodule_search_locations) or [])]
            return spec
        return None

    def _adopt(self, name: str, path: Any) -> None:
        if any(key in self.code for key in local_code.keys(name)) or not self._imports():
            return
        top = name.partition(".")[0]
        if top in local_code.PACKAGES or top in sys.stdlib_module_names:
            return
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.origin and spec.origin.endswith(".py") and is_local(Path(spec.origin)):
            found = Path(spec.origin)
            self.code[local_code.keys(name)[found.name != "__init__.py"]] = File(found, read_bytes(found, trust.CODE))

    def _imports(self) -> bool:
        """Whether it is a file of the code that imports now."""
        frame = sys._getframe(3)
        while frame is not None and ("importlib" in (name := frame.f_code.co_filename) or name == __file__):
            frame = frame.f_back
        return frame is not None and frame.f_code.co_filename in {str(file.path) for file in self.code.values()}

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        file = self.code[spec.loader_state]
        exec(compile(file.content, str(file.path), "exec"), module.__dict__)


_FINDER = _Finder()


def importable(code: dict[str, File], live: bool = False) -> None:
    """Make the modules of this code, and of no other, what their names import, from now on.

    Scripts of several runs may name different modules alike, so what was imported of another code is forgotten; what
    holds on to it keeps it. `live`: the code is where a person works on it: what it imports by names that are computed
    is found there, too, and becomes a part of it.
    """
    before, _FINDER.live = _FINDER.code, live
    _FINDER.code = code
    if _contents(code) == _contents(before):
        return
    for key in {*code, *before} - {SCRIPT}:
        inside = key.removeprefix(f"{FOLDER}/").removesuffix(".py").removesuffix("/__init__")
        for name in local_code.and_parents(inside.replace("/", ".")):
            sys.modules.pop(name, None)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _contents(code: Code) -> dict[str, bytes]:
    return {key: file.content for key, file in code.items() if key != SCRIPT}
