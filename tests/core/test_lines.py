"""Lines for a person: numbers with their nouns, names that are near."""

import re
from pathlib import Path

import pytest

from gen_jax.core.lines import counted
from gen_jax.core.near import meant, near

PACKAGE = Path(__file__).parents[2] / "gen_jax"


def test_one_is_one_and_others_are_several():
    assert [counted(n, "run") for n in (0, 1, 2, 3000)] == ["0 runs", "1 run", "2 runs", "3,000 runs"]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_line_leaves_the_number_open(path):
    assert not re.findall(r"\} [a-z]+\(s\)", path.read_text())


def test_names_are_near_whatever_their_capitals():
    assert set(near("FID", ["is", "fd", "kid"], 2)) == {"fd", "kid"}
    assert near("elbo", ["ELBO"]) == ["ELBO"]
    assert meant("smaple", ["sample"]) == "did you mean sample? "
    assert meant("quantum", ["sample"]) == ""
