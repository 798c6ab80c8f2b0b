"""Latent information against closed forms, and disentanglement against the package disent and planted codes."""

import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import disentanglement, latents

FOLDER = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(FOLDER))
import make_metrics  # noqa: E402

GOLDEN = json.loads((FOLDER / "metrics.json").read_text())
GIVEN = make_metrics.inputs()
CODES, FACTORS = GIVEN["codes"], GIVEN["factors"]
KEY = jax.random.key(0)


def test_active_units():
    means = np.random.default_rng(0).standard_normal((400, 3)) * [1.0, 0.2, 0.05]
    report = latents.active_units(means)
    assert report.number == 2
    np.testing.assert_allclose(report.variances, means.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("block", [1000, 37])
def test_log_aggregate_agrees_with_scipy(block):
    from scipy.special import logsumexp
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    z, means, log_variances = rng.standard_normal((3, 90, 4))
    table = norm.logpdf(z[:, None], means, np.exp(log_variances / 2)).sum(axis=-1)
    expected = logsumexp(table, axis=1) - np.log(90)
    np.testing.assert_allclose(latents.log_aggregate(z, means, log_variances, block), expected, rtol=1e-12)


def test_information_of_a_collapsed_and_of_a_separated_posterior():
    rng = np.random.default_rng(2)
    collapsed = latents.latent_information(np.zeros((200, 3)), np.zeros((200, 3)), KEY)
    assert collapsed.mutual_information == pytest.approx(0, abs=1e-10)
    assert collapsed.aggregate_kl == pytest.approx(0, abs=1e-10)
    far = 100.0 * np.arange(64)[:, None] + rng.uniform(size=(64, 2))
    separated = latents.latent_information(far, np.zeros((64, 2)), KEY)
    assert separated.mutual_information == pytest.approx(np.log(64), rel=1e-9)


def test_information_of_a_linear_gaussian_and_its_parts_add_up():
    # q(z|x) = N(x, s^2), x ~ N(0, 1 - s^2): the aggregate is the prior, and I = -log s a dimension.
    s, rng = 0.5, np.random.default_rng(3)
    means = np.sqrt(1 - s**2) * rng.standard_normal((4000, 1))
    found = latents.latent_information(means, np.full((4000, 1), 2 * np.log(s)), KEY, samples=4)
    assert found.mutual_information == pytest.approx(-np.log(s), abs=0.03)
    assert found.aggregate_kl == pytest.approx(0, abs=0.01)
    assert found.mutual_information + found.aggregate_kl == pytest.approx(found.mean_kl, rel=1e-9)
    analytic = 0.5 * np.mean(means**2 + s**2 - 1 - 2 * np.log(s))
    assert found.mean_kl == pytest.approx(analytic, abs=0.03)


def test_bits_per_dimension():
    assert latents.bits_per_dimension(784 * np.log(2), 784) == pytest.approx(1)
    assert latents.bits_per_dimension(0.0, 784, levels=256) == 8


def test_mig_sap_and_dci_agree_with_disent():
    assert disentanglement.mutual_information_gap(CODES[:1000], FACTORS[:1000]) == pytest.approx(
        GOLDEN["mig.discrete_score"], rel=1e-12
    )
    split = CODES[:1000], FACTORS[:1000], CODES[1000:], FACTORS[1000:]
    assert disentanglement.separated_predictability(*split) == pytest.approx(GOLDEN["sap.score"], abs=2e-3)
    ours = disentanglement.dci(*split)
    # The trees draw at random when features tie; disent leaves their seed open.
    assert ours.disentanglement == pytest.approx(GOLDEN["dci.disentanglement"], abs=2e-3)
    assert ours.completeness == pytest.approx(GOLDEN["dci.completeness"], abs=2e-3)
    assert ours.informativeness == pytest.approx(GOLDEN["dci.informativeness_test"], abs=5e-3)


def test_perfect_and_useless_codes():
    rng = np.random.default_rng(4)
    factors = rng.integers(0, 5, (2000, 2))
    perfect = factors + 0.01 * rng.standard_normal((2000, 2))
    noise = rng.standard_normal((2000, 2))
    assert disentanglement.mutual_information_gap(perfect, factors) > 0.98
    assert disentanglement.modularity(perfect, factors) > 0.99
    assert disentanglement.mutual_information_gap(noise, factors) < 0.02
    with pytest.raises(UserError, match="one dimension"):
        disentanglement.mutual_information_gap(perfect[:, :1], factors)
    with pytest.raises(UserError, match="never varies"):
        disentanglement.mutual_information_gap(perfect, factors * [1, 0])


def test_modularity_by_hand():
    # Latent 0 carries both factors in equal parts (score 0); latent 1 carries factor 1 alone (score 1).
    factors = np.stack(np.meshgrid(range(4), range(4)), axis=-1).reshape(-1, 2).repeat(5, axis=0)
    codes = np.stack([factors[:, 0] * 4.0 + factors[:, 1], factors[:, 1]], axis=1)
    assert disentanglement.modularity(codes, factors, bins=16) == pytest.approx(0.5, abs=1e-9)


def test_factor_vae_score_of_perfect_entangled_and_pruned_codes():
    def encode(mix):
        def codes_with_fixed(rng, factor, batch_size):
            factors = rng.standard_normal((batch_size, len(mix)))
            factors[:, factor] = factors[0, factor]
            return factors @ mix

        return codes_with_fixed

    rng = np.random.default_rng(5)
    overall = rng.standard_normal((2000, 3))
    turn = np.array([[1, 1], [1, -1]]) / np.sqrt(2)  # each latent is an equal mix: no vote can tell the factors apart
    few = {"train_votes": 300, "votes": 200}
    perfect = disentanglement.factor_vae_score(encode(np.eye(3)), 3, overall, **few)
    assert perfect.accuracy == 1
    assert disentanglement.factor_vae_score(encode(turn), 2, overall[:, :2] @ turn, **few).accuracy < 0.65
    pruned = disentanglement.factor_vae_score(encode(np.diag([1, 1, 0.01])), 3, overall * [1, 1, 0.01], **few)
    assert pruned.active == 2
    assert 0.6 < pruned.accuracy < 0.9  # the third factor has no latent left
    assert disentanglement.factor_vae_score(encode(np.eye(3)), 3, 0 * overall, **few) == (0, 0, 0)
