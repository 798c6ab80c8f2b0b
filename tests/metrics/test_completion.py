"""Scores of completions by hand."""

import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.metrics import completion

TRUTH = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, np.nan]])
HIDDEN = np.array([[True, False], [True, True], [False, False]])


def test_nrmse_is_a_mean_over_columns_of_errors_in_deviations():
    guess = TRUTH + np.array([[1.0, 9.0], [3.0, 2.0], [9.0, 9.0]])
    first, second = np.sqrt(5.0) / np.std([0, 2, 4]), 2.0 / np.std([1, 3])
    assert completion.nrmse(TRUTH, guess, HIDDEN) == pytest.approx((first + second) / 2)
    with pytest.raises(UserError, match="nothing to compare"):
        completion.nrmse(TRUTH, guess, np.zeros_like(HIDDEN))


def test_psnr_is_of_hidden_pixels():
    truth, hidden = np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2, 1), bool)
    hidden[0, 0] = True
    guess = truth + np.where(hidden, 0.2, 5.0)
    np.testing.assert_allclose(completion.psnr(truth, guess, hidden), [20.0])


def test_intervals_hold_what_they_say_and_spread_is_a_deviation():
    random = np.random.default_rng(0)
    draws, truth = random.normal(size=(400, 300, 2)), random.normal(size=(300, 2))
    everything = np.ones(truth.shape, bool)
    assert completion.inside(truth, draws, everything).mean() == pytest.approx(0.9, abs=0.04)
    assert completion.spread(draws, everything).mean() == pytest.approx(1.0, abs=0.01)
    assert len(completion.inside(truth, draws, np.zeros_like(everything))) == 0
