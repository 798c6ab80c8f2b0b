"""What seeds can decide: against textbook sample sizes, simulations, and the definition of a confidence sequence."""

import math

import numpy as np
import pytest

from gen_jax.metrics import intervals, power, sequential


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10), (2.0, 5)])
def test_seeds_for_are_those_of_the_tables(effect, seeds):
    # Sample sizes of the paired t-test, two-sided at 5 %, power .8, as G*Power 3.1 gives them.
    assert power.seeds_for(effect, 1.0) == seeds
    assert power.seeds_for(-3 * effect, 3.0) == seeds
    assert power.power(seeds, effect, 1.0) >= 0.8 > power.power(seeds - 1, effect, 1.0)


def test_power_is_the_share_of_simulated_studies_that_find_it():
    chance = np.random.default_rng(0)
    found = [
        intervals.paired(dict(enumerate(chance.normal(0.9, 1.2, 8))), dict.fromkeys(range(8), 0.0)).p < 0.05
        for _ in range(1500)
    ]
    assert np.mean(found) == pytest.approx(power.power(8, 0.9, 1.2), abs=4 * math.sqrt(0.25 / 1500))


def test_what_can_be_detected_is_found_with_that_power():
    for seeds, spread in ((2, 5.0), (3, 0.1), (8, 2.0), (40, 1e-6)):
        assert power.power(seeds, power.detectable(seeds, spread), spread) == pytest.approx(0.8)
    assert power.detectable(8, 0.0) == 0.0
    assert math.isnan(power.detectable(1, 1.0))


@pytest.mark.parametrize(("difference", "spread", "found"), [(0.0, 1.0, 0.05), (1.0, 0.0, 1.0), (1e9, 1e-9, 1.0)])
def test_power_at_the_ends(difference, spread, found):
    assert power.power(8, difference, spread) == pytest.approx(found)
    assert math.isnan(power.power(1, 1.0, 1.0))
    assert power.seeds_for(0.0, 1.0) is None


# ---- looking after every seed ----------------------------------------------------------------------------------------
def _ever(studies: np.ndarray, wrong) -> float:
    """Share of the studies [studies, seeds] for which `wrong(values so far)` is true at some number of seeds."""
    return float(np.mean([any(wrong(study[:n]) for n in range(2, len(study) + 1)) for study in studies]))


def test_looking_after_every_seed_finds_nothing_in_nothing():
    studies = np.random.default_rng(1).normal(0, 3, (400, 40))
    named = dict.fromkeys(range(40), 0.0)
    ever = _ever(studies, lambda x: sequential.evidence(x) >= math.log(20))
    assert ever <= 0.05
    # What it is for: the plain test, looked at as often, is wrong several times as often as it says.
    plain = _ever(studies[:60, :30], lambda x: intervals.paired(dict(enumerate(x)), named).p <= 0.05)
    assert plain > 0.15


def test_the_interval_is_what_the_evidence_does_not_refute():
    values = np.random.default_rng(2).normal(1.0, 0.5, 12)
    low, high = sequential.interval(values).ends
    for edge in (low, high):
        assert sequential.evidence(values, edge) == pytest.approx(math.log(20))
    assert sequential.evidence(values, (low + high) / 2) < math.log(20) < sequential.evidence(values, high + 0.1)


def test_evidence_is_the_mixture_of_likelihood_ratios():
    """By numerical integration: t-likelihood ratios of the effect, weighed by N(0, 1/c²), are what the formula is."""
    from scipy.integrate import quad
    from scipy.special import gammaln

    values = np.array([0.3, 1.1, -0.2, 0.9, 0.8])
    n, v, s = len(values), float((values**2).sum()), float(values.sum())

    def ratio(effect: float) -> float:
        # of the direction of the values (their scale is integrated out by the right Haar measure dσ/σ)
        def scaled(log_u: float) -> float:
            u = math.exp(log_u)
            return math.exp(-0.5 * (u**2 * v - 2 * u * effect * s + n * effect**2) + n * log_u)

        plain = 0.5 * math.exp(gammaln(n / 2)) * (v / 2) ** (-n / 2)
        return quad(scaled, -12, 6)[0] / plain

    def weighed(effect: float) -> float:
        return ratio(effect) * math.exp(-0.5 * sequential.C2 * effect**2) * math.sqrt(sequential.C2 / (2 * math.pi))

    assert math.log(quad(weighed, -8, 8)[0]) == pytest.approx(sequential.evidence(values), abs=1e-6)


def test_few_or_equal_values_say_nothing():
    assert math.isnan(sequential.interval([1.0, 2.0, 3.0]).low)
    assert sequential.evidence([5.0]) == 0.0
    assert math.isnan(sequential.paired({0: 1.0, 1: 1.0}, {0: 0.5, 1: 0.5}).p)
    assert sequential.paired({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}).p == 1.0
