"""compare: whatever makes a run another one makes it another arm; what may only explain other numbers is a note."""

import dataclasses
import json

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.labelled import few_labels
from gen_jax.runs import folder, identity, local_code, manifest
from gen_jax.studies import compare, results, sameness

SCRIPT = '"""An experiment.\n\nMore of it."""\n'


def make(
    path,
    seed=0,
    steps=6,
    reached=None,
    data="folder:/d/pics",
    changes=(),
    script=SCRIPT,
    command="",
    more=(),
    **versions,
):
    """A run folder without a model. `changes`: (data fingerprint, module text) of each sitting."""
    path.mkdir()
    (path / "experiment.py").write_text(script)
    settings = {"data": data, "seed": seed, "steps": steps, "hyper.lr": 1.0, "sample_every": 5, **dict(more)}
    (path / "config.json").write_text(json.dumps({"format": folder.FORMAT, **settings}))
    sittings = []
    for fingerprint, module in changes or [("a" * 64, "")]:
        code = {
            "experiment.py": local_code.File(path, script.encode()),
            "code/m.py": local_code.File(path, module.encode()),
        }
        sittings.append({
            "from_step": 0, "started": "", "finished": None, "run_seconds": 1.0, "compile_seconds": 1.0,
            "command": command,
            "versions": {"jax": "1", **versions}, "backend": "jit", "devices": 1, "flags": {},
            "code": {"commit": "c" * 40, "dirty": False},
            "platform": {"devices": ["cpu"], "cpu": "", "cpus": 2, "system": "", "python": ""},
            "identity": {
                "data": {"name": "folder:pics", "fingerprint": fingerprint}, "code": local_code.hashes(code),
                "settings": settings,
            },
        })  # fmt: skip
    last = sittings[-1]["identity"]["data"]
    record = {"status": "running" if reached else "complete", "reason": None, "parameters": {}, "sittings": sittings,
              "data": last, "process": {"clock": 0.0}}  # fmt: skip
    (path / "manifest.json").write_text(json.dumps(record))
    lines = [
        {"step": step, "seconds": 1.0, "images": 4, "held_out/error": 0.1} for step in range(1, (reached or steps) + 1)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


# how the third run differs -> the arms' names
OTHERS = {
    "in the seed alone": ({}, ["all"]),
    "in where its data lie": ({"data": "folder:/elsewhere/pics"}, ["all"]),
    "in length": ({"steps": 36}, ["steps=6", "steps=36"]),
    "in how far it has come": ({"reached": 4}, ["steps=6", "steps=4 of 6"]),
    "in its data": (
        {"changes": [("b" * 64, "")]}, ["data=folder:pics (aaaaaaaa)", "data=folder:pics (bbbbbbbb)"]),
    "in data changed on the way": (
        {"changes": [("a" * 64, ""), ("b" * 64, "")]},
        ["data=folder:pics (aaaaaaaa)", "data=folder:pics (aaaaaaaa then bbbbbbbb)"]),
    "in its script": ({"script": SCRIPT + "x = 1\n"}, None),
    "in a module": ({"changes": [("a" * 64, "x = 1")]}, None),
    "in what its script is": ({"script": '"""Another."""\n'}, ["An experiment.", "Another."]),
    "in how often it looked": ({"more": {"sample_every": 7}}, ["all"]),
    "in the last digits of a setting": ({"more": {"hyper.lr": 1.0000001}}, ["lr=1", "lr=1.0000001"]),
    "in how a number is written": ({"more": {"hyper.lr": 1}}, ["all"]),
    "in a setting": ({"more": {"hyper.lr": 2.0}}, ["lr=1", "lr=2"]),
}  # fmt: skip


def test_seeds_that_draw_their_labels_are_of_one_data_set(tmp_path):
    """The drawn labels are part of a run's fingerprint; what they were drawn from makes the arm."""
    base = source.from_arrays("x", *[{"x": np.zeros((20, 2, 2, 1)), "label": np.arange(20) % 2}] * 2, 2)
    runs, prints = [make(tmp_path / str(seed), seed) for seed in range(3)], set()
    for seed, run in enumerate(runs):
        record = json.loads((run / "manifest.json").read_text())
        drawn = few_labels(base if seed < 2 else dataclasses.replace(base, fingerprint="f" * 64), 2, seed)
        prints.add(drawn.fingerprint)
        record["sittings"][0]["identity"]["data"] = identity.of_data(drawn, "x")
        (run / "manifest.json").write_text(json.dumps(record))
    assert len(prints) == 3
    assert [group.name for group in results.groups_of_runs(runs[:2])] == ["all"]
    assert len(results.groups_of_runs(runs)) == 2
    assert not sameness.notes(runs[:2])
    assert "different data" in sameness.notes(runs)[0]


@pytest.mark.parametrize("name", OTHERS)
def test_only_seeds_of_one_thing_are_averaged(name, tmp_path):
    changes, names = OTHERS[name]
    runs = [make(tmp_path / "a", 0), make(tmp_path / "b", 1), make(tmp_path / "c", 2, **changes)]
    groups = results.groups_of_runs(runs)
    if names is None:  # a mark of the code, which is a hash
        assert [group.name[:5] for group in groups] == ["code=", "code="]
        assert len({group.name for group in groups}) == 2
    else:
        assert [group.name for group in groups] == names
    assert sum(len(group.runs) for group in groups) == 3


def test_runs_of_one_seed_and_other_lengths_are_compared(tmp_path):
    found = compare.compare([make(tmp_path / "a"), make(tmp_path / "b", steps=12)])
    assert [row.arm for row in found.rows] == ["steps=6", "steps=12"]


def test_settings_that_were_edited_are_refused_as_the_other_verbs_refuse_them(tmp_path):
    runs = [make(tmp_path / "a", 0), make(tmp_path / "b", 1)]
    edited = json.loads((runs[1] / "config.json").read_text()) | {"hyper.lr": 7.0}
    (runs[1] / "config.json").write_text(json.dumps(edited))
    with pytest.raises(UserError, match=r"b/config.json is not as it was when .*: hyper.lr is 1.0 there and 7.0 here"):
        compare.compare(runs)


def test_a_run_without_its_manifest_is_said_to_be_one(tmp_path):
    runs = [make(tmp_path / "a", 0, data="ring8"), make(tmp_path / "b", 1, data="ring8")]
    for run in runs:
        record = json.loads((run / "manifest.json").read_text().replace("folder:pics", "ring8"))
        (run / "manifest.json").write_text(json.dumps(record))
    assert [group.name for group in results.groups_of_runs(runs)] == ["all"]
    (runs[1] / "manifest.json").unlink()
    (runs[1] / "code").mkdir()
    (runs[1] / "code" / "m.py").write_text("")
    said = f"{runs[1]}: no manifest.json, so it is not known on which data this was trained."
    assert compare.compare(runs).detailed.notes[-1] == said
    assert [group.name for group in results.groups_of_runs(runs)] == [
        "data=ring8 (aaaaaaaa)", "data=ring8 (no manifest.json)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python experiments/gan.py --steps 6", "gan"),
        ("python /x/gen_jax/__main__.py ablate experiments/gan.py --seeds 2", "gan"),
        ("gen-jax ablate gan.py", "gan"),
        ("python /x/gen_jax/__main__.py reproduce runs/a", None),
    ],
)
def test_runs_of_older_studies_are_of_the_script_that_their_command_names(command, name):
    assert manifest.script_name({"sittings": [{"command": command}]}) == name
    known = {"command": command, "identity": {identity.SCRIPT_NAME: "own"}}
    assert manifest.script_name({"sittings": [known]}) == "own"


def test_other_versions_are_a_note(tmp_path):
    runs = [make(tmp_path / "a", 0), make(tmp_path / "b", 1, jax="2")]
    assert sameness.notes(runs) == ["The runs were made with different versions: jax 1 and 2."]
    assert compare.compare(runs).detailed.notes[-1] == sameness.notes(runs)[0]
    assert not sameness.notes(runs[:1])


def test_arms_of_several_scripts_are_named_by_them_and_what_varies_within(tmp_path):
    gan = {"command": "python experiments/dcgan.py --steps 6", "script": '"""A GAN."""\n'}
    runs = [
        make(tmp_path / "a", 0, **gan, more={"loss": "hinge"}),
        make(tmp_path / "b", 0, **gan, more={"loss": "minimax"}),
        make(tmp_path / "c", 0, command="python /x/vae.py", script='"""A VAE."""\n', more={"hyper.beta": 4.0}),
    ]
    names = [group.name for group in results.groups_of_runs(runs)]
    assert names == ["dcgan,loss=hinge", "dcgan,loss=minimax", "vae"]
