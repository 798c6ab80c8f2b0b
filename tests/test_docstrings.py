"""Every experiment says in its first lines its paper, what to expect, how long it takes, and how to call it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "experiments").glob("*.py") if path.stem != "__init__")
SAYS = {
    "a paper, with its year": r"\b(19|20)\d\d\b",
    "what to expect": r"\bexpect",
    "how long it takes": r"\b(minutes?|seconds?|hours?)\b",
    "its command": r"python experiments/{stem}\.py",
}


@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_experiment_says(path, says):
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert re.search(SAYS[says].format(stem=path.stem), text, re.IGNORECASE), f"{path.name} does not say {says}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_its_commands_are_ones_that_it_takes(path):
    """Flags of commands of this script in its own first lines are fields of its settings."""
    import dataclasses
    import importlib

    from gen_jax.runs.settings import flatten, to_json

    module = importlib.import_module(f"experiments.{path.stem}")
    known = set(flatten(to_json(module.Config()))) | {field.name for field in dataclasses.fields(module.Config)}
    text = (ast.get_docstring(ast.parse(path.read_text())) or "").replace("\\\n", " ")
    for line in re.findall(rf"experiments/{path.stem}\.py([^#\n]*)", text):
        for flag in re.findall(r"--([\w.-]+)", line):
            name = flag.replace("-", "_")
            assert name in known or name.removeprefix("no_") in known, f"--{flag}"
