"""A damaged or crafted study.json ends as one line that names it, before anything is built or trained."""

import json
from pathlib import Path

import pytest
from endings import assert_one_line, contents, ending

from gen_jax import experiment
from gen_jax.runs.settings import to_json
from gen_jax.studies import study

SCRIPT = """
from dataclasses import dataclass
from gen_jax import experiment
@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    width: int = 4
def build(config, data): raise AssertionError("built")
"""
ASKED = {"experiment": "x.py", "settings": to_json(experiment.Config()), "grid": {"width": [4, 8]}, "seeds": 2,
         "baseline": "width=4"}  # fmt: skip


def made(place: Path, asked) -> Path:
    (place / "experiment.py").write_text(SCRIPT)
    (place / study.FILE).write_text(asked if isinstance(asked, str) else json.dumps(asked))
    return place


def test_a_sound_one_opens(tmp_path):
    opened = study.open_study(made(tmp_path, ASKED), trusted=True)
    assert [arm.name for arm in opened.arms] == ["width=4", "width=8"]
    assert opened.seeds == (0, 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("", ["not valid JSON"]),
        ("null", ["is null"]),
        ("[]", ["is a list"]),
        ("{}", ["has no experiment"]),
        ("[" * 9999, ["not valid JSON"]),
        ({**ASKED, "experiment": 3}, ["experiment is 3"]),
        ({**ASKED, "settings": []}, ["settings is a list"]),
        ({**ASKED, "settings": {"steps": "many"}}, ["settings.steps is 'many'"]),
        ({**ASKED, "settings": {"steps": []}}, ["settings.steps is a list"]),
        ({**ASKED, "settings": {"steps": None}}, ["settings.steps is null"]),
        ({**ASKED, "settings": {"nosuch": 1}}, ["does not fit", "nosuch"]),
        ({**ASKED, "settings": {"batch_size": -3}}, ["does not fit", "batch-size"]),
        ({**ASKED, "grid": []}, ["grid is a list"]),
        ({**ASKED, "grid": {"width": 3}}, ["grid.width is 3"]),
        ({**ASKED, "grid": {"nosuch": [1]}}, ["nosuch"]),
        ({**ASKED, "grid": {"width": ["a"]}}, ["its grid"]),
        ({**ASKED, "grid": {"width": [{}]}}, ["its grid"]),
        ({**ASKED, "seeds": "two"}, ["seeds is 'two'"]),
        ({**ASKED, "seeds": 10**12}, ["1000000000000 seeds"]),
        ({**ASKED, "seeds": 0}, ["0 seeds"]),
        ({**ASKED, "baseline": None}, ["baseline is null"]),
    ],
)
def test_what_is_wrong_is_named(asked, words, tmp_path, capsys):
    folder = made(tmp_path, asked)
    before = contents(folder)
    status, _, err = ending(lambda: study.open_study(folder, trusted=True), capsys)
    assert_one_line(status, err, *words)
    assert contents(folder) == before


@pytest.mark.parametrize("record", ["null", "[]", "{", '{"kind": 3, "message": "x"}', '{"kind": "diverged"}'])
def test_a_damaged_record_of_a_failure(record, tmp_path, capsys):
    opened = study.open_study(made(tmp_path, ASKED), trusted=True)
    path = opened.failure_file(opened.arms[0], 0)
    path.parent.mkdir(parents=True)
    path.write_text(record)
    status, _, err = ending(lambda: study.failures(opened), capsys)
    assert_one_line(status, err, str(path))


READERS = {
    "ablate": lambda folder: study.plan_study(
        folder, folder / "experiment.py", experiment.Config, lambda config, data: None, experiment.Config(), {}, 2
    ),
    "ablate --seeds auto": study.seeds_there,
    "a script of papers": lambda folder: study.open_study(folder, trusted=True),
}
DAMAGED = ["{", "[]", json.dumps({**ASKED, "settings": {"steps": None}}), None]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("asked", DAMAGED)
def test_a_damaged_one_is_not_to_be_deleted(asked, reader, tmp_path, capsys):
    """Its runs would be a folder that is no study; the advice is one that works. None: it is a folder."""
    folder = made(tmp_path, asked or "")
    if asked is None:
        (folder / study.FILE).unlink()
        (folder / study.FILE).mkdir()
    (folder / "runs").mkdir()
    status, _, err = ending(lambda: READERS[reader](folder), capsys)
    assert_one_line(status, err, study.FILE, "restore it, or give another --study-dir")
    assert "delete" not in err
