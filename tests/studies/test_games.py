"""Losses of different games are not set against each other; numbers stay within what they can be."""

import json
import math

import pytest

from gen_jax.metrics import meaning
from gen_jax.runs.log import encode
from gen_jax.studies import games, results, tables
from gen_jax.studies.results import Group, Metric

BASE = {"data": "digits", "loss": "hinge", "r1_gamma": 0.0, "width": 8, "hyper": {"lr_generator": 1e-4, "beta": 1.0}}
SAME = {"width": 16}, {"hyper.lr_generator": 1e-3}, {"hyper.ema_decay": 0.9}, {"batch_size": 8}, {"sample_every": 3}
OTHER = {"loss": "minimax"}, {"r1_gamma": 1.0}, {"hyper.beta": 4.0}, {"augment": "ada"}, {"lrelu": 0.1}


def run(folder, seed, changes, **values):
    config = json.loads(json.dumps(BASE))
    for name, value in changes.items():
        place = config["hyper"] if name.startswith("hyper.") else config
        place[name.removeprefix("hyper.")] = value
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**config, "seed": seed, "steps": 1}))
    (folder / "metrics.jsonl").write_bytes(encode({"step": 1, **values}) + b"\n")
    return folder


def group(tmp_path, name, changes, **values):
    runs = {}
    for seed in (0, 1, 2):
        shifted = {each: value + 0.01 * seed**2 for each, value in values.items()}
        runs[seed] = run(tmp_path / name / str(seed), seed, changes, **shifted)
    return Group(name, runs, {})


@pytest.mark.parametrize("changes", [*SAME, *OTHER])
def test_a_loss_is_tested_within_its_game_alone(tmp_path, changes):
    values = {"loss/generator": 1.0, "held_out/elbo": -3.0}
    arms = [
        group(tmp_path, "base", {}, **values),
        group(tmp_path, "arm", changes, **{k: 2 * v for k, v in values.items()}),
    ]
    rows = results.rows(arms, "base", [Metric("loss/generator", None), Metric("held_out/elbo", "highest")])
    loss, elbo = (next(row for row in rows if row.arm == "arm" and row.metric.name == name) for name in values)
    assert elbo.difference is not None  # is of the model, whatever it was trained by
    assert (loss.difference is None) == (changes in OTHER)
    cells = next(row for row in tables.tabulate(rows, "", "base").rows if row[:2] == ["loss/generator", "arm"])
    assert (tables.ANOTHER_GAME in cells) == (changes in OTHER)


@pytest.mark.parametrize("name", ["loss/generator", "held_out/loss/vae"])
def test_a_player_s_loss_is_known_by_its_name(name):
    assert games.is_loss(name)


@pytest.mark.parametrize("name", ["held_out/elbo", "samples/distance", "accuracy/real", "tracked/FD-LeNet"])
def test_what_is_of_the_model_is_no_loss(name):
    assert not games.is_loss(name)


@pytest.mark.parametrize(
    ("name", "values", "most"),
    [("held_out/accuracy/real", (0.0, 1.0, 0.5), 1.0), ("recall (lenet)", (0.9, 0.0, 0.1), 1.0),
     ("FD-LeNet", (0.1, 300.0, 2.0), math.inf)],
)  # fmt: skip
def test_every_interval_stays_within_what_is_possible(name, values, most):
    finals = {"base": dict(enumerate(values)), "arm": dict(enumerate(reversed(values)))}
    groups = [Group(arm, {}, {}) for arm in finals]
    for row in results.rows_of(groups, "base", Metric(name, None), finals, {"base": {}, "arm": {}}):
        can_be = meaning.of(name)
        for one in (row.t, row.bootstrap):
            assert can_be.low <= one.low <= one.high <= can_be.high
        if row.difference:
            assert -most <= row.difference.interval.low <= row.difference.interval.high <= most
