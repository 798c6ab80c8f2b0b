"""What a traversal shows: entries from end to end, and codes that mean something, each a row."""

import numpy as np
import pytest

from gen_jax.core.types import Code
from gen_jax.models.gan_heads import Codes
from gen_jax.runs.traversing import Way, codes, entries

BASE = np.arange(7, dtype=np.float32)


def changed(rows):
    """Which entries each row moves."""
    return [sorted(set(np.nonzero((row != BASE).any(axis=0))[0].tolist())) for row in rows.latents]


def test_entries_move_one_at_a_time_from_end_to_end():
    rows = entries(BASE, None, Way(3, 5, 2.0))
    assert (rows.names, changed(rows)) == (["z0", "z1", "z2"], [[0], [1], [2]])
    assert rows.latents[1, :, 1].tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]


def test_the_most_used_entries_come_first():
    rows = entries(BASE, np.array([0.1, 3.0, 0.0, 2.0, 0.0, 0.0, 0.0]), Way(2, 2, 1.0))
    assert (rows.names, changed(rows)) == (["z1  3.00 nats", "z3  2.00 nats"], [[1], [3]])


def test_infogan_s_codes_are_shown_and_its_noise_is_not():
    space = Codes(noise=2, categories=3, groups=1, continuous=2)
    rows = codes(BASE, space.latents.codes, Way(10, 11, 2.0))
    assert rows.names == ["category", "code 0", "code 1"]
    assert np.array_equal(rows.latents[0, :, 2:5], np.eye(3))  # a picture a category
    assert (rows.latents[:, :, :2] == BASE[:2]).all()
    assert rows.latents[1, :, 5] == pytest.approx([-2 / 3**0.5, 0.0, 2 / 3**0.5])  # two deviations of U(-1, 1)
    assert changed(rows)[1:] == [[5], [6]]


@pytest.mark.parametrize(("groups", "numbers", "names"), [(2, 0, ["category"] * 2), (0, 1, ["code 0"])])
def test_every_kind_of_code_may_be_missing(groups, numbers, names):
    space = Codes(noise=1, categories=3, groups=groups, continuous=numbers)
    rows = codes(np.zeros(space.size, np.float32), space.latents.codes, Way(9, 4, 1.0))
    assert rows.names == names
    assert rows.latents.shape == (len(names), 3 if groups else 4, space.size)


def test_no_more_rows_than_asked_for():
    rows = codes(BASE, (Code("cluster", 0, 3, True), Code("code", 3, 4, False)), Way(2, 5, 1.0))
    assert (len(rows.names), len(rows.latents)) == (2, 2)
