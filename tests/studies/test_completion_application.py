"""Outcomes of the completion study are of the table that was read, and not of its name."""

import completion
import numpy as np


def test_an_outcome_is_of_the_cells_that_were_read(tmp_path):
    config = completion.Config(data="table:same.csv", missing=0.3, methods="mean", study_dir=tmp_path)
    one = np.random.default_rng(0).normal(size=(40, 3))
    first = completion.outcome("mean", config, one, 1234)
    assert completion.outcome("mean", config, one.copy(), 1234) == first
    assert len(list(tmp_path.rglob("*.json"))) == 1
    other = one.copy()
    other[:, 0] = np.exp(2 * other[:, 0])
    assert completion.outcome("mean", config, other, 1234)["mse"] != first["mse"]
