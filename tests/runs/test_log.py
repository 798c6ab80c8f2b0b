"""metrics.jsonl is valid, exact after resuming and honest about what is not finite; TensorBoard can read its events."""

import io
import json
import math
import struct

import numpy as np
import pytest
from disk import files_no_larger_than

from gen_jax.core.errors import UserError
from gen_jax.runs import log, progress


def lines(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def no_constants(_):
    raise AssertionError("NaN and Infinity are no JSON")


def events(run_dir):
    """The events of all files in the order of their writing, read by hand from the record format."""
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

    found = []
    for path in sorted((run_dir / "tensorboard").iterdir(), key=lambda p: p.stat().st_mtime_ns):
        content, position = path.read_bytes(), 0
        while position < len(content):
            (length,) = struct.unpack("<Q", content[position : position + 8])
            found.append(Event.FromString(content[position + 12 : position + 12 + length]))
            position += length + 16
    return found


def test_one_valid_object_a_line(tmp_path):
    with log.Log(tmp_path, 0, images=64, total=100) as written:
        written.write(10, {"critic/loss": 0.5, "generator/loss": float(np.float32(0.1))})
        written.write(20, {"critic/loss": math.nan, "generator/loss": math.inf})
        written.write(20, {"held_out/elbo": -100})
    text = (tmp_path / "metrics.jsonl").read_text()
    for line in text.splitlines():
        json.loads(line, parse_constant=no_constants)
    found = lines(tmp_path)
    assert [line["step"] for line in found] == [10, 20, 20]
    assert [line["images"] for line in found] == [640, 1280, 1280]
    assert found[0]["critic/loss"] == 0.5
    assert found[1]["critic/loss"] is None
    metrics = log.read_metrics(tmp_path)
    assert list(metrics) == ["critic/loss", "generator/loss", "held_out/elbo"]
    np.testing.assert_array_equal(metrics["critic/loss"].steps, [10, 20])
    np.testing.assert_array_equal(metrics["critic/loss"].values, [0.5, math.nan])
    np.testing.assert_array_equal(metrics["held_out/elbo"].values, [-100.0])


def test_a_resumed_log_is_that_of_a_straight_run(tmp_path):
    def run(folder, start, stop):
        folder.mkdir(exist_ok=True)
        log.truncate_after(folder / "metrics.jsonl", start)
        with log.Log(folder, start, images=2, total=50) as written:
            for step in range(start + 1, stop + 1):
                written.write(step, {"loss": step / 7})

    run(tmp_path / "straight", 0, 12)
    run(tmp_path / "resumed", 0, 9)  # killed at step 9 while writing a line, with its checkpoint at 5
    with (tmp_path / "resumed/metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "sec')
    assert len(log.read_lines(tmp_path / "resumed")) == 9
    run(tmp_path / "resumed", 5, 12)

    straight, resumed = lines(tmp_path / "straight"), lines(tmp_path / "resumed")
    seconds = [line.pop("seconds") for line in resumed]
    assert seconds == sorted(seconds)  # the clock goes on where it stood
    assert resumed == [{k: v for k, v in line.items() if k != "seconds"} for line in straight]


def test_steps_before_the_first_checkpoint_are_said_to_be_lost(tmp_path, capsys):
    with log.Log(tmp_path, 0, images=2, total=50) as written:
        written.write(7, {"loss": 1.0})
    capsys.readouterr()
    log.truncate_after(tmp_path / "metrics.jsonl", 0)
    assert "it ended after step 7 and before its first checkpoint; training begins anew" in capsys.readouterr().err
    assert not lines(tmp_path)
    log.truncate_after(tmp_path / "metrics.jsonl", 0)
    assert not capsys.readouterr().err


def sitting(start, **settings):
    return {"from_step": start, "identity": {"settings": settings}}


@pytest.mark.parametrize(
    ("record", "there", "lost"),
    [
        (None, [10, 20, 30, 40], []),
        (None, [10, 30, 40], [20]),
        ({"sittings": [{"from_step": 0}]}, [10, 20, 40], [30]),
        ({"sittings": [sitting(0, log_every=20), sitting(20, log_every=5)]}, [20, 25, 30, 35, 40], []),
        ({"sittings": [sitting(0, log_every=20), sitting(20, log_every=5)]}, [20, 25, 40], [30, 35]),
        ({"sittings": [sitting(0, log_every=10), sitting(15, log_every=20)]}, [10, 20, 40], []),
        # The second began at a checkpoint before the end of the first.
        ({"sittings": [sitting(0, log_every=5), sitting(30, log_every=40), sitting(10, log_every=10)]},
         [5, 10, 20, 30, 40], []),
        ({"sittings": [sitting(0, log_every=40, evaluate_every=20)]}, [20, 40], [40]),
    ],
)  # fmt: skip
def test_lines_are_missed_by_the_rhythm_of_their_sitting(record, there, lost):
    rhythm = log.rhythm(record, {"log_every": 10, "evaluate_every": 0})
    assert log.missing([{"step": step} for step in there], 40, rhythm) == lost


def test_truncating_what_needs_none_leaves_the_file(tmp_path):
    log.truncate_after(tmp_path / "metrics.jsonl", 3)
    assert not (tmp_path / "metrics.jsonl").exists()
    with log.Log(tmp_path, 0, 1, 5) as written:
        written.write(3, {"a": 1.0})
    before = (tmp_path / "metrics.jsonl").stat()
    log.truncate_after(tmp_path / "metrics.jsonl", 3)
    assert (tmp_path / "metrics.jsonl").stat().st_ino == before.st_ino
    assert log.read_metrics(tmp_path / "nowhere") == {}


def test_tensorboard_scalars_pictures_and_purge(tmp_path):
    from PIL import Image

    grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    with log.Log(tmp_path, 0, 1, 20) as written:
        written.write(5, {"critic/loss": 0.25})
        written.picture(5, grey)
        written.picture(6, np.zeros((2, 2, 3), np.uint8), "pairs")
    with log.Log(tmp_path, 5, 1, 20) as written:  # within the same second: must not write over the first file
        written.write(6, {"critic/loss": 0.5})
    found = events(tmp_path)
    scalars = [(e.step, v.tag, v.simple_value) for e in found for v in e.summary.value if v.HasField("simple_value")]
    assert scalars == [(5, "critic/loss", 0.25), (6, "critic/loss", 0.5)]
    pictures = [(e.step, v) for e in found for v in e.summary.value if v.HasField("image")]
    assert [(step, v.image.height, v.image.width) for step, v in pictures] == [(5, 3, 4), (6, 2, 2)]
    image = np.asarray(Image.open(io.BytesIO(pictures[0][1].image.encoded_image_string)))
    np.testing.assert_array_equal(image, np.repeat(grey, 3, axis=-1))
    assert [e.step for e in found if e.session_log.status == 1] == [6]  # START: forget steps from 6 on


def test_a_full_disk_is_one_line(tmp_path):
    with log.Log(tmp_path, 0, 1, 9, to="") as written:
        with files_no_larger_than(40), pytest.raises(UserError, match="no space left to write .*metrics"):
            written.write(1, {"loss": 1.0})
        written.write(2, {"loss": 2.0})
    assert 2 in [line["step"] for line in log.read_lines(tmp_path)] or len(lines(tmp_path)) == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal_is_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with progress.Progress(100, 40, 64, stream=stream) as shown:
        shown.update(60, {"loss/generator": 1.25, "accuracy": 0.5})
    assert "60/100" in stream.getvalue()
    assert "steps/s" in stream.getvalue()
    assert "loss/generator 1.25  accuracy 0.5" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


def test_progress_elsewhere_is_plain_lines_at_a_sane_interval():
    stream = io.StringIO()
    with progress.Progress(1000, 0, 64, stream=stream) as shown:
        for step in range(1, 1001):
            shown.update(step, {"accuracy": 0.5, "loss/critic": 1 / 3})
    told = stream.getvalue().splitlines()
    assert len(told) == 1  # a thousand quick steps are not a thousand lines, and the last is always told
    assert told[0].startswith("step 1000/1000  ")
    assert told[0].endswith("loss/critic 0.3333  accuracy 0.5")
    assert "examples/s" in told[0]
    assert "\x1b" not in stream.getvalue()
    stream = io.StringIO()
    with progress.Progress(100, 90, 1, stream=stream, every=0.0) as shown:
        shown.update(95, {})
    assert stream.getvalue().startswith("step 95/100")
    assert " left" in stream.getvalue()
