"""Figures of the house, for `make house`: circles, sizes, arguments, untyped settings, repeated lines. No check."""

import ast
import collections
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gen_jax"
LONGEST_FILE, REPEATED_IN = 300, 20


def trees(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """Every module of the package by its dotted name, parsed."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


def imports(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Which modules of the package each imports, anywhere in it but for type checkers."""
    found = {}
    for name, tree in modules.items():
        named: set[str] = set()
        checked = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ]
        unseen = {inner for node in checked for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if node in unseen:
                continue
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        found[name] = {each for each in named if each in modules and each != name}
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another, directly or round about (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            place = stack.index(name)
            group = sorted(stack[place:])
            del stack[place:]
            if len(group) > 1:
                found.append(group)

    for name in arrows:
        if name not in order:
            visit(name)
    return found


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def arguments(tree: ast.Module, name: str) -> int:
    """How many arguments a module's function takes; 0 where there is none of the name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
    return 0


def untyped(tree: ast.AST) -> int:
    """How many arguments and fields called config or source are of type Any."""
    found = 0
    for node in ast.walk(tree):
        name = node.arg if isinstance(node, ast.arg) else getattr(getattr(node, "target", None), "id", "")
        kind = getattr(node, "annotation", None) if isinstance(node, ast.arg | ast.AnnAssign) else None
        found += name in ("config", "source") and isinstance(kind, ast.Name) and kind.id == "Any"
    return found


def repeated(folder: Path = ROOT / "experiments") -> float:
    """The share of lines of the scripts in this folder that stand, as they are, in `REPEATED_IN` of them or more."""
    scripts = [[line for line in path.read_text().splitlines() if line.strip()] for path in folder.glob("*.py")]
    holders = collections.Counter(line for lines in scripts for line in set(lines))
    return sum(holders[line] >= REPEATED_IN for lines in scripts for line in lines) / sum(map(len, scripts))


def figures() -> dict[str, str]:
    """Name -> figure."""
    modules = trees()
    sizes = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    large = [f"{path.relative_to(ROOT)} ({size})" for path, size in sorted(sizes.items()) if size > LONGEST_FILE]
    rings = [" <-> ".join(each.removeprefix("gen_jax.") for each in group) for group in circles(imports(modules))]
    longest = max(
        ((node.end_lineno or 0) - node.lineno + 1, f"{name.removeprefix('gen_jax.')}.{node.name}")
        for name, tree in modules.items()
        if name.startswith("gen_jax.models")
        for node in functions(tree)
    )
    taken = {
        f"arguments of {name}": str(arguments(modules[f"gen_jax.models.{module}"], name))
        for module, name in (("gan", "gan"), ("vae_body", "vae_body"), ("vae", "vae"))
    }
    return {
        "import circles": "; ".join(rings) or "none",
        f"files over {LONGEST_FILE} lines": "; ".join(large) or "none",
        "longest function in models/": f"{longest[0]} lines ({longest[1]})",
        **taken,
        "config or source of type Any": str(sum(map(untyped, modules.values()))),
        f"lines of experiments that stand in {REPEATED_IN} or more": f"{repeated():.0%}",
    }


if __name__ == "__main__":
    for name, figure in figures().items():
        print(f"{name:<48} {figure}")
