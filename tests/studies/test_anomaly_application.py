"""What the table of anomalies says of its best score, and its figures against scikit-learn's."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from gen_jax.core.errors import UserError
from gen_jax.data import load, source
from gen_jax.data.one_class import REST, one_class
from gen_jax.data.source import whole


@pytest.fixture
def anomaly(monkeypatch):
    """The script with the modules beside it, as it is when it is run."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments" / "applications"))
    before = set(sys.modules)
    import anomaly

    yield anomaly
    for name in set(sys.modules) - before:
        if name.startswith("anomaly"):
            del sys.modules[name]


def figures(**aurocs):
    return {name: {"auroc": value / 100, "ap": 0.5, "fpr95": 0.5} for name, value in aurocs.items()}


@pytest.mark.parametrize(
    ("seeds", "says"),
    [
        ([{"elbo": 96}, {"elbo": 97}, {"elbo": 98}], "elbo, 97.0, is **better than** the best floor, {}: +7.0, 95 %"),
        ([{"elbo": 86}, {"elbo": 87}, {"elbo": 88}], "elbo, 87.0, is **worse than** the best floor, {}: −3.0, 95 %"),
        ([{"elbo": 80}, {"elbo": 99}], "elbo, 89.5, is **not to be told from** the best floor, {}: −0.5"),
        ([{"elbo": 99}], "elbo, 99.0, is **one seed, which decides nothing**, beside the best floor, {}: +9.0."),
        ([{"elbo": 91, "nll": 95}] * 2, "nll, 95.0 (best of 2 scores by the test labels, which flatters it), is"),
    ],
)  # fmt: skip
def test_the_verdict_is_by_the_interval_over_seeds(anomaly, seeds, says):
    found = {seed: {"3": figures(**scores)} for seed, scores in enumerate(seeds)}
    found[-1] = {"3": figures(pca=80, knn=90)}
    names = [*seeds[0], "pca", "knn"]
    assert says.format("5th neighbour, 90.0") in anomaly.verdict(found, names)


def test_floors_that_know_seeds_are_paired_with_them(anomaly):
    """As in a table of tables: a difference that is the same at every seed is one, however far the seeds are apart."""
    found = {
        seed: {"clean": figures(elbo=level + 1 + 0.1 * seed, pca=level)}
        for seed, level in enumerate([60.0, 80.0, 95.0])
    }
    assert "**better than** the best floor" in anomaly.verdict(found, ["elbo", "pca"])


def test_a_floors_figure_is_that_of_scikit_learn(anomaly, tmp_path, capsys):
    """Digits, one class normal, a model of a few steps: the page, and the AUROC of principal components."""
    page = tmp_path / "page.md"
    page.write_text("<!-- anomaly one_class vae digits -->\n<!-- end of anomaly one_class vae digits -->\n")
    anomaly.main(
        anomaly.Config(
            data="digits", classes="3", seeds=1, steps=5, scores="reconstruction", study_dir=tmp_path / "s", out=page
        )
    )
    text = page.read_text()
    assert "one seed, which decides nothing" in text
    data = one_class(load.load("digits"), "3")
    normal, strange = (whole(split)["x"].reshape(split.size, -1) / 127.5 - 1 for split in (data.test, data.split(REST)))
    pca = PCA(32).fit(whole(data.train)["x"].reshape(data.train.size, -1) / 127.5 - 1)
    x = np.concatenate([normal, strange])
    residual = ((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(1)
    expected = 100 * roc_auc_score([0] * len(normal) + [1] * len(strange), residual)
    line = next(line for line in text.splitlines() if "principal components*" in line)
    assert float(line.split("|")[2]) == pytest.approx(expected, abs=0.051)
    assert len(load_digits().data) == data.train.size + data.test.size + data.split(REST).size + _left_out(data)


def glance(**changes):
    settings = {"data": "digits", "classes": "3", "seeds": 1, "steps": 2, "width": 8, "latent_size": 2, "examples": 20}
    return settings | changes


def test_outcomes_of_other_data_under_the_same_name_are_others(anomaly, tmp_path, monkeypatch, capsys):
    """And of a class beside others, up to whose size its training examples are filled: floors alone stay."""
    data = load.load("digits")
    shown = {"data": data}
    monkeypatch.setattr(load, "load", lambda *spec: shown["data"])

    def made(classes="0"):
        capsys.readouterr()
        anomaly.main(anomaly.Config(**glance(scores="reconstruction", study_dir=tmp_path, classes=classes)))
        return [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("digits-class0")]

    both = ["digits-class0-vae-seed0", "digits-class0-floors"]
    assert made() == both
    assert made() == []
    assert made("0, 3") == both[:1]
    mirrored = {name: values[:, ::-1] if name == "x" else values for name, values in whole(data.train).items()}
    shown["data"] = source.from_arrays("digits", mirrored, whole(data.test), data.classes)
    assert made() == both


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scores": "reconstruction,alad"}, ["alad", "`features`"]),
        ({"scores": "elbo", "model": "bigan"}, ["elbo", "measures"]),
        ({"scores": "pca, knn"}, ["--scores pca, knn", "floors"]),
        ({"scores": "elbow"}, ["'elbow'", "did you mean elbo"]),
        ({"classes": "3,12"}, ["12", "classes 0 to 9"]),
        ({"part": "shift", "against": "digits"}, ["--against digits", "nothing is strange"]),
        ({"part": "table", "data": "wine", "scores": "blurred_knn"}, ["blurred_knn", "use knn"]),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(anomaly, tmp_path, monkeypatch, settings, words):
    def never(*_):
        raise AssertionError("a model was trained")

    monkeypatch.setattr(sys.modules["anomaly_parts"], "fitter", never)
    monkeypatch.setattr(sys.modules["anomaly_parts"], "fitter_of_many", lambda *_: never)
    with pytest.raises(UserError) as caught:
        anomaly.main(anomaly.Config(**glance(study_dir=tmp_path / "s", **settings)))
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert not (tmp_path / "s").exists()


def _left_out(data):
    """Training images of the other classes, which nothing sees."""
    labels = whole(load.load("digits").train)["label"]
    return int((labels != 3).sum())
