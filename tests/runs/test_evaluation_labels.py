"""`evaluate` of probes, clusters and maps: known values, floors beside them, what is refused, and hidden labels."""

import dataclasses

import evaluation_subjects as subjects
import jax.numpy as jnp
import numpy as np
import pytest
from commands import ROOT

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.data.labelled import STREAM, few_labels
from gen_jax.data.source import in_memory, whole
from gen_jax.runs import rehearsal, scripts
from gen_jax.runs.config import Config
from gen_jax.runs.evaluation import extractors, groups, maps, probes
from gen_jax.studies import program


def by_place(weights, batch):
    """Two groups by where the square is; they are the classes, with the numbers exchanged."""
    upper = batch["x"][:, :4].mean(axis=(1, 2, 3))
    lower = batch["x"][:, 8:].mean(axis=(1, 2, 3))
    return jnp.stack([lower, upper, jnp.full_like(upper, -9.0)], axis=1)


def found(metric, subject):
    metric.check(subject)
    return {value.name: value for value in metric.compute(subject)}


def test_clusters_that_are_the_classes_are_perfect_whatever_their_numbers():
    values = found(groups.CLUSTERS, subjects.subject(subjects.gan()._replace(cluster=by_place)))
    assert values["clustering accuracy"].value == 1.0
    assert values["clustering accuracy"].details == {"used": 2}
    assert values["NMI"].value == pytest.approx(1.0)
    assert values["ARI"].value == pytest.approx(1.0)


def test_probes_of_latents_stand_beside_those_of_pixels():
    values = found(probes.PROBE, subjects.subject(subjects.vae()))
    assert list(values) == ["linear probe", "1-NN", "linear probe of pixels", "1-NN of pixels"]
    assert values["linear probe of pixels"].value > 0.95
    assert [value.details.get("null", False) for value in values.values()] == [False, False, True, True]
    seen = subjects.gan()._replace(features=lambda weights, batch, x: x[:, ::4, ::4, 0])  # as maps, of D
    assert found(probes.PROBE, subjects.subject(seen))["linear probe"].value > 0.9


def test_a_map_stands_beside_principal_components():
    plane = subjects.gan()._replace(encode=lambda weights, batch: {"mean": by_place(weights, batch)[:, :2]})
    values = found(maps.MAP, subjects.subject(plane))
    assert values["5-NN accuracy"].value == 1.0
    for name in ("5-NN accuracy", "trustworthiness", "Shepard correlation"):
        assert values[f"{name} of PCA"].details == {"null": True, "dimensions": 2}


def test_a_probe_of_few_labels_sees_those_alone():
    """Labels of train are planted wrong: with the stream they are not looked at."""
    data = subjects.made()
    few = few_labels(data, 20, seed=0)
    planted = in_memory({**whole(few.train), "label": 1 - whole(data.train)["label"]})
    few = dataclasses.replace(few, train=planted)
    subject = subjects.subject(subjects.vae(), few)
    assert found(probes.PROBE, subject)["linear probe of pixels"].value > 0.9
    assert f"40 {STREAM} examples" in probes.PROBE.stamp(subject)["probe fitted to"]


CLUSTERED = subjects.gan()._replace(cluster=by_place)


@pytest.mark.parametrize(
    ("metric", "subject", "match"),
    [
        (groups, lambda: subjects.subject(), "needs a model that has `cluster`"),
        (groups, lambda: subjects.subject(CLUSTERED, subjects.made(classes=None)), "has no labels"),
        (groups, lambda: subjects.subject(CLUSTERED, subjects.made(test=2)), "3 clusters, and test 2 labelled"),
        (groups, lambda: subjects.subject(CLUSTERED, few_labels(subjects.made(), 2, 0), reference="train"), "test"),
        (probes, lambda: subjects.subject(), "`encode` or `features`"),
        (probes, lambda: subjects.subject(subjects.vae(), subjects.made(classes=None)), "has no labels"),
        (probes, lambda: subjects.subject(subjects.vae(), reference="train"), "leave --reference out"),
        (maps, lambda: subjects.subject(), "needs a model that has `encode`"),
        (maps, lambda: subjects.subject(subjects.vae(), subjects.made(test=20)), "more than 24 examples, not 20"),
    ],
)
def test_what_cannot_be_measured_is_one_line(metric, subject, match):
    with pytest.raises(UserError, match=match) as caught:
        metric_of = {groups: groups.CLUSTERS, probes: probes.PROBE, maps: maps.MAP}[metric]
        metric_of.check(subject())
    assert "\n" not in str(caught.value)


# ---- the setting -----------------------------------------------------------------------------------------------------
def asked(**more):
    return Config(data="digits", labels_per_class=3, **more)


def test_the_setting_hides_all_but_so_many_labels_drawn_by_seed():
    first, second = (load.of(asked(seed=seed)) for seed in (0, 1))
    assert (whole(first.train)["label"] == -1).all()
    assert first.split(STREAM).size == 30
    assert first.fingerprint != second.fingerprint != load.of(Config(data="digits")).fingerprint
    assert np.array_equal(whole(first.test)["label"], whole(load.load("digits").test)["label"])


def test_rulers_know_the_labels_that_the_run_does_not():
    told = extractors.told(load.of(asked()), asked())
    assert (whole(told.train)["label"] >= 0).all()
    assert load.other(asked(), "digits").fingerprint == load.load("digits").fingerprint


def test_seeds_of_a_study_have_labels_of_their_own():
    sources: program.Sources = {}
    first, second, again = (program.source_of(asked(seed=seed), sources) for seed in (0, 1, 0))
    assert first is again
    assert first.fingerprint != second.fingerprint
    assert len({program.source_of(Config(data="digits", seed=seed), sources).fingerprint for seed in (0, 1)}) == 1


def test_a_model_that_is_given_labels_is_not_given_few():
    script = ROOT / "experiments/cgan.py"
    module = scripts.load_live(script)
    config = module.Config(data="digits", labels_per_class=3, width=4, batch_size=8)
    with pytest.raises(UserError, match="--labels-per-class 3 hides labels of digits that cgan.py is given"):
        rehearsal.rehearse(config, module.build, load.of(config), parallel.layout("jit", 1), script, new=True)
