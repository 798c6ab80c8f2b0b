"""The audit of a run: what copies is found out, what knows nothing is not, and chance stands beside both."""

import numpy as np
import pytest
from evaluation_subjects import CONFIG, copier, encode, gan, made, subject

from gen_jax.core.errors import UserError
from gen_jax.data.source import Source, from_arrays
from gen_jax.runs.audit import report
from gen_jax.runs.audit.attacks import ATTACKS


def audited(algorithm, data: Source | None = None, **options):
    one = subject(algorithm, data or made(), config=CONFIG, **{"samples": 400, **options})
    return report.audit(one, report.sides(one, None))


def test_a_generator_that_copies_is_found_by_the_distance_to_its_samples():
    found = audited(copier(made()))
    assert (found["members"], found["non_members"]) == (120, 120)
    assert set(found["attacks"]) == {"distance", "monte_carlo"}
    distance = found["attacks"]["distance"]
    assert distance["auroc"]["value"] > 0.7  # of 200 train images 100 are copied, some of which are among the 120
    assert distance["auroc"]["interval"][0] > 0.6
    assert distance["set_attack"]["value"] > 0.95
    assert distance["tpr_at_1_percent_fpr"]["value"] > 0.3


def test_one_that_draws_what_it_never_saw_is_not():
    figures = audited(gan())["attacks"]["distance"]
    assert 0.35 < figures["auroc"]["value"] < 0.65
    assert figures["tpr_at_1_percent_fpr"]["value"] < 0.1


def test_shuffled_membership_is_chance():
    """Twenty shuffles of scores that tell the two apart perfectly."""
    members, others = np.arange(500) + 1000.0, np.arange(500) * 1.0
    found = report.figures(members, others)
    assert found["auroc"]["value"] == 1.0
    assert found["shuffled_auroc"]["value"] == pytest.approx(0.5, abs=0.03)


def test_what_a_model_does_not_allow_is_left_out_with_its_reason():
    found = audited(gan()._replace(encode=encode))
    assert set(found["attacks"]) == {"distance", "monte_carlo", "reconstruction"}
    assert set(found["left_out"]) == {"logit", "calibrated", "elbo"} == set(ATTACKS) - set(found["attacks"])
    assert "--reference RUN" in found["left_out"]["calibrated"]


def small():
    images = {"x": np.zeros((15, 12, 12, 1), np.uint8)}
    return from_arrays("npz:small", images, images, None)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: audited(gan(), small()), ["20 of each", "15"]),
        (lambda: report.sides(subject(gan()), 5), ["20 of each", "--count is 5"]),
        (lambda: audited(gan()._replace(samplers={}, prior=None, decode=None)), ["no attack suits"]),
    ],
)
def test_a_mistake_is_one_line(call, words):
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)
