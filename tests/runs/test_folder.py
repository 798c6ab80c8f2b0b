"""A run folder is continued, refused or begun; a refusal touches nothing."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gen_jax import experiment
from gen_jax.core.errors import UserError
from gen_jax.runs import folder
from gen_jax.runs.settings import to_json


@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    width: int = 4
    hyper: Hyper = field(default_factory=Hyper)


SCRIPT = """
from dataclasses import dataclass, field
from gen_jax import experiment
@dataclass(frozen=True)
class Hyper:
    lr: float = 1e-3
@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    width: int = 4
    hyper: Hyper = field(default_factory=Hyper)
def build(config, data):
    return config.width
"""


@pytest.fixture
def run(tmp_path):
    """A run folder as training leaves it, beside its script."""
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    path = tmp_path / "run"
    path.mkdir()
    folder.write_config(path, Config())
    (path / "experiment.py").write_text(SCRIPT)
    (path / "checkpoints" / "8").mkdir(parents=True)
    return path, script


def contents(path: Path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_new_or_empty_folder_begins_and_an_equal_one_continues(run, tmp_path):
    path, script = run
    assert not folder.check(tmp_path / "new", Config(), script)
    (tmp_path / "empty").mkdir()
    assert not folder.check(tmp_path / "empty", Config(), script)
    assert folder.check(path, Config(), script)


def test_more_steps_and_another_layout_continue(run):
    path, script = run
    assert folder.check(path, Config(steps=9000, devices=1, backend="pmap", steps_per_call=3), script)


def test_another_configuration_is_refused_by_field(run):
    path, script = run
    before = contents(path)
    with pytest.raises(UserError, match=r"hyper.lr is 0.001 there and 0.5 here; width is 4 there and 8 here"):
        folder.check(path, Config(width=8, hyper=Hyper(0.5)), script)
    assert contents(path) == before


def test_foreign_folders_and_files_are_refused(run, tmp_path):
    _, script = run
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"x")
    with pytest.raises(UserError, match="no config.json"):
        folder.check(tmp_path / "photos", Config(), script)
    with pytest.raises(UserError, match="is a file"):
        folder.check(script, Config(), script)


def test_a_damaged_config_is_named(run):
    path, script = run
    (path / "config.json").write_text('{"steps": 1')
    with pytest.raises(UserError, match="config.json is damaged"):
        folder.check(path, Config(), script)


def test_a_run_is_rebuilt_from_its_folder_alone(run):
    path, script = run
    script.unlink()
    opened = folder.open_run(path, trusted=True)
    assert to_json(opened.config) == to_json(Config())
    assert opened.build(opened.config, None) == 4
    with pytest.raises(UserError, match="no run folder"):
        folder.open_run(path.parent)


def test_one_process_at_a_time(run):
    path, _ = run
    claim = folder.lock(path)
    with pytest.raises(UserError, match="another process"):
        folder.lock(path)
    assert claim >= 0


@dataclass(frozen=True, kw_only=True)
class Asked(experiment.Config):
    width: int = 64
    loss: str = "hinge"
    widths: tuple[int, ...] = (4, 4)
    hyper: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "mine-mnist5k-seed0"),
        ({"steps": 9, "log_every": 3, "log": "csv", "devices": 2, "run_dir": None}, "mine-mnist5k-seed0"),
        ({"width": 32, "seed": 4}, "mine-mnist5k-width32-seed4"),
        ({"hyper": {"lr": 5e-4}, "widths": (8, 2)}, "mine-mnist5k-widths8-2-lr0.0005-seed0"),
        ({"loss": "a/b:c"}, "mine-mnist5k-lossa-b-c-seed0"),
        ({"data": "folder:drawings"}, "mine-folder-drawings-seed0"),
    ],
)
def test_a_default_folder_says_what_was_changed(run, given, name):
    assert folder.default_run_dir(run[1], Asked(**given)) == Path("runs") / name


def test_default_folders_of_different_runs_do_not_collide(run):
    asked = [
        Asked(), Asked(width=3), Asked(batch_size=3), Asked(seed=3), Asked(image_size=3), Asked(hyper={"lr": 3.0}),
        Asked(data="folder:/one/x"), Asked(data="folder:/two/x"), Asked(hyper={"lr": 3.0, "long_name" * 9: 1.0}),
        Asked(hyper={"lr": 3.0, "long_name" * 9: 2.0}), Asked(precision="bfloat16"), Asked(channels=3),
    ]  # fmt: skip
    names = [folder.default_run_dir(run[1], each).name for each in asked]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 120


def test_how_often_a_run_is_looked_at_may_change(run):
    path, script = run
    assert folder.check(path, Config(log_every=3, sample_every=4, evaluate_every=0, checkpoint_every=7), script)
    with pytest.raises(UserError, match="batch_size is 64 there and 3 here"):
        folder.check(path, Config(log_every=3, batch_size=3), script)


def test_default_folder_names_experiment_data_and_seed(run):
    _, script = run
    assert folder.default_run_dir(script, Config()) == Path("runs/mine-mnist5k-seed0")
    assert folder.default_run_dir(script, Config(data="tfds:fashion_mnist", seed=3)) == Path(
        "runs/mine-tfds-fashion_mnist-seed3"
    )


@pytest.mark.parametrize(("number", "word"), [(1, "gen_jax 0.1.0"), (3, "a later release"), ("x", "no release")])
def test_a_folder_of_another_format_is_read_where_that_is_simple_and_left_as_it_is(run, number, word):
    path, script = run
    settings = to_json(Config()) | ({} if number == 1 else {"format": number})
    (path / "config.json").write_text(json.dumps(settings))
    (path / "experiment.py").write_text("raise RuntimeError('a script of another contract is not executed')")
    before = contents(path)
    for attempt in (lambda: folder.open_run(path), lambda: folder.check(path, Config(), script)):
        with pytest.raises(UserError, match=f"format {number}, whose model {word}.* rebuilds") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert folder.read_config(path) == to_json(Config())
    assert contents(path) == before


def test_settings_that_are_no_object_are_damage(run):
    path, _ = run
    (path / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="is damaged"):
        folder.read_config(path)


def test_info_says_the_step(run, capsys):
    from gen_jax.verbs.info import info

    path, _ = run
    info(path, json=True)
    assert json.loads(capsys.readouterr().out)["step"] == 8
    for name in ("500", "1000", "20.orbax-checkpoint-tmp-7"):
        (path / "checkpoints" / name).mkdir(parents=True)
    info(path, json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["step"], found["checkpoints"]) == (1000, "8, 500, 1000")
