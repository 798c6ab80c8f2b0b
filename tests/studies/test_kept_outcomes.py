"""Outcomes that the applications keep, a file each: of a damaged one a line says so, and no number is made of it."""

import augmentation_generators as generators
import numpy as np
import pytest
from anomaly_scores import kept as kept_scores

from experiments.applications import anomaly, augmentation, completion, few_labels, membership
from gen_jax.core.errors import UserError

CONTENTS = [
    "{}", "[]", "null", '{"scores": ',
    '{"scores": {"mse": "x"}}', '{"scores": {}}', '{"scores": {"mse": null, "rmse": 1}}',
    '{"outcome": {"accuracy": null, "saw": 1, "signs": {}}}',
    '{"scores": {"knn": {"auroc": 1}}}', '{"attacks": {"logit": {"auroc": 1}}}',
]  # fmt: skip


def completed(folder):
    config = completion.Config(study_dir=folder, methods="mean")
    return completion.outcome("mean", config, np.arange(60.0).reshape(20, 3) ** 2, 1234)


def scored(folder):
    figures = {"knn": {"auroc": 0.5, "ap": 0.5, "fpr95": 0.5}}
    return kept_scores(anomaly.Config(study_dir=folder), "floors", ["knn"], ["x"], lambda: figures)


def augmented(folder):
    from gen_jax.data import load
    from gen_jax.runs.config import Config

    config = augmentation.Config(data="digits", study_dir=folder, examples=50)
    return augmentation.outcome(config, load.of(Config(data="digits")), {}, ("nearest", 5, 0, 0))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("application", [completed, scored, augmented])
def test_a_damaged_outcome_is_told(application, content, tmp_path):
    whole = application(tmp_path)
    (file,) = tmp_path.rglob("*.json")
    assert application(tmp_path) == whole  # from its file
    file.write_text(content)
    with pytest.raises(UserError, match=file.name):
        application(tmp_path)
    file.unlink()
    again = application(tmp_path)
    assert {k: v for k, v in dict(again if isinstance(again, dict) else again._asdict()).items() if k != "seconds"} == {
        k: v for k, v in dict(whole if isinstance(whole, dict) else whole._asdict()).items() if k != "seconds"
    }


def test_an_audit_is_of_the_data_that_it_names(tmp_path, monkeypatch):
    """Another data set, or other settings, have a run and an audit of their own; a damaged one is told."""
    asked = []
    area = {"value": 0.5}
    attack = {"auroc": area, "tpr_at_1_percent_fpr": None, "set_attack": area, "shuffled_auroc": area}

    class Run:
        opened = type("Opened", (), {"algorithm": None, "source": None, "config": None})()
        weights = None

    def train(script, settings, run_dir):
        asked.append(settings["data"])
        run_dir.mkdir(parents=True)
        return Run()

    monkeypatch.setattr(membership.gen_jax, "train", train)
    monkeypatch.setattr(membership.report, "sides", lambda subject, count: None)
    monkeypatch.setattr(membership.report, "audit", lambda subject, sides: {"attacks": {"logit": attack}})
    for data in ("digits", "digits", "mnist5k"):
        membership.audited(membership.Config(data=data, study_dir=tmp_path), data * 9, "GAN", 250, 0)
    assert asked == ["few:250:digits", "few:250:mnist5k"]
    for file in tmp_path.rglob("audit.json"):
        file.write_text('{"attacks": {"logit": {}}}')
    with pytest.raises(UserError, match=r"audit.json is damaged: attacks.logit has no"):
        membership.audited(membership.Config(data="digits", study_dir=tmp_path), "digits" * 9, "GAN", 250, 0)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive", None])
def test_damaged_images_of_a_generator_are_made_again(content, tmp_path, capsys):
    file = tmp_path / "g.npz"
    assert generators.images_in(file) is None
    generators.saved(file, x=np.zeros((2, 4, 4, 1), np.uint8), label=np.arange(2), saw=7, signs=np.array(["blur"]))
    found = generators.images_in(file)
    assert found is not None
    assert (found.saw, found.signs) == (7, ("blur",))
    file.write_bytes(file.read_bytes()[:-40] if content is None else content)
    assert generators.images_in(file) is None
    assert "g.npz is damaged" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"methods": "bar"}, "--methods bar: there are nearest"),
        ({"methods": " , "}, "--methods names none"),
        ({"methods": "svm,m2", "decay": 0.5}, "--decay is of feature_matching"),
    ],
)
def test_few_labels_takes_methods_alone(settings, words, tmp_path):
    with pytest.raises(UserError, match=words):
        few_labels.main(few_labels.Config(study_dir=tmp_path, **settings))
    assert not list(tmp_path.iterdir())
