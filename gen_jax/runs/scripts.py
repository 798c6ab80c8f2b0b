"""An experiment script, executed: what it defines, or one line of what is wrong with it and where."""

import ast
import sys
import traceback
import zlib
from pathlib import Path
from types import ModuleType

from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line
from gen_jax.runs import executing, local_code
from gen_jax.runs.files import read_bytes
from gen_jax.runs.local_code import SCRIPT
from gen_jax.runs.trust import CODE


def load_live(script: Path) -> ModuleType:
    """`load`, of a script where a person works on it: its modules are those beside it now."""
    code = local_code.of(script)
    executing.importable(code, live=True)
    if (beside := str(script.resolve().parent)) not in sys.path:
        sys.path.append(beside)  # for what it imports by names that it computes
    return load(script, code)


def load(script: Path, code: local_code.Code | None = None) -> ModuleType:
    """The script as a module, which defines `Config` and `build`. `code`: it and its modules, where they are read
    already, and importable (`runs.executing`).

    Raises UserError for a script that is not there, that cannot be executed (a syntax error, an import that is not
    here, `sys.exit`, any exception), or that defines neither.
    """
    if script.suffix != ".py":
        raise UserError(f"{script} is no Python file; give the path of a script such as experiments/gan.py")
    code = {SCRIPT: local_code.File(script, read_bytes(script, CODE))} if code is None else code
    # A registered module: annotations given as text are looked up in it, and tyro reads its dataclasses' sources. Not
    # by the import system, which would execute a compiled file beside the script in place of what was read.
    module = ModuleType(f"gen_jax_experiment_{zlib.crc32(str(script.absolute()).encode(errors='replace')):08x}")
    module.__file__ = str(script)
    sys.modules[module.__name__] = module
    try:
        exec(compile(code[SCRIPT].content, str(script), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise UserError(_why(script, error)) from error
    if missing := [name for name in ("Config", "build") if not hasattr(module, name)]:
        raise UserError(f"{script} must define `Config` and `build`; it has no `{missing[0]}`")
    executing.ran(script, code)
    return module


def docstring(script: Path) -> str:
    """What a script says of itself, without executing it; "" where it says nothing or cannot be read."""
    try:
        return ast.get_docstring(ast.parse(read_bytes(script, CODE))) or ""
    except (SyntaxError, ValueError, RecursionError, MemoryError, UserError):  # what parsing raises of any bytes
        return ""


def _why(script: Path, error: BaseException) -> str:
    """What went wrong, with the line of the script."""
    if isinstance(error, UserError):  # said well already
        return str(error)
    if isinstance(error, SyntaxError) and error.filename in (str(script), None):
        where = f", line {error.lineno}" if error.lineno else ""
        return f"{script}{where} is no Python that can be read ({one_line(error.msg)}); mend or restore it"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(script)]
    where = f"{script}, line {lines[-1]}" if lines else str(script)
    if isinstance(error, SystemExit):
        return f"{where} ends the program (sys.exit) where it should only define `Config` and `build`"
    if isinstance(error, ModuleNotFoundError):
        return f"{where}: there is no module {error.name}, which it imports; install it, or put it beside the script"
    return f"{where}: {type(error).__name__}: {one_line(error)}"
