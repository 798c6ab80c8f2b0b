"""The report stands alone, survives whatever is missing, and says what the files say."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data.source import Source, in_memory
from gen_jax.runs import figures, log, manifest, panels, report, scoreboard

SPLIT = in_memory({"x": np.zeros((4, 8, 8, 1), np.uint8)})
DATA = Source("digits", (8, 8, 1), None, "f" * 64, SPLIT, SPLIT)
PROTOCOL = {"data": "digits", "split": "test"}
EVALUATION = {
    "step": 400,
    "results": [
        {"name": "elbo", "value": -101.2345, "interval": [-102.5, -99.9], "unit": "nats", "protocol": PROTOCOL,
         "interval_kind": "95 % bootstrap over examples"},
        {"name": "kl", "value": 7.25, "interval": None, "unit": "nats", "protocol": PROTOCOL},
        {"name": "frechet_distance", "value": None, "interval": None, "unit": "", "protocol": {"features": "lenet"}},
    ],
}  # fmt: skip


class Page(HTMLParser):
    """What a page says, what it would fetch, and whether its elements are closed in order."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text):
        super().__init__()
        self.text, self.fetched, self.open, self.hidden = [], [], [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.fetched += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith(("data:", "#"))
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture
def run(tmp_path, monkeypatch):
    folder = tmp_path / "my-run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"data": "digits", "steps": 500, "seed": 3, "hyper": {"lr": 1e-4}}))
    (folder / "experiment.py").write_text('"""A DCGAN <of digits>\n(Radford 2016).\n\nMore."""\n')
    monkeypatch.setattr("sys.argv", ["experiments/dcgan.py", "--data", "digits"])
    manifest.start(folder, DATA, {"generator": 1234}, "jit", 1, 0)
    manifest.finish(folder, "stopped", "SIGTERM")
    with log.Log(folder, 0, 64, 500, to="") as lines:
        for step in range(10, 401, 10):
            lines.write(
                step, {"loss/critic": 1 / step, "loss/generator": np.nan, "elbo": -step, "nonfinite/total": 0.0,
                       "high_frequency/reconstructions": 0.01, "samples/copied": 0.0, "samples/copied_held_out": 0.0}
            )  # fmt: skip
        lines.write(400, {"held_out/elbo": -390.0})
    for step in range(0, 401, 20):
        figures.save_png(folder / "samples" / f"step_{step:08d}.png", np.full((40, 40, 1), step // 2, np.uint8))
    figures.save_png(folder / "pictures" / "reconstructions.png", np.zeros((40, 40, 3), np.uint8))
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    return folder


def page(folder):
    path = report.write_report(folder)
    assert path == folder / "report.html"
    return Page(path.read_text())


def test_all_of_a_run_in_one_file(run):
    found = page(run)
    assert found.fetched == []
    for said in (
        "dcgan", "A DCGAN <of digits> (Radford 2016).", "stopped", "SIGTERM", "400 of 500", "generator 1,234",
        "Step 400", "Reconstructions", "elbo −101.2 −102.5 to −99.9 nats", "kl 7.25 nats",
        "frechet distance not finite", "95 % bootstrap over examples", "All rows: step 400",
        "a data digits · split test", "b features lenet",
        "Blur since step 60", "experiments/sigma_vae.py --data digits Rybkin et al.", "0.0% of the samples are",
        "Not looked at, as this run logs nothing to see them by: vanishing generator gradient, exploding",
        "training", "held out", "nats an example", "higher is better", "Dashed: held-out examples.", "hyper.lr 0.0001",
        "data fingerprint ffffffffffffffff",
    ):  # fmt: skip
        assert said in found.words, said
    assert "nonfinite" not in found.words  # nothing was skipped, so no chart of it
    pictures = re.findall(r'<img src="data:image/png;base64,[A-Za-z0-9+/=]+"', (run / "report.html").read_text())
    assert len(pictures) == 1 + report.STRIP + 1


@pytest.mark.parametrize(
    "missing",
    [
        "config.json",
        "manifest.json",
        "metrics.jsonl",
        "samples",
        "pictures",
        "evaluation.json",
        "experiment.py",
    ],
)
def test_any_part_may_be_missing(run, missing):
    path = run / missing
    path.rename(run.parent / missing)
    assert "dcgan" in page(run).words or missing == "manifest.json"


def test_an_empty_folder_has_a_page(tmp_path):
    assert "nothing to report yet" in page(tmp_path).words
    assert tmp_path.name in page(tmp_path).words


def test_a_damaged_file_is_named(run):
    (run / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json is not valid JSON"):
        report.write_report(run)


def test_names_cannot_break_the_page(run):
    (run / "config.json").write_text(json.dumps({"data": "<script>alert(1)</script>", "steps": 5}))
    (run / "metrics.jsonl").write_text('{"step": 1, "seconds": 0, "images": 1, "<b>/x&y": 1.0}\n')
    found = page(run)  # would assert on a script element or an unclosed one
    assert "<script>alert(1)</script>" in found.words


@pytest.mark.parametrize(
    ("value", "interval", "shown"),
    [
        (-101.2345, [-102.5, -99.9], ("−101.2", "−102.5 to −99.9")),
        (0.123456, [0.1229, 0.1240], ("0.12346", "0.12290 to 0.12400")),
        (12345.6, [12000.0, 12700.0], ("12346", "12000 to 12700")),
        (3.0, [3.0, 3.0], ("3", "")),
        (1e-9, None, ("1e-09", "")),
        (None, [1.0, 2.0], ("not finite", "")),
    ],
)
def test_digits_that_mean_something(value, interval, shown):
    assert scoreboard.figure_with_interval(value, interval) == shown


def of(values):
    return SimpleNamespace(values=np.asarray(values, float))


def test_panels_pair_training_with_held_out_and_have_one_unit_each():
    names = ["penalty/r1", "loss/critic", "loss/generator", "elbo", "nonfinite/total", "held_out/elbo", "held_out/fid",
             "logits/real", "logits/fake", "logits/real_std", "samples/distance", "samples/distance_raw",
             "samples/modes", "samples/good", "tracked/FD-LeNet", "held_out/loss/critic", "second/kl"]  # fmt: skip
    found = panels.of(dict.fromkeys(names, of([0.0, 2.0])))
    assert [(panel.title, panel.unit, panel.names) for panel in found] == [
        ("FD-LeNet", "FD-LeNet", ("tracked/FD-LeNet",)),
        ("ELBO", "nats an example", ("elbo", "held_out/elbo")),
        ("losses", "loss", ("loss/critic", "loss/generator", "held_out/loss/critic")),
        ("logits of D", "logit", ("logits/real", "logits/fake")),
        ("distance to the data", "variances of the data", ("samples/distance", "samples/distance_raw")),
        ("modes", "share", ("samples/modes", "samples/good")),
        ("spread of logits", "logit", ("logits/real_std",)),
        ("skipped steps", "steps", ("nonfinite/total",)),
        ("penalty: r1", "r1", ("penalty/r1",)),
        ("fid", "fid", ("held_out/fid",)),
        ("KL of the second stage", "nats an example", ("second/kl",)),
    ]
    assert all(panel.sentence.endswith(".") for panel in found)
    assert panels.labels(found[1]) == ["training", "held out"]
    assert panels.labels(found[2]) == ["critic, training", "generator", "critic, held out"]
    beside = panels.Panel("", "", "", ("samples/distance", "reconstructions/distance"))
    assert panels.labels(beside) == ["samples, distance", "reconstructions, distance"]
    assert panels.styles(found[2].names) == [(0, "-"), (1, "-"), (0, "--")]


def test_a_line_that_another_would_flatten_has_a_panel_of_its_own():
    ramp = np.linspace(0, 1, 30)
    beside = {"loss/critic": of(-400 * ramp), "held_out/loss/critic": of(-300 * ramp), "loss/generator": of(ramp)}
    assert [panel.title for panel in panels.of(beside)] == ["losses: critic", "losses: generator"]
    near = {"loss/critic": of(3 * ramp), "loss/generator": of(ramp), "loss/encoder": of(0 * ramp)}
    assert [panel.title for panel in panels.of(near)] == ["losses"]


@pytest.mark.parametrize(
    ("settings", "script", "drawn"),
    [
        ({"loss": "non_saturating"}, "", True),
        ({"loss": "minimax"}, "", True),
        ({"loss": "hinge"}, "adversarial.non_saturating", False),
        ({}, "loss=adversarial.non_saturating", True),
        ({}, "loss=adversarial.wasserstein", False),
    ],
)
def test_logits_have_probabilities_beside_them_where_they_stand_for_some(settings, script, drawn, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    (tmp_path / "experiment.py").write_text(script)
    rows = [{"step": n, "logits/real": n / 10, "logits/fake": -n / 10} for n in range(1, 30)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert ("probability σ(logit)" in page(tmp_path).words) == drawn
    assert ("0.95" in page(tmp_path).words) == drawn


def test_strip_has_the_ends_and_favours_the_start():
    steps = list(range(0, 10_001, 100))
    chosen = report._spread(steps)
    assert len(chosen) == report.STRIP
    assert chosen[0] == 0
    assert chosen[-1] == 10_000
    assert np.median(chosen) < 2_000
    assert report._spread([0, 5]) == [0, 5]
    assert report._spread([]) == []
    assert all(len(set(report._spread(list(range(n))))) == min(n, report.STRIP) for n in range(30))


def test_a_healthy_run_says_what_was_looked_at(run):
    (run / "metrics.jsonl").write_text(
        "".join(json.dumps({"step": 50 * n, "high_frequency/reconstructions": 0.6}) + "\n" for n in range(1, 9))
    )
    said = page(run).words
    assert "Diagnosis Nothing found. What was looked at" in said
    assert "Reconstructions have 0.6 of the data's power" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("held-out loss", "Held-out loss"),
        ("a share of it", "A share of it"),
        ("mode collapse: few", "Mode collapse: few"),
        ("r_v above 0.5", "r_v above 0.5"),
        ("q(z) is far", "q(z) is far"),
        ("p below 0.05", "p below 0.05"),
        ("D wins", "D wins"),
        ("−3 nats", "−3 nats"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_symbol_does_not(text, shown):
    assert report.sentence(text) == shown


def test_the_template_ships():
    assert (Path(report.__file__).parent / "report.html.j2").exists()
    assert "*.j2" in (Path(__file__).parents[2] / "pyproject.toml").read_text()
