"""LaTeX tables: what stands in them, and that a TeX, where there is one, sets them within a column."""

import math
import re
import shutil
import subprocess

import pytest

from gen_jax.metrics.intervals import Interval
from gen_jax.studies import latex
from gen_jax.studies.results import Metric, Row

FD, ELBO = Metric("tracked/FD-LeNet", "lowest"), Metric("held_out/elbo", "highest")


def row(metric, arm, mean, half=math.nan, seeds=5):
    interval = Interval(mean, mean - half, mean + half, seeds)
    return Row(metric, arm, seeds, 0, mean, interval, interval, mean, None, math.nan)


def table(arms=("a_b", "c%d"), metrics=(FD, ELBO), seeds=5):
    rows = [row(m, arm, 104.4321 + 10 * i, 1.7345, seeds) for m in metrics for i, arm in enumerate(arms)]
    return latex.to_latex(rows, "Losses & more: {x} ~ 100 % #1")


def test_arms_are_rows_metrics_are_columns_and_the_best_is_bold():
    lines = [line for line in table().splitlines() if line.endswith("\\\\")]
    assert lines[1:] == [
        r"a\_b & $\mathbf{104.4} \pm 1.7$ & $104.4 \pm 1.7$ \\",
        r"c\%d & $114.4 \pm 1.7$ & $\mathbf{114.4} \pm 1.7$ \\",
    ]
    assert lines[0].count("&") == 2
    assert r"FD-LeNet $\downarrow$" in lines[0]
    assert r"elbo $\uparrow$" in lines[0]


@pytest.mark.parametrize(
    ("mean", "half", "wanted"),
    [
        (104.4321, 1.7345, ("104.4", "1.7")),
        (0.00312, 0.00045, ("0.00312", "0.00045")),
        (-12345.6, 789.0, ("-12346", "789")),
        (3.0, math.nan, ("3", "")),
        (3.0, 0.0, ("3.0000", "0.0000")),
        (2.5e-9, 1e-10, ("2.5e-09", "1e-10")),
    ],
)
def test_figures_end_where_the_interval_does(mean, half, wanted):
    assert latex._figures(row(FD, "x", mean, half)) == wanted


def test_nothing_is_best_without_a_direction_or_alone():
    logits = Metric("held_out/logits/real", None)
    assert "mathbf" not in latex.to_latex([row(logits, "a", 1.0), row(logits, "b", 2.0)], "t")
    assert "mathbf" not in latex.to_latex([row(FD, "a", 1.0)], "t")
    assert "--" in latex.to_latex([row(FD, "a", math.nan), row(FD, "b", 2.0)], "t")


def test_seeds_get_a_column_where_they_differ():
    text = latex.to_latex([row(FD, "a", 1.0, 0.1, 5), row(FD, "b", 2.0, 0.1, 4)], "t")
    assert "& 5 &" in text
    assert "& 4 &" in text


LONG = tuple(f"experiment=dcgan,augment=diffaugment,latent_size={n},label_smoothing=0.1" for n in (8, 16))
MANY = tuple(Metric(f"tracked/{name}/EfficientNet-Lite0", "lowest") for name in ("FD", "KID", "precision", "recall"))


@pytest.mark.parametrize(
    "text",
    [table(), table(LONG), table(("a", "b"), MANY), table(LONG, (*MANY, ELBO)), table(("x[1]", "β<2 ∞ ± ~^\\"))],
    ids=["plain", "long arms", "many metrics", "both", "odd characters"],
)
def test_it_fits_a_column(text, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex with booktabs")
    (tmp_path / "t.tex").write_text(
        "\\documentclass[10pt,twocolumn]{article}\n\\usepackage{booktabs}\n\\setlength{\\columnsep}{30pt}\n"
        "\\begin{document}\n\\hsize=219pt\\columnwidth=219pt\\linewidth=219pt\n" + text + "\\end{document}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-1500:]
    too_wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt", run.stdout)
    assert not too_wide, too_wide


def test_runs_that_logged_nothing_to_compare_give_an_empty_table():
    assert latex.to_latex([], "nothing").startswith("% \\usepackage{booktabs}")
