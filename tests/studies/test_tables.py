"""Tables by hand-made runs: statistics put into the right cells, four formats, and comparisons of loose runs."""

import csv
import io
import json
import math

import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.studies import compare, results, tables
from gen_jax.studies.compare import Asked
from gen_jax.studies.results import Group, Metric

LOSS = Metric("held_out/squared_error", "lowest")
CURVES = {  # arm -> seed -> the values at steps 10 and 20
    "base": {0: [3.0, 2.0], 1: [5.0, 4.0], 2: [4.0, 3.5]},
    "a_b": {0: [2.5, 1.5], 1: [4.4, 3.4], 2: [2.0, 2.8]},
    "c%d": {0: [2.5, 2.2], 1: [4.4, 3.9], 2: [2.0, 4.8]},
}


def make_run(path, seed, values, **settings):
    path.mkdir(parents=True)
    config = {"data": "digits", "seed": seed, "steps": 20, "run_dir": str(path), "hyper": {"lr": 1.0}, **settings}
    (path / "config.json").write_text(json.dumps(config))
    lines = [{"step": 10 * (i + 1), "seconds": 1.0, "images": 5, LOSS.name: v} for i, v in enumerate(values)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def groups(tmp_path):
    return [
        Group(arm, {seed: make_run(tmp_path / arm / str(seed), seed, v) for seed, v in runs.items()}, {})
        for arm, runs in CURVES.items()
    ]


def test_cells_are_scipys(groups):
    rows = {row.arm: row for row in results.rows(groups, "base", [LOSS])}
    base, first = [2.0, 4.0, 3.5], [1.5, 3.4, 2.8]
    row = rows["a_b"]
    assert row.final == pytest.approx(np.mean(first))
    assert row.best == pytest.approx(np.mean([1.5, 3.4, 2.0]))  # seed 2 was better before its end
    np.testing.assert_allclose(row.t.ends, stats.t.interval(0.95, 2, np.mean(first), stats.sem(first)))
    test = stats.ttest_rel(first, base)
    assert row.difference.mean == pytest.approx(np.mean(first) - np.mean(base))
    np.testing.assert_allclose(row.difference.interval.ends, test.confidence_interval(0.95))
    assert row.difference.p == pytest.approx(test.pvalue)
    assert row.p_holm == pytest.approx(2 * test.pvalue)  # the smaller of two
    assert rows["base"].difference is None
    high = results.rows(groups, "base", [LOSS._replace(better="highest")])
    assert high[0].best == pytest.approx(np.mean([3.0, 5.0, 4.0]))


def test_what_is_not_finite_is_left_out_and_counted(groups, tmp_path):
    run = make_run(tmp_path / "odd", 0, [1.0, None])
    odd = [groups[0], Group("odd", {0: run, **{s: groups[1].runs[s] for s in (1, 2)}}, {7: "diverged: why"})]
    row = results.rows(odd, "base", [LOSS])[1]
    assert (row.seeds, row.failed, row.difference.pairs) == (2, 1, 2)
    assert row.best == pytest.approx((1.0 + 3.4 + 2.0) / 3)
    text = tables.to_markdown(tables.tabulate([row], "t", "base"))
    assert "2 (1 failed)" in text


def test_one_seed_has_no_interval_and_says_so(tmp_path):
    alone = [Group(name, {0: make_run(tmp_path / name, 0, [1.0, v])}, {}) for name, v in (("x", 2.0), ("y", 3.0))]
    rows = results.rows(alone, "x", [LOSS])
    cells = tables.tabulate(rows, "t", "x").rows[1]
    assert cells == ["held_out/squared_error ↓", "y", "1", "3", "–", "–", "1", "+1", "–", "–", "–"]
    assert list(csv.DictReader(io.StringIO(tables.to_csv(rows))))[1]["t_low"] == ""


def test_formats(groups):
    rows = results.rows(groups, "base", [LOSS])
    table = tables.tabulate(rows, "Losses & more", "base")
    page = tables.to_html(table)
    assert "Losses &amp; more" in page
    assert page.count("<tr>") == 4
    assert "&lt;" not in page or "<0.0001" not in page
    markdown = tables.to_markdown(table).splitlines()
    assert {line.count("|") for line in markdown if line.startswith("|")} == {len(table.header) + 1}


def test_numbers_for_people():
    assert tables.number(-0.000123456) == "−0.0001235"
    assert tables.number(1.0, True) == "+1"
    assert tables.number(math.nan) == "–"
    assert [tables.p_value(p) for p in (0.2, 0.0042, 1e-9, math.nan)] == ["0.200", "0.0042", "<0.0001", "–"]


def test_bands_are_means_and_t_intervals_by_step(groups):
    steps, mean, low, high = results.bands(groups, LOSS.name)["base"]
    np.testing.assert_array_equal(steps, [10, 20])
    np.testing.assert_allclose(mean, [4.0, np.mean([2.0, 4.0, 3.5])])
    wanted = stats.t.interval(0.95, 2, 4.0, stats.sem([3.0, 5.0, 4.0]))
    np.testing.assert_allclose((low[0], high[0]), wanted)


def test_metrics_are_chosen_and_mistakes_named(groups):
    assert results.choose_metrics(groups) == [LOSS]
    assert results.choose_metrics(groups, ["held_out/squared_error:highest"]) == [LOSS._replace(better="highest")]
    assert results.choose_metrics(groups, best_metric=LOSS.name)[0].better == "highest"
    with pytest.raises(UserError, match="no run has a metric fid; there are held_out/squared_error"):
        results.choose_metrics(groups, ["fid"])
    with pytest.raises(UserError, match=":highest or"):
        results.choose_metrics(groups, ["held_out/squared_error:best"])


def test_loose_runs_become_arms_by_what_differs(tmp_path):
    runs = []
    for lr, arm in ((1.0, "base"), (2.0, "a_b")):
        for seed, values in CURVES[arm].items():
            runs.append(make_run(tmp_path / f"{arm}{seed}", seed, values, hyper={"lr": lr}))
    rows, table, _ = compare.compare(runs, out=tmp_path / "out")
    assert [row.arm for row in rows] == ["lr=1", "lr=2"]
    assert rows[1].difference.pairs == 3
    assert table.rows[0][7] == "baseline"
    files = {p.name for p in (tmp_path / "out").iterdir()}
    assert files == {"table.md", "table.tex", "table.csv", "table.html", "report.html"}
    with pytest.raises(UserError, match="same arm and seed"):
        compare.compare([runs[0], runs[0]])
    with pytest.raises(UserError, match="the arms are lr=1, lr=2"):
        compare.compare(runs, Asked(baseline="lr=3"))
    with pytest.raises(UserError, match="two runs or more"):
        compare.compare(runs[:1])
