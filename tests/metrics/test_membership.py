"""Measures of membership inference: against scipy, by hand, and what chance gives."""

import numpy as np
import pytest
from scipy.stats import binomtest

from gen_jax.core.errors import UserError
from gen_jax.metrics import membership

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("correct", "count"), [(0, 30), (1, 30), (17, 30), (30, 30), (250, 1000)])
def test_the_exact_interval_is_scipys(correct, count):
    wanted = binomtest(correct, count).proportion_ci(method="exact")
    found = membership.clopper_pearson(correct, count)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert found.value == correct / count


def test_true_positives_count_what_lies_above_all_but_so_many_others():
    others, members = np.arange(200.0), np.array([0.0, 197.0, 197.5, 198.0, 1000.0])
    assert membership.true_positives(members, others, 0.01).value == 3 / 5  # 198 and 199 alone may lie above: 197 is it
    assert membership.true_positives(members, others, 0.05).value == 4 / 5


def test_chance_is_a_half_and_a_copy_is_certain():
    members, others = RANDOM.normal(size=2000), RANDOM.normal(size=2000)
    assert membership.auroc(members, others).value == pytest.approx(0.5, abs=0.03)
    assert membership.set_attack(members, others, 50).value == pytest.approx(0.5, abs=0.2)
    assert membership.true_positives(members, others).value == pytest.approx(0.01, abs=0.01)
    assert membership.auroc(members + 9, others).value == 1.0
    assert membership.set_attack(members + 0.5, others, 100).value > 0.99  # single ones hardly, a hundred surely
    constant = membership.set_attack(np.ones(40), np.ones(40), 10)
    assert constant.value == 0.5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: membership.true_positives([1.0], np.arange(50.0)), ["100 non-members", "50"]),
        (lambda: membership.set_attack(np.ones(5), np.ones(9), 6), ["6", "5 members"]),
        (lambda: membership.clopper_pearson(3, 0), ["3 of 0"]),
    ],
)
def test_too_little_is_said(call, words):
    with pytest.raises(UserError) as caught:
        call()
    assert all(word in str(caught.value) for word in words)
