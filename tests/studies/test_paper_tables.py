"""Tables that come from elsewhere or from longer runs: outcomes kept and joined, and how much a curve still falls."""

import json

import pytest

from gen_jax.core.errors import UserError
from gen_jax.studies import outcomes, papers
from gen_jax.studies.ablation import Ablation
from gen_jax.studies.outcomes import Outcome

PAPER = papers.Paper("x", "X", [papers.Column("nll", "NLL", 1)], {}, "published", {"k=5": "k = 5"})


def outcome(arm: str, value: float, where: str = "a GPU") -> Outcome:
    values = {arm: {"nll": {0: value, 1: value + 1.0}}}
    earlier = {arm: {"nll": {0: value + 3.0, 1: value + 5.0}}}
    return Outcome(values, 60.0, 0, (10, earlier), where, f"python x.py --k {arm}")


def test_outcomes_of_several_machines_make_one_table(tmp_path):
    for number, made in enumerate((outcome("k=1", 9.0), outcome("k=5", 8.0))):
        outcomes.write(tmp_path / f"{number}.json", made, "how")
    files = [tmp_path / "0.json", tmp_path / "1.json"]
    found = papers.measured({}, lambda run: {}, "how", collected=files)
    assert found.values == {"k=1": {"nll": {0: 9.0, 1: 10.0}}, "k=5": {"nll": {0: 8.0, 1: 9.0}}}
    assert (found.seconds, found.where) == (120.0, "a GPU")
    assert found.command == "python x.py --k k=1`, `python x.py --k k=5"
    with pytest.raises(UserError, match="measured otherwise"):
        outcomes.read(files, "other")
    for path, width in (("0.json", 2), ("1.json", 2), ("3.json", 3)):
        own = outcome("k=1", 9.0)._replace(settings={"k=1": {"width": width, "experiment": "iwae"}})
        outcomes.write(tmp_path / path, own, "how")
    assert outcomes.read(files, "how", {"k=1": {"width": 2, "experiment": "iwae"}, "k=5": {}}).where == "a GPU"
    with pytest.raises(UserError, match="0.json is of other runs of k=1 than this call: width is 2 there and 4 here"):
        outcomes.read(files, "how", {"k=1": {"width": 4, "experiment": "iwae"}})
    with pytest.raises(UserError, match="than the files before it: width is 3 there and 2 here"):
        outcomes.read([files[0], tmp_path / "3.json"], "how")
    (tmp_path / "2.json").write_text("[]")
    with pytest.raises(UserError, match="no values.json"):
        outcomes.read([tmp_path / "2.json"], "how")


def test_a_script_ends_in_a_table_of_what_was_collected(tmp_path):
    outcomes.write(tmp_path / "kept.json", outcome("k=5", 8.0), "how")
    config = papers.Config(study_dir=tmp_path, out=tmp_path / "page.md", collected=(tmp_path / "kept.json",))
    words = papers.table(
        config, PAPER, "x.py", {}, lambda run: {}, "how", remark=lambda found: f"Of {', '.join(found)}"
    )
    assert "- Of k=5\n" in words
    assert words == (tmp_path / "paper.md").read_text(encoding="utf-8")
    assert words in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_table_says_what_its_columns_have_changed_by_since_the_runs_were_shorter(tmp_path):
    half = (4.0 - 3.0) / 2 * 12.706  # of the 95 % interval of −3 and −4
    assert papers.slope(PAPER, outcome("k=5", 8.0)) == f"Since step 10, NLL has changed by: k = 5 −3.5 ± {half:.1f}."
    assert papers.slope(PAPER, outcome("k=5", 8.0)._replace(earlier=(0, {}))) == ""
    papers.publish(papers.Config(study_dir=tmp_path), PAPER, "x.py", outcome("k=5", 8.0), [], "how")
    text = (tmp_path / "paper.md").read_text()
    assert "Since step 10" in text
    assert "`python x.py --k k=5`: 1.0 minutes of training on a GPU." in text
    assert outcomes.read([tmp_path / outcomes.VALUES], "how").values == outcome("k=5", 8.0).values


def test_a_lengthened_run_keeps_what_was_measured_before(tmp_path, monkeypatch):
    monkeypatch.setattr(papers, "open_trained", lambda run: None)
    for steps in (5, 9, 9, 20):
        (tmp_path / "config.json").write_text(json.dumps({"steps": steps}))
        papers._measure(tmp_path, lambda run, value=-float(steps): {"nll": value}, f"of {steps} steps")
    assert papers._record(tmp_path)["earlier"] == {"steps": 9, "values": {"nll": -9.0}}


def test_values_of_an_accelerator_and_of_other_arms_of_a_grid_are_collected(tmp_path):
    """What tells a machine how to go about it, and which arms were asked for there, makes no other runs."""

    def part(k, **settings):
        how = {"grid": {"samples": k}, "settings": {"width": 2, **settings}}
        return {"k": Ablation(experiment="iwae.py", study_dir=tmp_path / "study", **how)}

    there = {"steps_per_call": 500, "log_every": 9, "data_dir": "/elsewhere", "backend": "shard_map"}
    told = {name: outcomes.told(each) for name, each in part([1], **there).items()}
    outcomes.write(tmp_path / "0.json", outcome("samples=1", 9.0)._replace(settings=told), "how")
    found = papers.measured(part([1, 5]), lambda run: {}, "how", collected=[tmp_path / "0.json"])
    assert list(found.values) == ["samples=1"]
    for changed in ({"width": 3}, {"steps": 7}):
        with pytest.raises(UserError, match=f"than this call: {next(iter(changed))} is"):
            papers.measured(part([1], **changed), lambda run: {}, "how", collected=[tmp_path / "0.json"])
