"""The gallery's page says what made each picture."""

import json

from experiments.gallery import __main__ as gallery


def made(name, **more):
    row = gallery.ROWS[name]
    return {
        "command": f"experiments/{row.script or name}.py", "data": "folder:own" if row.colour else "mnist5k", "seed": 3,
        "seconds": 90.0, "machine": "an accelerator", "score": None,
    } | more  # fmt: skip


def test_a_row_stands_with_its_own_script_data_and_machine():
    score = {"name": "FD-LeNet", "value": 12.5, "interval": [12.0, 13.0]}
    text = gallery.page({"colour_dcgan": made("colour_dcgan"), "vae": made("vae", score=score)})
    assert ".venv/bin/python experiments/dcgan.py --data folder:own --seed 3" in text
    assert "FD-LeNet 12.5 (12 to 13)" in text
    assert "trained for 1 min 30 s on an accelerator" in text
    assert text.index("`vae`") < text.index("`colour_dcgan`")  # in the order of the rows


def test_every_row_has_its_experiment():
    there = {path.stem for path in (gallery.ROOT / "experiments").glob("*.py")}
    assert {row.script or name for name, row in gallery.ROWS.items()} <= there


def test_the_page_is_of_what_was_made():
    made_so_far = json.loads((gallery.ROOT / "docs" / gallery.FILE).read_text())
    assert (gallery.ROOT / "docs" / "gallery.md").read_text() == gallery.page(made_so_far)
