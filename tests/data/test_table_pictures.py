"""Pictures of tables say what they show: columns by name, values in their units, samples and data told apart."""

import numpy as np
import pytest

from gen_jax.data import load
from gen_jax.data.kinds import canvas


@pytest.fixture
def drawn(monkeypatch):
    """Figures as they are rendered."""
    figures, render = [], canvas.render
    monkeypatch.setattr(canvas, "render", lambda figure, *a, **b: figures.append(figure) or render(figure, *a, **b))
    return figures


def table(tmp_path, mixed):
    lines = [f"{20 + i % 7},{1000 + 13 * (i * 7 % 97)},{'ab'[i % 2]}" for i in range(200)]
    text = "\n".join(["age,pay in $,group", *lines])
    path = tmp_path / "t.csv"
    path.write_text(text if mixed else "\n".join(line.rpartition(",")[0] for line in text.splitlines()))
    return load.load(f"table:{path}")


def test_a_panel_a_column(tmp_path, drawn):
    data = table(tmp_path, mixed=True)
    data.kind.picture(data.train.arrays["x"], data.test.arrays["x"], None)
    (figure,) = drawn
    age, pay, group = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["age", r"pay in \$", "group"]
    assert {label.get_text() for label in age.get_xticklabels()} <= {str(20 + i) for i in range(7)}
    assert 900 < pay.dataLim.x0 < pay.dataLim.x1 < 2300 or len(pay.get_xticks()) <= 5
    assert [label.get_text() for label in group.get_xticklabels()] == ["a", "b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["samples", "data"]


def test_two_columns_against_one_another(tmp_path, drawn):
    data = table(tmp_path, mixed=False)
    x = data.train.arrays["x"]
    data.kind.picture(x, data.test.arrays["x"], None)
    data.kind.pairs(x, x)
    data.kind.rows(x[None, :9], ["one"])
    for figure in drawn:
        (axes,) = figure.axes
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("age", r"pay in \$")
        points = np.concatenate([np.asarray(each.get_offsets()) for each in axes.collections])
        assert (points[:, 0].min(), points[:, 0].max()) == (20, 26)
        assert points[:, 1].min() >= 1000
