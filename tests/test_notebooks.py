"""Notebooks run from top to bottom, are kept without outputs, and name what is there."""

import json
import re
import shutil
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path, kind):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_kept_has_no_outputs_and_points_to_what_is_there(path):
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    for target in re.findall(r"\]\(([^)#]+)\)", "\n".join(cells(path, "markdown"))):
        assert (path.parent / target).exists(), target
    for script in re.findall(r"experiments/\w+\.py", "\n".join(cells(path, "code"))):
        assert (ROOT / script).exists(), script


@pytest.mark.science
@pytest.mark.skipif(util.find_spec("nbclient") is None, reason="needs the package nbclient")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    """In a copy of the checkout, started in the notebook's own folder, as Jupyter does it."""
    import nbclient
    import nbformat

    for part in ("gen_jax", "experiments", "notebooks"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    book = nbformat.read(path, 4)
    nbclient.NotebookClient(book, timeout=1800, resources={"metadata": {"path": tmp_path / "notebooks"}}).execute()
    pictures = sum("image/png" in output.get("data", {}) for cell in book.cells for output in cell.get("outputs", []))
    assert pictures >= 7
    assert (tmp_path / "runs" / "first-steps" / "exported" / "decode.jax_export").exists()
