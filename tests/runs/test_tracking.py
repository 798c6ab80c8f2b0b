"""Scores that training follows are those of the protocol, and their curves are judged by the stated rule."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from evaluation_subjects import CONFIG, gan, made, weights

from gen_jax.core.errors import UserError
from gen_jax.metrics import frechet
from gen_jax.runs import scoreboard
from gen_jax.runs.log import Series
from gen_jax.runs.watching import tracking


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GEN_JAX_CACHE", str(tmp_path / "cache"))


@dataclass
class State:
    """As much of a state as tracking looks at."""

    params: dict
    ema: dict
    stats: dict
    hyper: dict
    ema_stats: dict = field(default_factory=dict)


def state(seed):
    view = weights(seed)
    return State(dict(view.params), {}, {}, {})


def config(**more):
    chosen = {"track": "fd,coverage", "track_features": "pca:8", "track_samples": 100}
    return replace(CONFIG, **{**chosen, **more})


def series(*values):
    return Series(np.arange(1, len(values) + 1) * 100, np.array(values, float))


def test_the_followed_score_is_the_score_and_a_function_of_the_state():
    tracker = tracking.tracker(config(), gan(), made())
    first, other, again = (tracker.measure(state(seed)) for seed in (0, 1, 0))
    assert tracker.best == ("tracked/FD-PCA", True)
    assert set(first) == {"tracked/FD-PCA", "tracked/coverage/PCA"}
    assert first == again != other
    from evaluation_subjects import subject

    one = subject()
    pair = [frechet.moments_of(f) for f in (one.extractor.apply(one.split.arrays["x"]), one.fakes(0).features)]
    assert first["tracked/FD-PCA"] == pytest.approx(frechet.distance(*pair), rel=1e-5)


def test_samples_that_are_no_images_leave_a_gap():
    tracker = tracking.tracker(config(track="fd"), gan(), made())
    assert np.isfinite(tracker.measure(state(0))["tracked/FD-PCA"])
    broken = state(0)
    broken.params["decoder"] = {"w": broken.params["decoder"]["w"] * np.nan}
    assert np.isnan(tracker.measure(broken)["tracked/FD-PCA"])


def test_nothing_is_followed_by_default():
    tracker = tracking.tracker(config(track=""), gan(), made())
    assert tracker.best is None
    assert tracker.measure(state(0)) == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"track": "fid"}, ["--track fid", "fd, kid"]),
        ({"track_samples": 5}, ["--track-samples 5"]),
        ({"track_features": "lenet:digits"}, ["lenet:digits", "(8, 8, 1)"]),
    ],
)
def test_mistakes(settings, words):
    with pytest.raises(UserError) as caught:
        tracking.tracker(config(**settings), gan(), made())
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("name", "values", "collapsed"),
    [
        ("tracked/FD-LeNet", (300, 49, 137), True),  # a DCGAN on CIFAR-10: 2.8 times the best
        ("tracked/FD-LeNet", (300, 60, 49, 55), False),
        ("tracked/FD-LeNet", (300, 49, np.nan), True),
        ("tracked/KD-LeNet", (2.0, -0.01, 0.03), False),  # a best below 0 is the noise of an unbiased estimate
        ("tracked/KD-LeNet", (2.0, -0.01, 0.5), True),
        ("tracked/coverage/LeNet", (0.1, 0.6, 0.5), False),
        ("tracked/coverage/LeNet", (0.1, 0.6, 0.2), True),
    ],
)
def test_the_rule_for_a_collapse(name, values, collapsed):
    (row,) = tracking.summary({name: series(*values), "loss": series(1, 2)})
    assert row.collapsed is collapsed
    finite = [value for value in values if np.isfinite(value)]
    assert row.best == (max(finite) if "coverage" in name else min(finite))
    assert row.final_step == 100 * len(values)
    shown = scoreboard.tracked({name: series(*values)})
    assert shown["rows"][0]["collapsed"] is collapsed
    assert "2 times" in shown["rule"]


def test_a_table_states_once_what_its_rows_share():
    common = {"step": 10, "weights": "ema", "model": "a", "data": "d"}
    features = {"features": "lenet:d", "feature weights": "f0", "dimension": 84}
    rows = [("FD-LeNet", features | {"samples": 5}), ("recall", features | {"samples": 5}), ("elbo", {})]
    results = [{"name": n, "value": 1.0, "protocol": {**common, **own}} for n, own in rows]
    (table,) = scoreboard.evaluation({"results": results})
    assert table["title"] == "step 10, averaged weights"
    assert [row["protocol"] for row in table["rows"]] == ["a", "a", ""]
    assert table["protocols"] == [("a", (("features", "lenet:d"), ("samples", "5")))]
    assert table["features"] == [("lenet:d", (("dimension", "84"), ("feature weights", "f0")))]
    assert dict(table["common"])["data"] == "d"
    # Two classifiers under one name: each row says which.
    results[1]["protocol"]["feature weights"] = "f1"
    (table,) = scoreboard.evaluation({"results": results})
    assert table["features"] == []
    assert [dict(said)["feature weights"] for _, said in table["protocols"]] == ["f0", "f1"]
    later = [{"name": "fd", "value": 2.0, "protocol": {**common, "step": 20}}]
    assert [table["step"] for table in scoreboard.evaluation({"results": results + later})] == [20, 10]
