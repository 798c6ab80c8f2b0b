"""Pages that a newcomer follows word by word: what they show is there, and (science) works from top to bottom."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import documents
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_is_shown_is_python(page):
    for kind, _, text in documents.FENCE.findall(page.read_text()):
        if kind == "python":
            ast.parse(text)


def test_every_page_is_in_the_site():
    listed = re.findall(r":\s+([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_steps_are_read_in_order():
    steps = documents.steps(TUTORIAL)
    assert [step.name for step in steps if isinstance(step, documents.File)] == ["draw.py", "experiments/my_gan.py"]
    commands = [step.text for step in steps if isinstance(step, documents.Command)]
    assert commands[1] == "python draw.py"
    assert commands[-1].startswith("python -m gen_jax ablate")
    assert "--seeds 2" in commands[-1]


@pytest.mark.science
def test_the_tutorial_works_word_by_word(tmp_path):
    """In a copy of the checkout, with this interpreter in place of the environment that its first line enters."""
    for part in ("gen_jax", "experiments"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for step in documents.steps(TUTORIAL):
        if isinstance(step, documents.File):
            (tmp_path / step.name).write_text(step.text)
        elif not step.text.startswith("source "):
            command = step.text.replace("python ", f"{sys.executable} ", 1)
            ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
            assert ended.returncode == 0, f"{step.text}\n{ended.stdout[-800:]}\n{ended.stderr[-1500:]}"
    for made in ("runs/drawings/pictures/samples.png", "runs/drawings/report.html", "runs/mine/evaluation.json",
                 "studies/mine/table.tex"):  # fmt: skip
        assert (tmp_path / made).exists(), made
