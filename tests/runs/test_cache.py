"""A cache that cannot be written costs the cache, with a line, and nothing else."""

import numpy as np
import pytest

from gen_jax.core import platform
from gen_jax.metrics import lenet
from gen_jax.runs.evaluation import cache


@pytest.fixture(params=["/dev/null/cache", "/proc/cache", "a file"])
def nowhere(request, tmp_path):
    (tmp_path / "a file").write_text("")
    return str(tmp_path / request.param)


def test_reference_statistics(nowhere, monkeypatch, capsys):
    monkeypatch.setenv("GEN_JAX_CACHE", nowhere)
    for _ in range(2):
        found = cache.remembered("kind", {"a": 1}, lambda: {"x": np.arange(3)})
        np.testing.assert_array_equal(found["x"], [0, 1, 2])
    told = capsys.readouterr().err
    assert "cannot write" in told
    assert nowhere in told


def test_a_lenet(nowhere, monkeypatch, capsys):
    trained = lenet.Classifier(2, {"w": np.zeros(2, np.float32)}, 0.5)
    monkeypatch.setattr(lenet, "train_classifier", lambda *given, **named: trained)
    images, labels = np.zeros((2, 8, 8, 1), np.uint8), np.arange(2)
    assert lenet.cached_classifier(nowhere, "f", images, labels, images, labels) == trained
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(64)])
def test_a_damaged_file_of_it_is_made_again(content, tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path))
    cache.remembered("kind", {"a": 1}, lambda: {"x": np.arange(3)})
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(content)
    np.testing.assert_array_equal(cache.remembered("kind", {"a": 1}, lambda: {"x": np.arange(4)})["x"], np.arange(4))


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(platform.user_cache()) == "/somewhere/.cache/gen_jax"
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a number without a name
    assert platform.user_cache().is_absolute()
