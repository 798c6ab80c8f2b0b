"""Seeds that are added until something is decided: when it stops, what it says, and what cannot be asked."""

import json
from pathlib import Path

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.runs.log import encode
from gen_jax.studies import ablation, auto, study
from gen_jax.studies.ablation import Ablation
from gen_jax.studies.results import Group

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "data": "digits", "steps": 2, "width": 4, "depth": 1, "latent_size": 4, "batch_size": 16, "backend": "jit",
    "devices": 1, "steps_per_call": 2, "log_every": 2, "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 2,
}  # fmt: skip


def ask(folder, **changes):
    values = {"experiment": ROOT / "experiments" / "gan.py", "study_dir": folder, "settings": SETTINGS, "seeds": "auto"}
    return Ablation(**{**values, "grid": {"loss": ["non_saturating", "hinge"]}, **changes})


def looked(tmp_path, effects: dict[str, float], spread: float, most: int):
    """How many seeds were trained, and what was said, where arms differ by so much from the baseline."""
    chance, made, said = np.random.default_rng(0), [], []
    values = {arm: chance.normal(effect, spread, 64) for arm, effect in effects.items()}

    class Opened:
        decide, baseline = "score", "base"

    def train(seeds):
        made.append(seeds)
        opened = Opened()
        opened.seeds = tuple(range(seeds))
        return opened

    def groups(opened):
        found = []
        for arm, drawn in values.items():
            runs = {seed: tmp_path / arm / str(seed) for seed in opened.seeds}
            for seed, run in runs.items():
                run.mkdir(parents=True, exist_ok=True)
                (run / "metrics.jsonl").write_bytes(encode({"step": 1, "score": drawn[seed]}) + b"\n")
            found.append(Group(arm, runs, {}))
        return found

    auto.until_decided(train, groups, 0, most, said.append)
    return made, said


def test_it_stops_as_soon_as_every_arm_is_decided(tmp_path):
    made, said = looked(tmp_path, {"base": 0.0, "a": 1.2, "b": -9.0}, 1.0, 64)
    assert made == list(range(auto.FIRST, made[-1] + 1, auto.MORE))
    assert auto.FIRST < made[-1] < 40
    assert said[-1] == f"score: decided by {made[-1]} seeds, every arm against base"
    assert said[0].startswith("score: not decided by 6 seeds: a")


def test_it_stops_when_the_budget_ends(tmp_path):
    made, said = looked(tmp_path, {"base": 0.0, "a": 9.0, "b": 0.0}, 1.0, 21)
    assert made[-1] == 21
    assert said[-1] == "score: not decided by 21 seeds: b against base"


def test_a_study_grows_and_its_table_says_so(tmp_path):
    folder, said = tmp_path / "study", []
    rows = ablation.run(ask(folder, decide="logits/real", most_seeds=6), said.append)
    seeds = json.loads((folder / "study.json").read_text())["seeds"]
    assert {row.seeds for row in rows} == {seeds}
    assert seeds == 6
    assert f"decided by {seeds} seeds" in (folder / "table.md").read_text()
    assert "confidence sequence" in (folder / "table.md").read_text()
    assert next(row for row in rows if row.difference).difference.interval.number == seeds
    # It continues where it was, and never becomes a study whose differences nobody had looked at.
    before = (folder / "table.md").read_bytes()
    ablation.run(ask(folder, decide="logits/real", most_seeds=seeds), said.append)
    assert (folder / "table.md").read_bytes() == before
    with pytest.raises(UserError, match="--seeds auto --decide logits/real"):
        ablation.run(ask(folder, seeds=12))
    assert study.open_study(folder).decide == "logits/real"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "--seeds auto and --decide"),
        ({"seeds": 4, "decide": "loss/discriminator"}, "--seeds auto and --decide"),
        ({"decide": "loss/discrimnator"}, "--decide loss/discrimnator: .* did you mean loss/discriminator"),
        ({"decide": "loss/discriminator", "grid": {}}, "one arm"),
        ({"decide": "loss/discriminator", "most_seeds": 0}, "--most-seeds"),
        ({"decide": "loss/discriminator"}, "of different objectives"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_anything_is_written(changes, says, tmp_path):
    with pytest.raises(UserError, match=says):
        ablation.run(ask(tmp_path / "study", **changes))
    assert not (tmp_path / "study").exists()
