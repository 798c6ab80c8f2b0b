"""Who may import whom, kept by reading the imports; and that start-up stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import house
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gen_jax"

ALLOWED = {  # a package may import from itself and from these
    "core": set(),
    "nets": {"core"},
    "objectives": {"core"},
    "models": {"core", "objectives"},
    "data": {"core"},
    "metrics": {"core"},
    "runs": {"core", "data", "metrics"},
    "studies": {"core", "data", "metrics", "runs"},
    "verbs": {"core", "data", "metrics", "runs", "studies"},
}
EXCEPTIONS = {"metrics": {"nets"}}  # feature extractors are networks
LATE = {"tensorflow", "tensorflow_datasets", "grain", "orbax", "sklearn", "matplotlib", "mlxtend", "scipy", "PIL"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST, late: bool = True):
    """Dotted names that a module imports; without `late`, only those that run when it is imported."""
    for node in ast.walk(tree) if late else _at_import(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_import(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _at_import(child)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_house(path):
    place = path.relative_to(PACKAGE).parts
    if len(place) < 2:
        return
    layer = place[0]
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "gen_jax" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
            allowed = {layer} | ALLOWED[layer] | EXCEPTIONS.get(layer, set())
            assert parts[1] in allowed, f"{path.name} imports {name}; {layer} may import {sorted(allowed)}"
        assert parts[0] != "experiments", f"{path.name} imports {name}: experiments join parts, nothing joins them"


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "experiments").rglob("*.py"))],
                         ids=lambda p: str(p.relative_to(ROOT)))  # fmt: skip
def test_heavy_packages_are_imported_inside_functions(path):
    early = {name.split(".")[0] for name in imports(ast.parse(path.read_text()), late=False)}
    assert not early & LATE


def test_nothing_goes_round():
    assert house.circles(house.imports(house.trees())) == []


def test_only_one_file_knows_orbax():
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if any(name.split(".")[0] == "orbax" for name in imports(ast.parse(path.read_text())))
    }
    assert knowing == {"runs/orbax_folder.py"}


def test_files_stay_small_and_say_what_they_are():
    for path in FILES:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, f"{path} has grown past one idea"
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"


@pytest.mark.parametrize("script", ["dcgan", "vae", "gan"])
def test_help_loads_nothing_heavy(script):
    code = f"""
import runpy, sys
sys.argv = ["{script}.py", "--help"]
try:
    runpy.run_path("experiments/{script}.py", run_name="__main__")
except SystemExit as end:
    assert end.code == 0
heavy = {LATE!r} & {{name.split(".")[0] for name in sys.modules}}
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--hyper." in done.stdout
