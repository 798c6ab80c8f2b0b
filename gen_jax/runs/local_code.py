"""The code that a run is of: its script and the local modules that this imports; kept in the run folder, found there.

    RUN/experiment.py      the script, byte for byte
    RUN/code/…             the modules, each under its dotted name: code/my_nets.py, code/mine/layers.py

Local is what no package manager keeps: a file beside the script, or wherever else on Python's path but in
site-packages. What is imported is read from the sources, so that it does not depend on what a process happened to
execute before; imports inside functions count, and modules of computed names where the script has imported them by now.
"""

import ast
import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.runs.files import atomic_write_bytes, read_bytes
from gen_jax.runs.trust import CODE

SCRIPT = "experiment.py"
FOLDER = "code"
# Never a person's own, also where they are installed from a checkout: the manifest holds their versions.
PACKAGES = (
    "gen_jax", "jax", "jaxlib", "flax", "optax", "orbax", "numpy", "scipy", "sklearn", "tensorflow",
    "tensorflow_datasets", "grain", "tyro",
)  # fmt: skip


class File(NamedTuple):
    """A source file as it was read."""

    path: Path
    content: bytes


Code = Mapping[str, File]  # "experiment.py", "code/my_nets.py", … in order of their discovery


def of(script: Path) -> Code:
    """A script and the local modules that it imports, and that these import.

    Raises UserError where a file cannot be read, and where the script imports relatively: its copy has no package.
    """
    found = {SCRIPT: File(script, read_bytes(script, CODE))}
    waiting = [*_imported(found[SCRIPT].content, None, script), *_loaded_beside(script)]
    while waiting:
        name = waiting.pop(0)
        path = _file_of(name, script)
        if path is None or (key := _key(name, path)) in found:
            continue
        found[key] = File(path, read_bytes(path, CODE))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _imported(found[key].content, package, path)
    return found


def kept(run_dir: Path) -> dict[str, Path]:
    """The code that a run or study folder holds, by the same names, unread. Links are no copies and left out."""
    folder = run_dir / FOLDER
    there = sorted(folder.rglob("*.py")) if folder.is_dir() and not folder.is_symlink() else []
    found = {SCRIPT: run_dir / SCRIPT, **{path.relative_to(run_dir).as_posix(): path for path in there}}
    return {key: path for key, path in found.items() if path.is_file() and not path.is_symlink()}


def write(run_dir: Path, code: Code) -> None:
    """Put the code into a run folder: what is there already is left alone where it is the same."""
    for key, file in code.items():
        path = run_dir / key
        if not path.is_file() or path.read_bytes() != file.content:
            atomic_write_bytes(path, file.content)


def replace(run_dir: Path, code: Code) -> None:
    """`write`, and remove the modules that are none of this code."""
    write(run_dir, code)
    for key, path in kept(run_dir).items():
        if key not in code:
            path.unlink()


def hashes(code: Code) -> dict[str, str]:
    """SHA-256 in hex of each file."""
    return {key: hashlib.sha256(file.content).hexdigest() for key, file in code.items()}


# ---- what a source imports -------------------------------------------------------------------------------------------
def _imported(content: bytes, package: str | None, path: Path) -> Iterator[str]:
    """Dotted names that a source may import, each after the packages that it is in."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where it is executed
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _and_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package, path)
            yield from _and_parents(module)
            yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and isinstance(called := node.func, ast.Name | ast.Attribute):
            name = called.id if isinstance(called, ast.Name) else called.attr
            first = node.args[0] if node.args else None
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield from _and_parents(str(first.value))


def _absolute(node: ast.ImportFrom, package: str | None, path: Path) -> str:
    if not node.level:
        return node.module or ""
    if package is None:
        raise UserError(
            f"{path}, line {node.lineno}: a run folder keeps a copy of the script, which belongs to no package, so "
            "that a relative import cannot work there; write the package's name"
        )
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _and_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


def _loaded_beside(script: Path) -> list[str]:
    """Modules from the script's own folder that it has imported by now, by whatever names it computed."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None or Path(main).resolve() != script.resolve():
        return []  # it was executed by a tool, and other scripts perhaps beside it
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file) != script and Path(file).is_relative_to(script.parent):
            found.append(name)
    return found


# ---- where it lies ---------------------------------------------------------------------------------------------------
def _file_of(name: str, script: Path) -> Path | None:
    """The local file of a module; None for packages that are installed, for Python's own, and for what is no module."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts) or parts[0] in PACKAGES or parts[0] in sys.stdlib_module_names:
        return None
    first = [script.parent / FOLDER] if script.name == SCRIPT else []
    for root in [*first, script.parent]:
        if path := _under(root, parts):
            return path
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None:
        return Path(loaded) if loaded.endswith(".py") and _is_local(Path(loaded)) else None
    return next((path for root in map(Path, sys.path) if (path := _under(root, parts)) and _is_local(path)), None)


def _under(root: Path, parts: Sequence[str]) -> Path | None:
    stem = root.joinpath(*parts)
    return next((path for path in (stem / "__init__.py", stem.with_name(f"{parts[-1]}.py")) if path.is_file()), None)


def _is_local(path: Path) -> bool:
    path = path.resolve()
    return not any(path.is_relative_to(root) for root in _INSTALLED) and "site-packages" not in path.parts


_INSTALLED = [
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        site.getusersitepackages(),
        Path(gen_jax.__file__).parent,
    )
]


def _key(name: str, path: Path) -> str:
    inside = name.replace(".", "/")
    return f"{FOLDER}/{inside}/__init__.py" if path.name == "__init__.py" else f"{FOLDER}/{inside}.py"


# ---- importing it ----------------------------------------------------------------------------------------------------
class _Finder:
    """Imports the modules of one code at a time, from the bytes that were read: neither from files that were changed
    since, nor from compiled ones beside them. First of all finders."""

    def __init__(self) -> None:
        self.code: Code = {}
        self.live = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        inside = f"{FOLDER}/{name.replace('.', '/')}"
        for key, package in ((f"{inside}/__init__.py", True), (f"{inside}.py", False)):
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

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        file = self.code[spec.loader_state]
        exec(compile(file.content, str(file.path), "exec"), module.__dict__)


_FINDER = _Finder()


def importable(code: Code, live: bool = False) -> None:
    """Make the modules of this code, and of no other, what their names import, from now on.

    Scripts of several runs may name different modules alike, so what was imported of another code is forgotten; what
    holds on to it keeps it. `live`: the code is where a person works on it, so that what it imports by names that are
    computed is found there, too.
    """
    modules = {key: file for key, file in code.items() if key != SCRIPT}
    before, _FINDER.live = _FINDER.code, live
    if {key: file.content for key, file in modules.items()} == {key: file.content for key, file in before.items()}:
        return
    for key in {*modules, *before}:
        inside = key.removeprefix(f"{FOLDER}/").removesuffix(".py").removesuffix("/__init__")
        for name in _and_parents(inside.replace("/", ".")):
            sys.modules.pop(name, None)
    _FINDER.code = modules
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
