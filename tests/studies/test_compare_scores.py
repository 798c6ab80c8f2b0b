"""GANs, VAEs and hybrids compared by what `evaluate` measured: alike or not at all, and what each took beside it."""

import json

import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.studies import compare, measured
from gen_jax.studies.compare import Asked

STAMP = {"data": "digits", "fingerprint": "ab" * 8, "features": "lenet", "samples": 100, "repeats": 5}


def result(metric, name, value, interval=None, step=20, null=False, **stamp):
    protocol = {
        **STAMP,
        "step": step,
        "weights": "ema",
        "model": "xyz",
        "packages": "jax 1",
        "platform": "cpu",
        **stamp,
    }
    return {
        "name": name, "value": value, "interval": interval, "interval_kind": "", "unit": "", "metric": metric,
        "key": f"{metric}{step}", "details": {"null": True} if null else {}, "protocol": protocol,
    }  # fmt: skip


def make_run(path, seed, results, loss="hinge", steps=20, reached=20):
    path.mkdir(parents=True)
    config = {"data": "digits", "seed": seed, "steps": steps, "loss": loss, "format": 2, "run_dir": str(path)}
    (path / "config.json").write_text(json.dumps(config))
    (path / "metrics.jsonl").write_text(json.dumps({"step": reached, "seconds": 1.0, "elbo": 0.0}) + "\n")
    (path / "evaluation.json").write_text(json.dumps({"results": results}))
    return path


def fd(value, **more):
    return [result("fd", "FD-LeNet", value, [value - 1, value + 1], **more),
            result("fd", "FD-LeNet between train and test (real data)", 0.5, null=True, **more)]  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    values = {"hinge": (70.0, 80.0, 75.0), "minimax": (90.0, 95.0, 100.0)}
    return [
        make_run(
            tmp_path / f"{loss}{seed}", seed, [*fd(value), result("recall", "recall (LeNet)", 0.02 * (seed + 1))], loss
        )
        for loss, each in values.items()
        for seed, value in enumerate(each)
    ]


def test_scores_become_rows_like_curves(runs):
    rows, _, side = compare.compare(runs, Asked(scores=("fd", "recall")))
    assert [(row.metric.name, row.metric.better) for row in rows[::2]] == [
        ("FD-LeNet", "lowest"),
        ("recall (LeNet)", "highest"),
    ]
    first, second = rows[:2]
    assert first.final == pytest.approx(75.0)
    np.testing.assert_allclose(first.t.ends, stats.t.interval(0.95, 2, 75.0, stats.sem([70, 80, 75])))
    assert second.difference.mean == pytest.approx(20.0)
    assert rows[2].t.low == 0.0  # a recall is not negative
    assert side.header[2:4] == ["FD-LeNet ↓", "recall (LeNet) ↑"]
    assert side.rows[0][2].endswith("*")
    assert not side.rows[1][2].endswith("*")
    assert not any("between train and test" in name for name in side.header)


def test_one_run_shows_its_own_interval(runs):
    _, _, side = compare.compare([runs[0], runs[3]], Asked(scores=("fd",), names=("mine", "theirs")))
    assert [cells[0] for cells in side.rows] == ["mine", "theirs"]
    assert side.rows[0][2] == "70 [69, 71]*"


def test_the_newest_step_counts_and_a_run_without_the_metric_has_none(tmp_path):
    a = make_run(tmp_path / "a", 0, fd(50.0, step=10) + fd(40.0, step=20))
    b = make_run(tmp_path / "b", 0, [], "minimax")
    rows, _, side = compare.compare([a, b], Asked(scores=("fd",)))
    assert rows[0].final == 40.0
    assert rows[1].seeds == 0
    assert side.rows[1][2] == "–"


def test_an_unfinished_run_is_named(tmp_path):
    a = make_run(tmp_path / "a", 0, fd(50.0))
    b = make_run(tmp_path / "b", 0, fd(60.0), "minimax", steps=30)
    notes = compare.compare([a, b], Asked(scores=("fd",))).side_by_side.notes
    assert f"{b} is not finished: step 20 of 30" in notes


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ({"samples": 1000}, "samples 100 and 1000"),
        ({"features": "pixels"}, "features lenet and pixels"),
        ({"fingerprint": "cd" * 8}, "fingerprint"),
        ({"sampler": "truncated"}, "sampler – and truncated"),
    ],
)
def test_numbers_that_were_not_measured_alike_do_not_share_a_column(tmp_path, stamp, said):
    a = make_run(tmp_path / "a", 0, fd(50.0))
    b = make_run(tmp_path / "b", 0, fd(60.0, **stamp), "minimax")
    with pytest.raises(UserError, match=f"not measured alike: {said}"):
        compare.compare([a, b], Asked(scores=("fd",)))


def test_a_stamp_that_both_have_is_found(tmp_path):
    a = make_run(tmp_path / "a", 0, fd(50.0) + fd(45.0, samples=1000))
    b = make_run(tmp_path / "b", 0, fd(60.0, samples=1000, packages="jax 2", weights="raw"), "minimax")
    found = measured.read([a, b], ["fd"])
    (scores,) = found.values()
    assert [scores[run].value for run in (a, b)] == [45.0, 60.0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(scores=("fid",)), "there is no metric 'fid'"),
        (Asked(scores=("nll",)), "--measure"),
        (Asked(scores=("fd",), names=("one",)), "give 2 different names"),
        (Asked(scores=("fd",), names=("one", "one")), "give 2 different names"),
        (Asked(scores=("fd",), baseline="x"), "the arms are"),
    ],
)
def test_mistakes(runs, asked, said):
    with pytest.raises(UserError, match=said):
        compare.compare(runs, asked)
