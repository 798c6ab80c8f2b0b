"""Where a command may write: checked before the work, in one line, and never over a file of a run."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from endings import assert_one_line, contents, ending

from gen_jax.core.errors import UserError
from gen_jax.runs import outputs
from gen_jax.verbs import common
from gen_jax.verbs.compare import compare
from gen_jax.verbs.convert_inception import convert_inception
from gen_jax.verbs.export import export
from gen_jax.verbs.interpolate import interpolate
from gen_jax.verbs.latents import latents
from gen_jax.verbs.reconstruct import reconstruct
from gen_jax.verbs.sample import sample
from gen_jax.verbs.score import score
from gen_jax.verbs.traverse import traverse

DRAW = {"sample": sample, "reconstruct": reconstruct, "interpolate": interpolate, "traverse": traverse,
        "latents": latents}  # fmt: skip

OPEN = common.open_state


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two runs and a study, by their marks; a verb that gets as far as opening one fails the test."""
    for name in ("run", "other", "study/runs/arm/seed0"):
        (tmp_path / name / "samples").mkdir(parents=True)
        (tmp_path / name / "pictures").mkdir()
        (tmp_path / name / "checkpoints").mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "samples" / "step_00000004.png").write_bytes(b"png")
    (tmp_path / "study" / "study.json").write_text("{}")
    (tmp_path / "a file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    monkeypatch.setattr(common, "open_state", _too_late)
    for verb in DRAW.values():
        monkeypatch.setitem(verb.__globals__, "open_state", _too_late)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _too_late(*given):
    raise AssertionError("the run was opened before its output was checked")


WRONG = [
    ("run/config.json", ["--out", ".png"]),
    ("run/samples/step_00000004.png", ["among the files of the run"]),
    ("run/samples/new.png", ["among the files of the run"]),
    ("run/checkpoints/x.png", ["among the files of the run"]),
    ("other/samples/step_00000004.png", ["among the files of the run", "other"]),
    ("study/runs/arm/seed0/samples/x.png", ["among the files of the run"]),
    ("link/samples/step_00000004.png", ["among the files of the run"]),
    ("run/pictures/../samples/x.png", ["among the files of the run"]),
    ("a.xyz", [".png"]),
    ("a.jpg", [".png"]),
    ("a", [".png"]),
    (".png", [".png"]),
    ("run", [".png"]),
    ("a file/x.png", ["is no folder"]),
    ("/proc/x/y.png", ["/proc/x/y.png"]),
    ("/dev/null/y.png", ["is no folder"]),
    ("n" * 300 + ".png", ["too long"]),
    ("folder.png", ["is a folder"]),
]


@pytest.mark.parametrize(("out", "words"), WRONG, ids=[out[:40] for out, _ in WRONG])
def test_pictures_are_refused_before_the_run_is_opened(out, words, place, capsys):
    (place / "folder.png").mkdir()
    before = contents(place)
    for verb in DRAW.values():
        status, _, err = ending(lambda verb=verb: verb(place / "run", out=Path(out)), capsys)
        assert_one_line(status, err, *words)
    assert contents(place) == before


@pytest.mark.parametrize(
    "npz", ["run/config.json", "x.npy", "x", "run/samples/x.npz", "a file/x.npz", "run/config.npz/.."]
)
def test_arrays_are_refused_before_the_run_is_opened(npz, place, capsys):
    before = contents(place)
    status, _, err = ending(lambda: sample(place / "run", npz=Path(npz)), capsys)
    assert_one_line(status, err, "--npz")
    assert contents(place) == before


@pytest.mark.parametrize(
    "out", ["x.png", "new/folder/x.PNG", "run/pictures/x.png", "run/new.png", "link/pictures/x.png", "study/mine.png"]
)
def test_other_places_are_taken(out, place):
    assert common.picture_path(place / "run", "samples", Path(out)) == Path(out)
    assert not Path(out).parent.exists() or not Path(out).exists()


def test_what_is_there_in_a_run_is_kept_but_a_verbs_own_pictures(place):
    (place / "run" / "mine.png").write_bytes(b"")
    with pytest.raises(UserError, match="among the files"):
        outputs.file(Path("run/mine.png"), "--out", ".png")
    (place / "run" / "pictures" / "samples.png").write_bytes(b"")
    assert outputs.file(Path("run/pictures/samples.png"), "--out", ".png")


def test_a_linked_folder_of_pictures_is_not_written_into(place):
    shutil.rmtree(place / "run" / "pictures")
    (place / "run" / "pictures").symlink_to(place / "other")
    with pytest.raises(UserError, match="is a link"):
        common.picture_path(place / "run", "samples", None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(place):
    (place / "other").chmod(0o500)
    with pytest.raises(UserError, match="cannot be written there"):
        outputs.file(Path("other/new.png"), "--out", ".png")


@pytest.mark.parametrize(
    "out", ["run", "study", "link", "run/pictures", "study/runs/arm/seed0", "a file", "/dev/null/x"]
)
def test_compare_writes_into_no_run_and_no_study(out, place, capsys):
    before = contents(place)
    status, _, err = ending(lambda: compare((place / "run", place / "other"), out=Path(out)), capsys)
    assert_one_line(status, err, "--out")
    assert contents(place) == before


def test_compare_may_write_beside_them(place):
    for out in ("new", "deep/new", "study/comparison"):
        assert outputs.folder(Path(out), "--out") == Path(out)


@pytest.mark.parametrize("out", ["run/config.json", "weights", "run/samples/x.npz"])
def test_converted_weights(out, place, capsys):
    status, _, err = ending(lambda: convert_inception(place / "none.pth", Path(out)), capsys)
    assert_one_line(status, err, "OUT")


@pytest.mark.parametrize(
    ("out", "data"),
    [
        ("rows.csv", "table:{}/rows.csv"),
        ("rows.csv", "table:{}/link/../rows.csv"),
        ("sub/../rows.csv", "few:10:table:{}/rows.csv"),
        ("a:b.csv", "table:{}/a:b.csv"),
    ],
)
def test_the_file_of_the_data_is_not_written_over(out, data, place):
    (place / "sub").mkdir()
    for name in ("rows.csv", "a:b.csv", "more.csv"):
        (place / name).write_text("a,b\n1,2\n")
    (place / "link").unlink()
    (place / "link").symlink_to(place / "sub")
    for config, beside in ((data, None), ("digits", data)):
        with pytest.raises(UserError, match="is the file of the data"):
            outputs.not_over({"--out": Path(out)}, of(config.format(place)), None, beside and beside.format(place))
    outputs.not_over({"--out": Path("more.csv")}, of(data.format(place)))
    outputs.not_over({"--out": Path("new.csv"), "--npz": None}, of(data.format(place)), "npz:~nobody-of-that-name/x")


def of(data, columns=None):
    return SimpleNamespace(data=data, columns=columns)


@pytest.mark.parametrize(
    ("flag", "out", "says"),
    [
        ("--out", "te.csv", "is the file of --columns"),
        ("--out", "sub/../te.csv", "is the file of --columns"),
        ("--out", "hard.csv", "is the file of --columns"),
        ("--out", "columns.toml", "is the file of --columns"),
        ("--out", "t.csv", "is the file of the data"),
        ("--out", "mask.png", "is the file that is read"),
        ("--out", ".", "holds t.csv, a file of the data"),
        ("--to", ".", "holds t.csv, a file of the data"),
        ("--out", "birds/owl/1.png", "would be in the folder of the data folder:birds"),
        ("--out", "birds/new/2.png", "would be in the folder of the data folder:birds"),
        ("--to", "birds/new", "would be in the folder of the data folder:birds"),
        ("--out", "birds", "is the folder of the data folder:birds"),
        ("--out", "birds/new.csv", None),  # which no one takes for a picture
        ("--out", "t2.csv", None),
        ("--out", "sub", None),
        ("--out", "mnist/1.png", None),
    ],
)
def test_nothing_that_data_are_read_from_is_written_over(flag, out, says, place):
    for name in ("sub", "birds/owl", "mnist"):
        (place / name).mkdir(parents=True)
    for name in ("t.csv", "te.csv", "t2.csv", "mask.png", "birds/owl/1.png"):
        (place / name).write_text("a,b\n1,2\n")
    (place / "hard.csv").hardlink_to(place / "te.csv")
    (place / "columns.toml").write_text('test = "te.csv"\n')
    given = {flag: Path(out)}, of("table:t.csv", "columns.toml"), "folder:birds", "tfds:mnist"
    if says is None:
        outputs.not_over(*given, files=[Path("mask.png")])
        return
    with pytest.raises(UserError, match=says):
        outputs.not_over(*given, files=[Path("mask.png")])


@pytest.mark.parametrize("verb", [*DRAW.values(), export, score], ids=lambda verb: verb.__name__)
def test_every_verb_that_writes_looks_at_what_is_read(verb, place, monkeypatch):
    """Once its run is open, and before it computes: the rows to test on, which stand in the run's columns alone."""
    suffix = {"score": ".csv", "export": ""}.get(verb.__name__, ".png")
    held = place / f"held{suffix}"
    (held / "x.csv" if verb is export else held).parent.mkdir(exist_ok=True)
    test = held / "x.csv" if verb is export else held
    test.write_text("a,b\n1,2\n")
    (place / "columns.toml").write_text(f'test = "{test}"\n')
    opened = SimpleNamespace(config=of("digits", "columns.toml"))
    monkeypatch.setitem(verb.__globals__, "open_state", OPEN)
    monkeypatch.setattr("gen_jax.runs.opened.open_state", lambda *given, **more: opened)
    with pytest.raises(UserError, match="of --columns"):
        verb(place / "run", out=held)
    assert test.read_text() == "a,b\n1,2\n"


def test_compare_writes_into_no_folder_of_data(place, capsys):
    """Its table.csv may be the table that the runs are of."""
    (place / "sub").mkdir()
    (place / "sub" / "table.csv").write_text("a,b\n1,2\n")
    for run in ("run", "other"):
        (place / run / "config.json").write_text('{"data": "table:sub/table.csv", "seed": 0, "steps": 1, "format": 2}')
    before = contents(place)
    status, _, err = ending(lambda: compare((place / "run", place / "other"), out=Path("sub")), capsys)
    assert_one_line(status, err, "--out sub holds table.csv, a file of the data")
    assert contents(place) == before


def test_columns_that_cannot_be_read_are_said_by_who_reads_them(place):
    (place / "bad.toml").write_text('test = "nowhere.csv"\n')
    outputs.not_over({"--out": Path("new.csv")}, of("digits", "bad.toml"))
    outputs.not_over({"--out": Path("new.csv")}, of("digits", "none.toml"))
    with pytest.raises(UserError, match="is the file of --columns"):
        outputs.not_over({"--out": Path("bad.toml")}, of("digits", "bad.toml"))


def test_a_table_of_scores_is_refused_before_the_run_is_opened(place, capsys, monkeypatch):
    monkeypatch.setitem(score.__globals__, "open_state", _too_late)
    (place / "run" / "scores.csv").mkdir()
    before = contents(place)
    for given in ({}, {"out": Path("run/config.json")}, {"out": Path("study")}):
        status, _, err = ending(lambda given=given: score(place / "run", **given), capsys)
        assert_one_line(status, err)
    assert contents(place) == before
