"""Stamps of what depends on more than the data's fingerprint: the target and kinds of columns, the rate of sounds."""

import jax
import numpy as np
import pytest
from evaluation_subjects import CONFIG, drawing, weights
from scipy.io import wavfile

from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.runs.evaluation import protocol
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.studies import measured

MODEL = protocol.Model(10, "ema", "abc")
MEASURES = ("utility", "column_shapes", "pair_trends", "detection", "closest_record")
OF_TARGET = {"utility", "closest_record"}  # SMOTE, the second's floor, seeks neighbours within classes
NUMBERS = "a,b,c\n" + "".join(f"{i % 7},{i * 7 % 91 / 4:.2f},{i % 5}\n" for i in range(120))
MIXED = "a,b,c\n" + "".join(f"{i % 7},{('x', 'y')[i % 2]},{('p', 'q', 'r')[i % 3]}\n" for i in range(120))


def subject(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    source = load.load(f"table:{tmp_path / 't.csv'}", columns=said)
    one = drawing(lambda view, key, count, given: jax.random.randint(key, (count, 3), 0, 2) * 1.0)  # codes, too
    return Subject(one, weights(), source, CONFIG, Options(samples=40, repeats=1))


@pytest.mark.parametrize(
    ("text", "said", "other", "touched"),
    [
        (NUMBERS, "a=target", "c=target", OF_TARGET),
        (MIXED, "b=target", "c=target", OF_TARGET),
        (NUMBERS, "a=target", "a=target,a=continuous", set(MEASURES)),
        (NUMBERS, "a=target", "a=target,a=integer", set()),
        (MIXED, "b=target", "b=target,a=continuous", set(MEASURES)),
    ],
)
def test_what_gives_columns_their_meaning_is_stamped(tmp_path, text, said, other, touched):
    one, another = subject(tmp_path, text, said), subject(tmp_path, text, other)
    stamps = [{name: protocol.stamp(each, name, MODEL) for name in MEASURES} for each in (one, another)]
    assert {name for name in MEASURES if stamps[0][name] != stamps[1][name]} == touched


def test_another_target_is_measured_anew_and_compared_with_none(tmp_path):
    """In one file the two stand beside each other; of two runs they stand in no column together."""
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        run.mkdir()
    found = []
    for target, run in (("b", runs[0]), ("c", runs[0]), ("c", runs[1])):
        one = subject(tmp_path, MIXED, f"{target}=target")
        found.append(protocol.run(one, ["utility"], MODEL, run / protocol.FILE, say=lambda line: None))
    assert [each["measured"] for each in found] == [["utility"]] * 3
    assert found[0]["results"][0]["protocol"]["target"] == "b"
    assert found[0]["results"] != found[1]["results"]
    assert measured.read(runs, ["utility"])  # both were measured by c
    (runs[0] / protocol.FILE).unlink()
    protocol.run(subject(tmp_path, MIXED, "b=target"), ["utility"], MODEL, runs[0] / protocol.FILE, lambda line: None)
    with pytest.raises(UserError, match="not measured alike: target b and c"):
        measured.read(runs, ["utility"])


def test_the_same_samples_at_another_rate_are_other_sounds(tmp_path):
    stamps = []
    for rate in (8000, 16000):
        folder = tmp_path / str(rate) / "s"
        folder.mkdir(parents=True)
        for number in range(12):
            wavfile.write(folder / f"{number}.wav", rate, np.full(128, 9 * number, np.int16))
        source = load.load(f"wav:{folder}")
        one = drawing(lambda view, key, count, given: jax.random.normal(key, (count, 128)))
        stamps.append(protocol.stamp(Subject(one, weights(), source, CONFIG, Options(samples=40)), "recall", MODEL))
    assert [stamp.pop("sampling rate") for stamp in stamps] == ["8,000 Hz", "16,000 Hz"]
    assert stamps[0] == stamps[1]


@pytest.mark.parametrize(("held", "refused"), [("?", True), ("x", False)])
def test_held_out_rows_without_a_target_are_refused_before_anything_is_drawn(tmp_path, held, refused):
    (tmp_path / "te.csv").write_text("a,b,c\n" + f"1,{held},p\n" * 9)
    (tmp_path / "c.toml").write_text('test = "te.csv"\ntarget = "b"\n')
    one = subject(tmp_path, MIXED, str(tmp_path / "c.toml"))
    if refused:
        with pytest.raises(UserError, match="none of them has a known b; give rows that have one"):
            protocol.METRICS["utility"].check(one)
    else:
        protocol.METRICS["utility"].check(one)
