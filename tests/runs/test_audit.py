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


@pytest.mark.parametrize("count", [24, 40, 100])
def test_few_examples_do_not_tell_themselves_apart(count):
    """Of a model that never saw any: what is fitted for an attack is fitted on both sides alike. In a plane through the
    non-members alone, of which there are no more than it has axes, they lie whole and members in part."""
    one = subject(gan(), made(), config=CONFIG, samples=400)
    found = report.audit(one, report.sides(one, count))["attacks"]
    for name in ("distance", "monte_carlo"):
        low, high = found[name]["auroc"]["interval"]
        assert low < 0.5 < high, (name, found[name]["auroc"])


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


@pytest.mark.science
def test_a_vae_that_overfits_250_digits_gives_them_away():
    """Reconstruction error and ELBO tell members from others (AUROC .9 or more); shuffled membership is chance."""
    import jax
    import jax.numpy as jnp

    from gen_jax.core.types import weights as weights_of
    from gen_jax.data import builtin, feed, source
    from gen_jax.models import vae
    from gen_jax.models.vae_body import vae_body
    from gen_jax.nets import mlp
    from gen_jax.objectives import likelihoods

    digits = builtin.mnist5k()
    rows = source.evenly(digits.train.size, 250)
    data = from_arrays("npz:few", {"x": digits.train.read(rows)["x"]}, {"x": source.whole(digits.test)["x"]}, None)
    body = vae_body(
        mlp.Encoder(32, widths=(256, 256)), mlp.Decoder(data.shape, widths=(256, 256)), shape=data.shape,
        likelihood=likelihoods.gaussian(0.3), hyper=vae.Hyper(lr=2e-3),
    )  # fmt: skip
    algorithm = vae.vae(body)
    held = feed.resident(data.train)

    def one(_, state):
        return algorithm.update(state, {"train": feed.fetch(held, jnp.uint32(0), state.step, 1, 50)})[0]

    state = jax.jit(lambda state: jax.lax.fori_loop(0, 3_000, one, state))(algorithm.init(jax.random.key(0)))
    found = report.audit(
        subject(algorithm, data, weights_of(state), samples=1_000), report.sides(subject(None, data), 250)
    )
    for attack in ("reconstruction", "elbo"):
        assert found["attacks"][attack]["auroc"]["value"] >= 0.9
        assert found["attacks"][attack]["shuffled_auroc"]["value"] == pytest.approx(0.5, abs=0.03)
