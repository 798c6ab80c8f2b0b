"""Scripts of experiments/papers that are no study of run folders, and what the studies promise of their networks."""

import importlib.util
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data.load import load

FOLDER = Path(__file__).parents[2] / "experiments" / "papers"


def script(name: str):
    found = importlib.util.spec_from_file_location(f"papers_{name}", FOLDER / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


# ---- IWAE's stages -----------------------------------------------------------------------------------------------
def test_stages_are_epochs_of_these_data():
    iwae = script("iwae_k")
    steps, told = iwae.length(iwae.Config(data="digits", stages=2))
    assert steps == (1 + 3 + 9) * (load("digits").train.size // 20)
    assert "13 of 3,280 epochs" in told
    assert iwae.length(iwae.Config())[0] == iwae.STEPS
    with pytest.raises(UserError, match="leave --steps out"):
        iwae.length(iwae.Config(steps=5, stages=1))


# ---- losses --------------------------------------------------------------------------------------------------------
def test_the_spread_of_seeds_stands_beside_that_of_losses():
    losses = script("gan_losses")
    values = {"a": {"fd": {0: 10.0, 1: 14.0}}, "b": {"fd": {0: 20.0, 1: 20.0}}}
    within, between = np.sqrt(8.0 / 2), np.std([12.0, 20.0], ddof=1)
    text = losses.spreads(values)
    assert f"deviation of {within:.1f} (pooled; the widest range is 4.0)" in text
    assert f"one of {between:.1f} (from 12.0 to 20.0)" in text
    assert losses.spreads({"a": values["a"]}) == ""


# ---- Stacked MNIST -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("arm", "critic"), [("dcgan", 4_310_401), ("pacdcgan2", 4_315_201)])
def test_the_networks_of_stacked_mnist_have_the_published_counts(arm, critic):
    stacked = script("stacked_mnist")
    algorithm = stacked.build(stacked.Config(arm=arm), load("stacked:mnist5k"))
    params = jax.eval_shape(algorithm.init, jax.random.key(0)).params
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(player)) for name, player in params.items()}
    assert counts == {"generator": 4_514_819, "discriminator": critic}
    assert stacked.sizes(28) == [4, 7, 14, 28]


@pytest.mark.parametrize("arm", ["rpgan_r1_r2", "gan_r1"])
def test_every_arm_of_the_two_by_two_makes_pictures(arm):
    stacked = script("stacked_mnist")
    source = load("stacked:mnist5k")
    algorithm = stacked.build(stacked.Config(arm=arm, width=2), source)
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    batch = {"x": jax.ShapeDtypeStruct((algorithm.minibatches["train"], 4, *source.shape), np.float32)}
    after, _ = jax.eval_shape(algorithm.update, state, {"train": batch})
    assert jax.tree.map(lambda leaf: leaf.shape, after.params) == jax.tree.map(lambda leaf: leaf.shape, state.params)


# ---- the stability map ---------------------------------------------------------------------------------------------
def a_map(module, folder: Path, **how):
    return module.Config(study_dir=folder, rates=2, weights=1, losses=("hinge", "wasserstein"), steps=3, **how)


def test_runs_of_the_map_are_the_same_together_and_one_by_one(tmp_path):
    module = script("stability_map")
    for number, name in ((4, "together"), (1, "alone")):
        module.main(a_map(module, tmp_path / name, at_once=number))
    together, alone = (
        json.loads((tmp_path / name / "map.json").read_text())["cells"] for name in ("together", "alone")
    )
    assert together.keys() == alone.keys()
    assert len(together) == 4
    for name, found in together.items():
        assert found["reverse_kl"] == pytest.approx(alone[name]["reverse_kl"], rel=0.05)
    assert (tmp_path / "alone" / "map.png").read_bytes().startswith(b"\x89PNG")
    assert "= 4 runs of 3 rounds" in (tmp_path / "alone" / "paper.md").read_text()


def test_a_map_goes_on_where_it_was(tmp_path, monkeypatch):
    module = script("stability_map")
    cell = {"modes": 8, "good": 1.0, "reverse_kl": 0.0, "nonfinite": 0}
    cells = [module.Cell(loss, rate, 1e-4) for loss in ("hinge", "wasserstein") for rate in module.axis((1e-5, 0.1), 2)]
    kept = {each.name: cell for each in cells[:3]}
    (tmp_path / "map.json").write_text(json.dumps({"steps": 3, "seconds": 60.0, "cells": kept}))
    asked = []
    monkeypatch.setattr(
        module, "train", lambda names, left, *rest: asked.extend(left) or [(each, cell) for each in left]
    )
    module.main(a_map(module, tmp_path))
    assert asked == cells[3:]
    assert json.loads((tmp_path / "map.json").read_text())["seconds"] >= 60.0
    with pytest.raises(UserError, match="holds runs of 3 rounds"):
        module.main(module.Config(study_dir=tmp_path, steps=4))


