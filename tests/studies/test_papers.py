"""What published tables stand on: claims judged by paired intervals, measurements kept, sections replaced."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.metrics import power
from gen_jax.studies import papers
from gen_jax.studies.claims import Claim, forecast, judge
from gen_jax.studies.page import with_section

SCRIPTS = sorted((Path(__file__).parents[2] / "experiments" / "papers").glob("*.py"))
VALUES = {
    "k=1": {"nll": {0: 100.0, 1: 110.0, 2: 120.0}},
    "k=5": {"nll": {0: 99.0, 1: 108.5, 2: 119.2}},
    "k=9": {"nll": {0: 99.9, 1: 112.0, 2: 118.0}},
}


def nll(lower: str, higher: str, **more) -> Claim:
    return Claim("it falls", "nll", lower, higher, **more)


def test_a_claim_is_judged_by_the_paired_interval():
    word, evidence = judge(VALUES, nll("k=5", "k=1"))
    low, high = stats.ttest_rel([99.0, 108.5, 119.2], [100.0, 110.0, 120.0]).confidence_interval(0.95)
    assert (word, high < 0) == ("held", True)
    assert f"[−{-low:.4g}, −{-high:.4g}]" in evidence
    assert judge(VALUES, nll("k=1", "k=5"))[0] == "reversed"
    assert judge(VALUES, nll("k=9", "k=1"))[0] == "not decided"
    assert judge(VALUES, nll("k=5", "k=1", words={"held": "did not hold"}))[0] == "did not hold"
    alone = {arm: {"nll": {0: found["nll"][0]}} for arm, found in VALUES.items()}
    assert judge(alone, nll("k=5", "k=1"))[0] == "not decided"  # one seed decides nothing


def test_a_verdict_says_what_its_seeds_could_decide():
    spread = float(np.std([-1.0, -1.5, -0.8], ddof=1))  # .36
    _, evidence = judge(VALUES, nll("k=5", "k=1", published=1.22))
    assert evidence.endswith(f"power {power.power(3, 1.22, spread):.2f} for the published 1.22")
    needed = power.seeds_for(0.1, spread)
    assert judge(VALUES, nll("k=5", "k=1", published=0.1))[1].endswith(f"published 0.1, which takes {needed} seeds")
    smallest = power.detectable(3, spread)
    assert judge(VALUES, nll("k=5", "k=1"))[1].endswith(f"3 seeds find a difference of {smallest:.4g} with power 0.8")


def test_before_it_starts_a_study_says_how_many_seeds_would_decide():
    needed = power.seeds_for(0.5, float(np.std([-1.0, -1.5, -0.8], ddof=1)))
    assert f"the published 0.5 takes {needed} seeds" in forecast(VALUES, nll("k=5", "k=1", published=0.5))
    assert "3 seeds find a difference of" in forecast(VALUES, nll("k=5", "k=1"))
    assert "of 0 seeds nothing is known" in forecast({}, nll("k=5", "k=1", published=0.5))


def test_the_section_has_ours_beside_theirs():
    paper = papers.Paper("x", "X", [papers.Column("nll", "NLL", 1)], {"k=5": "85.54"}, "published", {"k=5": "k = 5"})
    text = papers.markdown(paper, VALUES, [("it falls", "held", "why")], ["a fact"])
    half = np.diff(stats.t.interval(0.95, 2, 0, stats.sem([99.0, 108.5, 119.2])))[0] / 2
    assert f"| k = 5 | 108.9 ± {half:.1f} | 3 | 85.54 |" in text
    assert "| k=1 | 110.0 ± 24.8 | 3 | – |" in text
    assert "- it falls: **held** (why)." in text


def test_a_section_is_replaced_where_it_is_and_others_stay():
    page = with_section("# Page\n\nwords\n", "a", "one\n")
    page = with_section(page, "b", "two\n")
    again = with_section(page, "a", "three\n")
    assert again == page.replace("one", "three")
    assert again.startswith("# Page\n\nwords\n")
    assert again.index("three") < again.index("two")


def test_a_page_is_made_and_its_section_replaced(tmp_path):
    page = tmp_path / "page.md"
    papers.write_section(page, "a", "one\n")
    papers.write_section(page, "a", "größer\n")
    assert page.read_text(encoding="utf-8") == "<!-- a -->\ngrößer\n<!-- end of a -->\n"
    papers.write_section(None, "a", "one\n")
    assert list(tmp_path.iterdir()) == [page]


def test_a_measurement_is_kept_until_its_protocol_or_the_run_changes(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"steps": 5}))
    made = []
    monkeypatch.setattr(papers, "open_trained", made.append)

    def measure(trained):
        return {"value": np.float32(len(made))}

    assert [papers._measure(tmp_path, measure, how)["value"] for how in "aab"] == [1.0, 1.0, 2.0]
    (tmp_path / "config.json").write_text(json.dumps({"steps": 9}))
    assert papers._measure(tmp_path, measure, "b")["value"] == 3.0


def test_the_command_is_what_was_typed_without_places(monkeypatch):
    monkeypatch.setattr("sys.argv", ["x.py", "--steps", "5", "--out", "a b.md", "--data", "digits"])
    assert papers.command("x.py") == "python experiments/papers/x.py --steps 5 --data digits"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_paper_script_says_what_is_claimed_and_where(script):
    text = " ".join(re.match(r'"""(.*?)"""', script.read_text(), re.DOTALL)[1].split())
    assert f"python experiments/papers/{script.name}" in text
    assert "arXiv:" in text
    if script.stem != "modes_2d":
        assert "Claim" in text
        assert "Scaled down" in text


@pytest.mark.parametrize("out", ["config.json", "page.html", "samples/x.md"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_trained(out, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "samples").mkdir()
    with pytest.raises(UserError, match="--out"):
        papers.study(papers.Config(out=tmp_path / out), "name", "part", "gan")


def test_what_was_not_measured_is_a_dash():
    paper = papers.Paper("p", "P", (papers.Column("a", "A"), papers.Column("b", "B")), {}, "published", {})
    text = papers.markdown(paper, {"arm": {"a": {0: 1.0, 1: 2.0}}}, [], [])
    assert "| arm | 1.50 ± 6.35 | – | 2 | – |" in text


@pytest.mark.parametrize(
    ("own", "steps", "expected"),
    [
        ({"steps": 6000, "pretrain": 2000}, 300, {"steps": 300, "pretrain": 100}),
        ({"steps": 6000, "pretrain": 2000}, None, {"steps": 6000, "pretrain": 2000}),
        ({"steps": 6000, "width": 8}, 9000, {"steps": 9000, "width": 8}),
        ({"steps": 6000, "pretrain": 2000}, 1, {"steps": 1, "pretrain": 1}),  # none would be another algorithm
        ({"steps": 6000, "pretrain": 0}, 30, {"steps": 30, "pretrain": 0}),
    ],
)
def test_a_first_stage_keeps_its_share_of_fewer_steps(own, steps, expected):
    assert papers.shortened(own, steps) == expected


def test_tables_of_other_data_stand_beside_the_scaled_down_one():
    paper = papers.Paper("p", "P", (papers.Column("a", "A"),), {}, "published", {})
    assert papers.of_data(paper, papers.OfData()) is paper
    of = papers.of_data(paper, papers.OfData(data="tfds:mnist"))
    assert (of.name, of.title) == ("p_tfds-mnist", "P on mnist")
