"""Equal time and equal privacy: how long models train beside each other; of which arms private steps are claimed."""

from types import SimpleNamespace

import pytest

from experiments.applications import neighbour, private


@pytest.mark.parametrize("seconds_a_round", [0.001, 0.03, 2.0])
def test_a_model_trains_for_its_time_whatever_its_speed(monkeypatch, tmp_path, seconds_a_round):
    """Within a tenth, but for a probe that takes longer; each call continues the run with more rounds."""
    steps = []

    def train(script, settings, run_dir):
        assert not steps or settings["steps"] > steps[-1]
        steps.append(settings["steps"])
        run_dir.mkdir(exist_ok=True)
        (run_dir / "config.json").write_text("{}")

    monkeypatch.setattr(neighbour.gen_jax, "train", train)
    monkeypatch.setattr(neighbour.folder, "read_config", lambda run: {"steps": steps[-1]})
    monkeypatch.setattr(
        neighbour.folder, "record", lambda run: {"sittings": [{"run_seconds": steps[-1] * seconds_a_round}]}
    )
    config = neighbour.Config(study_dir=tmp_path, probe=10)
    for seconds in (30.0, 60.0):
        neighbour.trained(config, "dcgan", 0, seconds)
        assert neighbour.spent(tmp_path) == pytest.approx(seconds, rel=0.11)


def test_a_row_a_sampler_with_its_evaluations():
    row = {"sampler": "heun:10", "evaluations": 10, "fd": 7.0, "drawing": 2.5, "steps": 1200, "seconds": 60.0}
    text = neighbour.section(neighbour.Config(seeds=2), {"flow_matching": [[row], [{**row, "fd": 9.0}]]})
    assert "| flow matching | heun:10 | 10 | 8.0 ± " in text
    assert "| 2.500 | 60 | 1,200 |" in text


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [((1, 10), "10 to 1 gives better samples than 1 to 1"), ((1, 10, 50), "10 to 1 gives"), ((30,), None)],
)
def test_all_arms_spend_as_much_and_ten_steps_are_claimed_beside_one(monkeypatch, tmp_path, turns, wanted):
    seen = SimpleNamespace()

    def table(config, paper, script, studies, measure, protocol, claims):
        seen.studies, seen.claims = studies, claims

    monkeypatch.setattr(private.papers, "table", table)
    private.main(private.Config(study_dir=tmp_path, n_critic=turns, private_steps=3000))
    spent = {name: each.settings["steps"] * each.settings["n_critic"] for name, each in seen.studies.items()}
    assert spent == {f"{n} to 1": 3000 for n in turns}
    assert [claim.text.startswith(wanted) for claim in seen.claims] == ([True] if wanted else [])
