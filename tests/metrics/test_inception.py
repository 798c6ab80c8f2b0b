"""The FID Inception against torch-fidelity's under the same seeded weights, and weight files read without PyTorch."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import inception, lenet
from gen_jax.metrics.torch_file import read_state_dict

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_inception  # noqa: E402


@pytest.fixture(scope="module")
def golden():
    return np.load(FOLDER / "inception.npz")


@pytest.fixture(scope="module")
def state(golden):
    shapes = [tuple(map(int, shape.split(","))) for shape in golden["shapes"]]
    return {str(name): make_inception.seeded(str(name), s) for name, s in zip(golden["names"], shapes, strict=True)}


FIRST, *OTHERS = make_inception.SIZES


@pytest.mark.parametrize("size", [FIRST, *(pytest.param(size, marks=pytest.mark.science) for size in OTHERS)])
def test_pool3_and_logits_agree_with_torch_fidelity(golden, state, size):
    got = inception.apply(inception.convert_inception(state), make_inception.images(*size))
    for ours, name in zip(got, ("pool", "logits"), strict=True):
        theirs = golden[f"{name}_{size[0]}"]
        assert theirs.std() > 0.1  # the seeded network is alive
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_resize_has_tensorflow_1_corners():
    image = np.array([[0.0, 1.0, 2.0, 3.0]], np.float32).reshape(1, 1, 4, 1)
    row = np.asarray(inception.resize(image, 8))[0, 0, :, 0]
    assert row.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]  # source = target / 2, clamped; no half-pixel shift


def test_wrong_weights_and_images_are_refused(state):
    with pytest.raises(UserError, match="missing"):
        inception.convert_inception({n: a for n, a in state.items() if not n.startswith("Mixed_7c")})
    with pytest.raises(UserError, match=r"conv\.extra"):
        inception.convert_inception({**state, "Mixed_5b.conv.extra": np.zeros(1)})
    with pytest.raises(UserError, match="uint8"):
        inception.apply({}, np.zeros((1, 8, 8, 3), np.float32))
    with pytest.raises(UserError, match=r"nowhere\.pth.*https"):
        inception.load("nowhere.pth")


def test_converted_weights_come_back_whole(state, tmp_path):
    params = inception.convert_inception(state)
    inception.save(params, tmp_path / "inception.npz")
    again = inception.load(tmp_path / "inception.npz")
    assert lenet.weight_hash(again) == lenet.weight_hash(params)
    with (tmp_path / "inception.npz").open("r+b") as file:
        file.truncate(10_000)
    with pytest.raises(UserError, match="convert-inception"):
        inception.load(tmp_path / "inception.npz")
    np.savez(tmp_path / "other.npz", fc=np.zeros(3))
    with pytest.raises(UserError, match="does not hold"):
        inception.load(tmp_path / "other.npz")


def test_an_archive_that_unpacks_to_more_than_the_weights_is_not_unpacked(monkeypatch, tmp_path):
    monkeypatch.setattr(inception, "MOST_BYTES", 1000)
    np.savez_compressed(tmp_path / "large.npz", fc=np.zeros(2000, np.uint8))
    with pytest.raises(UserError, match=r"unpacks to 2.* KiB.*convert-inception"):
        inception.load(tmp_path / "large.npz")


@pytest.mark.parametrize("name", ["weights_zip.pth", "weights_stream.pth"])
def test_both_file_formats_read_without_torch(name):
    weights = read_state_dict(FOLDER / name)
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    np.testing.assert_array_equal(weights["whole"], whole)
    np.testing.assert_array_equal(weights["turned"], whole.T)
    np.testing.assert_array_equal(weights["part"], whole[1:3, 2:])
    assert weights["half"].dtype == np.float16
    assert weights["half"].tolist() == [0.5, -2]
    assert weights["parameter"].tolist() == [1.5]
    assert weights["count"].shape == ()
    assert weights["count"] == 7
    assert "torch" not in sys.modules


class Crafted:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.mark.parametrize("content", ["truncated zip", "truncated stream", "text", "crafted"])
def test_damaged_and_crafted_files_give_one_clear_line(tmp_path, capsys, content):
    raw = {
        "truncated zip": (FOLDER / "weights_zip.pth").read_bytes()[:600],
        "truncated stream": (FOLDER / "weights_stream.pth").read_bytes()[:-40],
        "text": b"not found",
        "crafted": pickle.dumps(Crafted()),
    }[content]
    (tmp_path / "bad.pth").write_bytes(raw)
    with pytest.raises(UserError, match="cannot read weights"):
        read_state_dict(tmp_path / "bad.pth")
    assert "never run" not in capsys.readouterr().out
