"""What may be written after --data."""

import subprocess
import sys

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data.load import load


@pytest.mark.parametrize("spec", ["digits", "ring8", "grid25"])
def test_names(spec):
    assert load(spec).name == spec


def test_size_and_channels_reach_every_kind(tmp_path):
    data = load("digits", image_size=12, channels=3)
    assert data.shape == (12, 12, 3)
    assert data.train.arrays["x"].dtype == np.uint8
    assert data.fingerprint != load("digits").fingerprint
    np.savez(tmp_path / "x.npz", images=np.full((20, 4, 4), 200, np.uint8))
    assert load(f"npz:{tmp_path}/x.npz", image_size=8).shape == (8, 8, 1)
    stacked = load("stacked:digits", image_size=4)
    assert stacked.shape == (4, 4, 3)
    assert stacked.train.read(np.arange(2))["x"].shape == (2, 4, 4, 3)
    assert load("stacked:digits").fingerprint != stacked.fingerprint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnist5", "there is no data set 'mnist5'; did you mean mnist5k"),
        ("fodler:x", "did you mean folder:PATH"),
        ("zzz", "there are mnist5k, digits, ring8, grid25, sprites, stacked:SOURCE, tfds:NAME, folder:PATH, npz:PATH"),
        ("", "there is no data set ''"),
        ("tfds", "did you mean tfds:NAME"),
        ("folder:", "did you mean folder:PATH"),
        ("ring8:", "there is no data set 'ring8:'"),
        ("stacked:nope", "there is no data set 'nope'"),
        ("stacked:grid25", "grey images, but grid25 has points"),
        ("stacked:stacked:digits", "images with 3 channels"),
        ("folder:/does/not/exist", "there is no such folder"),
        ("npz:/does/not/exist", "there is no such file"),
    ],
)
def test_mistakes(spec, message):
    with pytest.raises(UserError, match=message) as caught:
        load(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("drawings", "give folder:drawings"),
        ("clips", "give wav:clips"),
        ("both", "give pairs:both"),
        ("rows.csv", "give table:rows.csv"),
        ("all.npz", "give npz:all.npz"),
        ("cifar10", "give tfds:cifar10"),
        ("Fashion_MNIST", "give tfds:fashion_mnist"),
        ("mnist", "give tfds:mnist or mnist5k"),
        ("notes.md", "there are mnist5k"),
        ("folder:notes.md", "folder:notes.md: notes.md is a file; give a folder"),
        ("folder:rows.csv", "rows.csv is a file; give --data table:rows.csv"),
        ("wav:clips/a.wav", "a.wav is a file; give a folder"),
        ("pairs:all.npz", "all.npz is a file; give --data npz:all.npz"),
        ("npz:drawings", "drawings is a folder; give --data folder:drawings"),
        ("table:clips", "clips is a folder; give --data wav:clips"),
        ("wav:DIR", "give --data wav:DIR with yours in place of DIR"),
        ("stacked:tfds:NAME", "give --data tfds:NAME with yours"),
        ("few:10:table:both", "both is a folder; give --data pairs:both"),
    ],
)
def test_paths_and_names_of_the_wrong_kind(spec, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("drawings/a.png", "clips/a.wav", "both/x/a.png", "both/y/a.png", "rows.csv", "all.npz", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserError) as caught:
        load(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("ring8", {"image_size": 8}, "ring8 has points, not images"),
        ("stacked:digits", {"channels": 1}, "3 channels by construction"),
        ("digits", {"channels": 2}, "2 channels: images have 1"),
        ("digits", {"image_size": 0}, "image size 0"),
    ],
)
def test_options_that_do_not_apply(spec, options, message):
    with pytest.raises(UserError, match=message):
        load(spec, **options)


def test_importing_is_light():
    heavy = ("tensorflow", "tensorflow_datasets", "grain", "sklearn", "mlxtend", "PIL", "matplotlib")
    program = f"import sys, gen_jax.data.load, gen_jax.data.feed; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
