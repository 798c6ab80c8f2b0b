"""What was read of the data is told once, at the first line of a run, and stays in its manifest."""

import json

import numpy as np
import pytest
import toys
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.runs import manifest


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return toys.make(tmp_path_factory.mktemp("told"))


def test_a_run_says_and_keeps_what_it_read(bench, capsys):
    toys.picture(bench.pictures / "a" / ".ipynb_checkpoints" / "0.png", 0)
    (bench.pictures / "notes.txt").write_text("no picture")
    bench.train()
    lines = [line for line in capsys.readouterr().err.splitlines() if "train and" in line]
    assert len(lines) == 1
    assert "3 classes (a: " in lines[0]
    assert "left out: .ipynb_checkpoints/ (1 image), 1 file of other kinds (.txt)" in lines[0]
    read = json.loads((bench.run / "manifest.json").read_text())["data"]["read"]
    assert read["train"] + read["test"] == 24
    assert read["shape"] == [4, 4, 1]
    assert read["class_names"] == ["a", "b", "c"]
    assert sum(read["class_counts"]) == read["train"]
    assert "left out" in dict(manifest.summary(bench.run))["read"]


def test_bits_are_asked_about_before_anything_is_written(bench):
    bits = bench.folder / "bits"
    bits.mkdir()
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 2, (4, 4), np.uint8)
        Image.fromarray(pixels).save(bits / f"{number}.png")
    run = bench.folder / "bits_run"
    with pytest.raises(UserError, match="give --levels 2 if 1 is white"):
        bench.train(data=f"folder:{bits}", run_dir=run)
    assert not run.exists()
    bench.train(data=f"folder:{bits}", run_dir=run, levels=2)
    assert json.loads((run / "config.json").read_text())["levels"] == 2
