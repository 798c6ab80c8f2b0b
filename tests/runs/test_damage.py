"""A run folder with a damaged, crafted or missing file: every verb that reads it without a model ends as one line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from endings import assert_one_line, contents, ending

from gen_jax.data.load import load
from gen_jax.runs import figures, folder, log, manifest, shapes
from gen_jax.runs.diagnosis import examine, summary
from gen_jax.runs.files import atomic_write_json
from gen_jax.runs.watching.monitor import Monitor
from gen_jax.verbs.compare import compare
from gen_jax.verbs.diagnose import diagnose
from gen_jax.verbs.info import info
from gen_jax.verbs.report import report

VERBS = {
    "info": info, "report": report, "diagnose": diagnose,
    "compare": lambda run: compare((run, next(p for p in run.parents if (p / "other").exists()) / "other")),
}  # fmt: skip
DEEP = "[" * 100_000 + "]" * 100_000
NESTED = '{"a": ' * 500 + "1" + "}" * 500


def make(path: Path, seed: int) -> Path:
    """A run folder as training leaves it, but for the model."""
    path.mkdir()
    settings = {"data": "digits", "steps": 40, "seed": seed, "batch_size": 16, "log_every": 10, "evaluate_every": 0,
                "hyper": {"lr": 1e-4}}  # fmt: skip
    atomic_write_json(path / "config.json", {"format": folder.FORMAT, **settings})
    (path / "experiment.py").write_text('"""A model."""\n')
    manifest.start(path, load("digits"), {"generator": 1234}, "jit", 1, 0)
    manifest.finish(path, "complete")
    with log.Log(path, 0, 16, 40, to="", quiet=True) as lines:
        for step in (10, 20, 30, 40):
            lines.write(step, {"loss/critic": 1 / step, "held_out/elbo": -step})
    for step in (0, 20, 40):
        figures.save_png(path / "samples" / f"step_{step:08d}.png", np.full((8, 8, 1), step, np.uint8))
    result = {"name": "elbo", "value": -1.5, "interval": [-2.0, -1.0], "unit": "nats", "protocol": {"step": 40}}
    atomic_write_json(path / "evaluation.json", {"results": [result]})
    atomic_write_json(path / "diagnosis.json", summary(examine(log.read_metrics(path))))
    (path / "checkpoints" / "40").mkdir(parents=True)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    make(place / "run", 0), make(place / "other", 1)
    return place


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs" / "run"


def test_the_sound_folder_is_read_by_all(run, capsys):
    for verb in VERBS.values():
        status, _, err = ending(lambda verb=verb: verb(run), capsys)
        assert (status, err) == (0, "")


WRONG = [
    ("null", "null"), ("list", "[]"), ("number", "3"), ("text", '"x"'), ("true", "true"), ("empty", ""),
    ("half", '{"steps": 1'), ("deep", DEEP), ("nested", NESTED), ("not UTF-8", b'{"a": "\xff"}'),
    ("digits", "9" * 5000), ("NUL", b"\x00" * 64), ("object", "{}"),
]  # fmt: skip
READS = {"config.json": ("info", "report", "diagnose", "compare"), "manifest.json": ("info", "report"),
         "evaluation.json": ("report",)}  # fmt: skip


@pytest.mark.parametrize("content", [text for _, text in WRONG], ids=[name for name, _ in WRONG])
@pytest.mark.parametrize("name", READS)
def test_json_of_another_kind(name, content, run, capsys):
    (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = contents(run)
    for verb in READS[name]:
        if content == "{}" and name != "manifest.json":  # nothing is wrong with having nothing
            continue
        status, _, err = ending(lambda verb=verb: VERBS[verb](run), capsys)
        assert_one_line(status, err, str(run / name))
        assert contents(run) == before


def put(name, **values):
    """An edit of a JSON file: dotted names (with list places) to their new values; `None.` deletes."""

    def edit(run):
        found = json.loads((run / name).read_text())
        for path, value in values.items():
            *above, last = path.split("__")
            node = found
            for part in above:
                node = node[int(part) if part.isdecimal() else part]
            if value is GONE:
                del node[last]
            else:
                node[last] = value
        (run / name).write_text(json.dumps(found))

    return edit


GONE = object()


@pytest.mark.parametrize(
    ("edit", "verb", "words"),
    [
        (put("manifest.json", sittings=[{}]), "info", ["sittings[0] has no"]),
        (put("manifest.json", sittings=[]), "info", ["sittings is empty"]),
        (put("manifest.json", sittings=None), "report", ["sittings is null"]),
        (put("manifest.json", parameters=None), "info", ["parameters is null"]),
        (put("manifest.json", parameters={"generator": "many"}), "info", ["parameters.generator is 'many'"]),
        (put("manifest.json", data="digits"), "info", ["data is 'digits'"]),
        (put("manifest.json", data__fingerprint=3), "info", ["data.fingerprint is 3"]),
        (put("manifest.json", status=None), "info", ["status is null"]),
        (put("manifest.json", sittings__0__run_seconds="long"), "info", ["sittings[0].run_seconds is 'long'"]),
        (put("manifest.json", sittings__0__versions=[]), "info", ["sittings[0].versions is a list"]),
        (put("manifest.json", sittings__0__platform__devices=3), "info", ["platform.devices is 3"]),
        (put("manifest.json", sittings__0__command=GONE), "report", ["sittings[0] has no command"]),
        (put("manifest.json", sittings__0__from_step=10**30), "info", ["from_step is a number of many digits"]),
        (put("config.json", steps="many"), "report", ["steps is 'many'"]),
        (put("config.json", steps=10**30), "report", ["steps is a number of many digits"]),
        (put("config.json", hyper=None), "info", ["hyper is null"]),
        (put("config.json", data=["digits"]), "compare", ["data is a list"]),
        (put("config.json", seed=True), "compare", ["seed is true"]),
        (put("evaluation.json", results={}), "report", ["results is an object"]),
        (put("evaluation.json", results=[3]), "report", ["results[0] is 3"]),
        (put("evaluation.json", results__0__value="good"), "report", ["results[0].value is 'good'"]),
        (put("evaluation.json", results__0__value=10**400), "report", ["results[0].value is a number of many"]),
        (put("evaluation.json", results__0__interval=[1]), "report", ["interval is a list", "two numbers"]),
        (put("evaluation.json", results__0__protocol=[]), "report", ["protocol is a list"]),
        (put("evaluation.json", results__0__details="x"), "report", ["details is 'x'"]),
        (put("evaluation.json", results__0__name=GONE), "report", ["results[0] has no name"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_values_of_another_kind_are_named(edit, verb, words, run, capsys):
    edit(run)
    before = contents(run)
    status, _, err = ending(lambda: VERBS[verb](run), capsys)
    assert_one_line(status, err, "is damaged", *words)
    assert contents(run) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("samples/step_00000020.png", b""),
        ("samples/step_00000040.png", b"\x89PNG\r\n\x1a\n" + b"x" * 40),
        ("samples/step_00000020.png", None),
        ("pictures/x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_a_picture_that_is_damaged_is_left_out_with_a_line(name, content, run, capsys):
    path = run / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(path.read_bytes()[:50] if content is None else content)
    status, _, err = ending(lambda: report(run), capsys)
    assert status == 0
    assert err == f"{path} is left out of the report: it is no PNG that can be read\n"
    page = (run / "report.html").read_text()
    assert page.count("data:image/png") == (3 if "samples" in name else 4)


def test_a_pipe_among_the_pictures_is_not_waited_for(run, capsys):
    import os

    (run / "pictures").mkdir()
    os.mkfifo(run / "pictures" / "x.png")
    status, _, err = ending(lambda: report(run), capsys)
    assert status == 0
    assert "is a pipe" in err


@pytest.mark.parametrize("content", ["", "null", "[]", '{"findings": [{}]}', '{"findings": 3}', "{", DEEP])
def test_what_is_made_anew_never_stops_training(content, run, capsys):
    """diagnosis.json of an earlier sitting."""
    (run / "diagnosis.json").write_text(content)
    status, _, err = ending(lambda: Monitor(run, 40).check(), capsys)
    assert status == 0
    assert "diagnosis.json" in err
    assert "made again" in err
    assert json.loads((run / "diagnosis.json").read_text())["findings"] == []


FLIPS = [
    ("a digit", lambda text: text.replace(b'"loss/critic": 0.05', b'"loss/critic": 0.06'), "line 2 is"),
    ("a name", lambda text: text.replace(b"held_out/elbo", b"held_out/elbp", 1), "line 1 is"),
    ("a bracket", lambda text: text.replace(b"{", b"[", 1), "line 1 is"),
    ("a step", lambda text: text.replace(b'"step": 20', b'"step": 21'), "line 2 is"),
    ("the checksum's name", lambda text: text.replace(b"crc32", b"crc33", 1), "line 1 is"),
    (
        "two lines",
        lambda text: text.replace(b'critic": 0.1', b'critic": 0.2').replace(b"-40", b"-41"),
        "lines 1, 4 are",
    ),
    ("text", lambda text: text.replace(b"-40.0", b'"x"'), "line 4 is"),
    ("a list", lambda text: text.replace(b"-40.0", b"[1]"), "line 4 is"),
    ("many digits", lambda text: text.replace(b'"step": 20', b'"step": ' + b"2" * 30), "line 2 is"),
    ("null", lambda text: text.replace(b'"step": 20', b'"step": null'), "line 2 is"),
    ("an end", lambda text: text.replace(b"}\n{", b"}{", 1), "line 1 is"),
]


@pytest.mark.parametrize(("flip", "words"), [row[1:] for row in FLIPS], ids=[row[0] for row in FLIPS])
def test_a_changed_line_of_metrics_is_seen(flip, words, run, capsys):
    path = run / log.FILE
    flipped = flip(path.read_bytes())
    assert flipped != path.read_bytes()
    path.write_bytes(flipped)
    status, _, err = ending(lambda: diagnose(run), capsys)
    assert status == 0
    assert f"{words} damaged and left out" in err
    log.truncate_after(path, 40, [(0, (10, 0))])
    told = capsys.readouterr().err
    assert f"{words} damaged and dropped" in told
    assert "lines of step" in told
    assert all(log.parse(line) for line in path.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (lambda lines: lines[:2], "lines of steps 30, 40 are missing"),
        (lambda lines: [], "lines of steps 10, 20, 30, 40 are missing"),
        (lambda lines: lines[:1] + lines[2:], "lines of step 20 are missing"),
        (lambda lines: lines[1:], "lines of step 10 are missing"),
    ],
    ids=["cut", "emptied", "one", "first"],
)
def test_lost_lines_of_metrics_are_told(cut, words, run, capsys):
    path = run / log.FILE
    path.write_bytes(b"".join(cut(path.read_bytes().splitlines(keepends=True))))
    log.truncate_after(path, 40, [(0, (10, 0))])
    assert words in capsys.readouterr().err
    if path.stat().st_size:
        assert words in ending(lambda: diagnose(run), capsys)[2]
    path.unlink()
    log.truncate_after(path, 40, [(0, (10, 0))])
    assert "lines of steps 10, 20, 30, 40 are missing" in capsys.readouterr().err


def test_what_a_kill_leaves_is_no_damage(run, capsys):
    path = run / log.FILE
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    assert len(log.read_lines(run)) == 4
    log.truncate_after(path, 40, [(0, (10, 0))])
    log.truncate_after(path, 35, [(0, (10, 0))])
    assert capsys.readouterr().err == ""
    assert [line["step"] for line in log.read_lines(run)] == [10, 20, 30]


def test_lines_without_seconds_or_a_checksum_are_an_older_release_s(run):
    with (run / log.FILE).open("a") as file:
        file.write('{"step": 41, "loss/critic": 0.5}\n')
    with log.Log(run, 41, 16, 50, to="", quiet=True) as lines:
        lines.write(50, {"loss/critic": 0.25})
    assert log.read_metrics(run)["loss/critic"].steps.tolist() == [10, 20, 30, 40, 41, 50]


@pytest.mark.parametrize("name", ["x[/b]", "[bold red]x", "[/red]", "a\x1b[31mb", "smile:smile:", "\udcff\udcfe"])
def test_names_are_shown_as_they_are(name, run, capsys):
    named = run.parent / name
    named.parent.mkdir(exist_ok=True)
    run.rename(named)
    settings = json.loads((named / "config.json").read_text())
    (named / "config.json").write_text(json.dumps({**settings, "data": f"folder:/data/{name}"}))
    shown = name.replace("\x1b", r"\x1b").replace("\udcff\udcfe", r"\xff\xfe")
    for verb in VERBS.values():
        status, out, err = ending(lambda verb=verb: verb(named), capsys)
        assert (status, err) == (0, "")
        assert "\x1b" not in out
        assert verb is VERBS["compare"] or shown in out.replace("\n", ""), out


def test_control_characters_of_names_in_errors(run, capsys):
    status, _, err = ending(lambda: info(run.with_name("a\x1b]0;title\x07b\nc")), capsys)
    assert_one_line(status, err, r"a\x1b]0;title\x07b")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("shape", [shapes.CONFIG, shapes.MANIFEST, shapes.EVALUATION, shapes.STUDY, shapes.FAILURE])
@pytest.mark.parametrize("value", [None, [], 3, "x", [{}], True, 1.5])
def test_no_file_of_a_run_is_anything_but_an_object(shape, value):
    assert "an object is meant" in shapes.deviation(value, shape)


BROKEN = ["def build(:", "(" * 5000, '"""A\x00"""', b"\xff\xfe", "import sys; sys.exit(0)", ""]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_script_is_read_for_its_words_alone(content, run, capsys):
    (run / "experiment.py").write_bytes(content if isinstance(content, bytes) else content.encode())
    for verb in VERBS.values():
        status, _, err = ending(lambda verb=verb: verb(run), capsys)
        assert (status, err) == (0, "")


def test_settings_without_what_a_comparison_needs(run, capsys):
    put("config.json", seed=GONE)(run)
    status, _, err = ending(lambda: VERBS["compare"](run), capsys)
    assert_one_line(status, err, "has no seed")


def test_a_command_that_no_shell_would_take(run, capsys):
    put("manifest.json", sittings__0__command="python 'x.py")(run)
    assert ending(lambda: report(run), capsys)[0] == 0
