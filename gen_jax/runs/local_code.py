"""The code that a run is of: its script and the local modules that this imports; kept in the run folder, found there.

    RUN/experiment.py      the script, byte for byte
    RUN/code/…             the modules, each under its dotted name: code/my_nets.py, code/mine/layers.py

Local is what no package manager keeps: a file beside the script, or wherever else on Python's path but in
site-packages. What is imported is read from the sources, so that it does not depend on what a process happened to
execute before; imports inside functions count, and modules of computed names where the script has imported them by now.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs.executed import is_local
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


def of(script: Path, ran: Code | None = None, held: Mapping[Path, bytes] = MappingProxyType({})) -> dict[str, File]:
    """A script and the local modules that it imports, and that these import. `ran`: what of it is read already.
    `held`: contents by resolved path, in place of the files.

    Raises UserError where a file cannot be read, where the script imports relatively (its copy has no package), and
    where a file has the name of one of Python's own modules, in whose place it may or may not be imported.
    """
    found = dict(ran) if ran else {SCRIPT: File(script, _content(script, held))}
    waiting = _loaded_beside(script)
    for key, file in found.items():
        waiting += _imported(file.content, None if key == SCRIPT else _package(key), file.path)
    while waiting:
        name = waiting.pop(0)
        if any(key in found for key in keys(name)):
            continue
        path = _file_of(name, script)
        if path is None:
            continue
        key = keys(name)[path.name != "__init__.py"]
        found[key] = File(path, _content(path, held))
        waiting += _imported(found[key].content, _package(key), path)
    return found


def _content(path: Path, held: Mapping[Path, bytes]) -> bytes:
    resolved = path.resolve()
    return held[resolved] if resolved in held else read_bytes(path, CODE)


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


def uses_its_place(file: File) -> int:
    """The line on which a source first names `__file__`; 0 where it does not."""
    lines = [node.lineno for node in _nodes(file.content) if isinstance(node, ast.Name) and node.id == "__file__"]
    return min(lines, default=0)


def hashes(code: Code) -> dict[str, str]:
    """SHA-256 in hex of each file."""
    return {key: hashlib.sha256(file.content).hexdigest() for key, file in code.items()}


# ---- what a source imports -------------------------------------------------------------------------------------------
def _imported(content: bytes, package: str | None, path: Path) -> Iterator[str]:
    """Dotted names that a source may import, each after the packages that it is in."""
    for node in _nodes(content):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from and_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package, path)
            yield from and_parents(module)
            yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and isinstance(called := node.func, ast.Name | ast.Attribute):
            name = called.id if isinstance(called, ast.Name) else called.attr
            first = node.args[0] if node.args else None
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield from and_parents(str(first.value))


def _nodes(content: bytes) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where it is executed
        return


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


def and_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


def is_main(script: Path) -> bool:
    """Whether it is the script that Python was started with."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and Path(main).resolve() == script.resolve()


def _loaded_beside(script: Path) -> list[str]:
    """Modules from the script's own folder that it has imported by now, by whatever names it computed."""
    if not is_main(script):
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
    if not all(part.isidentifier() for part in parts):
        return None
    if parts[0] in PACKAGES or parts[0] in sys.stdlib_module_names:
        _refuse_in_place_of(parts[0], script)
        return None
    first = [script.parent / FOLDER] if script.name == SCRIPT else []
    for root in [*first, script.parent]:
        if path := _under(root, parts):
            return path
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None:
        return Path(loaded) if loaded.endswith(".py") and is_local(Path(loaded)) else None
    return next((path for root in map(Path, sys.path) if (path := _under(root, parts)) and is_local(path)), None)


def _refuse_in_place_of(name: str, script: Path) -> None:
    """Raises UserError for a file that Python may import in place of its own module, or of a package, as it does for
    `python script.py` and not for verbs. A folder beside the script that is named as a package is its checkout."""
    if name in sys.builtin_module_names or name == "gen_jax":
        return
    # A script in a package (`python -m`) has siblings of other names; started by its path, its folder is on sys.path.
    own = [] if (script.parent / "__init__.py").is_file() else [script.parent]
    for root in [*own, *map(Path, sys.path)]:
        if (path := _under(root, [name])) is None:
            continue
        if is_local(path) and (path.name != "__init__.py" or name in sys.stdlib_module_names):
            whose = "Python's own modules" if name in sys.stdlib_module_names else "an installed package"
            raise UserError(
                f"{path} has the name of {whose}, and which of them `import {name}` means depends on how the script is "
                "started; give the file another name"
            )
        return


def _under(root: Path, parts: Sequence[str]) -> Path | None:
    stem = root.joinpath(*parts)
    return next((path for path in (stem / "__init__.py", stem.with_name(f"{parts[-1]}.py")) if path.is_file()), None)


def keys(name: str) -> tuple[str, str]:
    """Where a module lies in a run folder: as a package, as a file."""
    inside = name.replace(".", "/")
    return f"{FOLDER}/{inside}/__init__.py", f"{FOLDER}/{inside}.py"


def _package(key: str) -> str:
    """The package that a module is in, which a package is in itself."""
    return key.removeprefix(f"{FOLDER}/").rpartition("/")[0].replace("/", ".")
