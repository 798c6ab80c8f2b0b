"""Which way is better and what is possible: by name, never by guess."""

import math

import pytest

from gen_jax.metrics import meaning

INFINITY = math.inf


@pytest.mark.parametrize(
    ("name", "better", "low", "high"),
    [
        ("held_out/elbo", "highest", -INFINITY, INFINITY),
        ("held_out/reconstruction", "highest", -INFINITY, INFINITY),
        ("held_out/second/elbo", "highest", -INFINITY, INFINITY),
        ("held_out/squared_error", "lowest", 0, INFINITY),
        ("held_out/kl", None, 0, INFINITY),
        ("held_out/logits/real", None, -INFINITY, INFINITY),
        ("held_out/accuracy/fake", None, 0.0, 1.0),
        ("loss/generator", None, -INFINITY, INFINITY),
        ("tracked/FD-LeNet", "lowest", 0, INFINITY),
        ("tracked/recall/LeNet", "highest", 0, 1),
        ("FID", "lowest", 0, INFINITY),
        ("FD-LeNet", "lowest", 0, INFINITY),
        ("FD-LeNet within classes, worst", "lowest", 0, INFINITY),
        ("KID (LeNet)", "lowest", -INFINITY, INFINITY),
        ("coverage (LeNet)", "highest", 0, 1),
        ("density (LeNet)", "highest", 0, INFINITY),
        ("modes of 1,000", "highest", 0, INFINITY),
        ("AuthPct (LeNet)", None, 0, 100),
        ("NLL (importance-weighted bound)", "lowest", -INFINITY, INFINITY),
        ("AUROC", "highest", 0, 1),
        ("KL of q(z|x) to N(0, I)", None, 0, INFINITY),
        ("precisionist", None, -INFINITY, INFINITY),
        ("my own", None, -INFINITY, INFINITY),
    ],
)
def test_of(name, better, low, high):
    assert meaning.of(name) == (better, low, high)


def test_clip():
    assert meaning.of("recall (LeNet)").clip(-0.03) == 0
    assert meaning.of("FID").clip(-466.0) == 0
    assert math.isnan(meaning.of("FID").clip(math.nan))