def test_the_map_plays_the_loss_whose_weight_is_one():
    module = script("stability_map")
    real, fake = jax.numpy.array([0.3, 2.0]), jax.numpy.array([-0.4, 1.5])
    for name in module.NAMES:
        hyper = {other: jax.numpy.float32(other == name) for other in module.NAMES}
        context = type("Context", (), {"hyper": hyper})
        made, wanted = module.played(module.NAMES).adapt(None, context), module.Loss[name].value
        for player in ("discriminator", "generator"):
            np.testing.assert_allclose(
                getattr(made, player)(real, fake), getattr(wanted, player)(real, fake), rtol=1e-6
            )


# ---- the record ----------------------------------------------------------------------------------------------------
def a_record(hardware: str, *distances: float) -> dict:
    curve = [{"round": 100 * n, "seconds": 10.0 * n, "fd": fd} for n, fd in enumerate(distances, 1)]
    settings = {"width": 32, "batch_size": 64, "lr": 2e-4, "precision": "float32", "every": 100}
    return {"hardware": hardware, "curve": curve, "settings": settings, "ruler": "abc"}


def test_a_row_of_the_record_is_the_fastest_of_its_hardware(tmp_path):
    module = script("fashion_record")
    records = [a_record("gpu", 50.0, 30.0, 19.0), a_record("gpu", 40.0, 18.0), a_record("cpu", 60.0, 45.0)]
    text = module.markdown(records, 20.0)
    assert "| gpu | **20.0** | 200 | 18.00 |" in text
    assert "| cpu | not in 20 | 200 | 45.00 |" in text
    (tmp_path / "records.json").write_text(json.dumps(records[:1]))
    module.main(module.Config(study_dir=tmp_path / "here", merge=(tmp_path / "records.json",)))
    assert json.loads((tmp_path / "here" / "records.json").read_text()) == records[:1]
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match="no records"):
        module.main(module.Config(study_dir=tmp_path, merge=(tmp_path / "nothing.json",)))


def test_the_clock_of_the_record_starts_with_the_process():
    import time

    assert 0 < time.time() - script("fashion_record").process_start() < 24 * 3600


def test_a_record_is_made_with_its_whole_curve(monkeypatch):
    import time

    from gen_jax.metrics import features, frechet

    module = script("fashion_record")
    pixels = features.pixels((8, 8, 1))
    extractor = pixels._replace(stamp={"weights": "none"})
    images = load("digits").test.read(np.arange(100))["x"]
    monkeypatch.setattr(module, "ruler", lambda source: (extractor, frechet.moments_of(pixels.apply(images))))
    monkeypatch.setattr(module, "SAMPLES", 100)
    monkeypatch.setattr(module, "DRAWN", 50)
    config = module.Config(data="digits", width=2, batch_size=8, every=1, most=2, target=1e-6)
    record = module.attempt(config, time.time())
    assert [point["round"] for point in record["curve"]] == [1, 2]
    assert record["settings"]["every"] == 1


# ---- the driver ----------------------------------------------------------------------------------------------------
def test_the_driver_goes_on_with_what_is_not_done(tmp_path, monkeypatch, capsys):
    module = script("gpu")
    code = "import pathlib, sys, time\npathlib.Path(sys.argv[2]).write_text('x')\ntime.sleep(float(sys.argv[1]))\n"
    (tmp_path / "call.py").write_text(code)
    calls = [
        module.Task(name, tmp_path / "call.py", (seconds, str(tmp_path / name)))
        for name, seconds in (("quick", "0"), ("slow", "60"), ("never", "0"))
    ]
    monkeypatch.setattr(module, "tasks", lambda config: calls)
    config = module.Config(study_dir=tmp_path / "all", minutes=0.05)
    module.main(config)
    assert list(json.loads((tmp_path / "all" / "gpu.json").read_text())) == ["quick"]
    assert (tmp_path / "slow").exists()
    assert not (tmp_path / "never").exists()
    assert "goes on with slow" in capsys.readouterr().out
    (tmp_path / "quick").unlink()
    monkeypatch.setattr(module, "tasks", lambda config: calls[:1])
    module.main(config)
    assert not (tmp_path / "quick").exists()  # it is done
    bad = module.Task("bad", tmp_path / "nowhere.py", ())
    monkeypatch.setattr(module, "tasks", lambda config: [bad])
    with pytest.raises(UserError, match="nowhere.py ended with status 2"):
        module.main(config)


def test_every_script_that_the_driver_calls_takes_what_it_is_given(tmp_path):
    module = script("gpu")
    found = module.tasks(module.Config(data_dir=tmp_path, cifar=tmp_path, out=tmp_path / "x.md"))
    assert len({task.name for task in found}) == len(found) == 7
    for task in found:
        assert task.script.is_file()
