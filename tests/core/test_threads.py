"""Small matrices are worked on by one thread, whatever the process was given; large ones by all of them."""

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from gen_jax.core.threads import one_thread
from gen_jax.metrics import features, frechet
from gen_jax.metrics.signs import relative_distance
from gen_jax.verbs.latents import principal


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_block_has_one_thread_and_gives_them_back():
    with threadpool_limits(2):
        with one_thread():
            assert threads() == {1}
        assert threads() == {2}
        with pytest.raises(ZeroDivisionError), one_thread():
            raise ZeroDivisionError
        assert threads() == {2}


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def moments(dimensions):
    return frechet.moments_of(draw(2 * dimensions, dimensions))


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda: features.pca(draw(40, 4, 4, 1), 3), {1}),
        (lambda: features.pca(draw(10, 4, 4, 1), 3), {1}),  # fewer images than pixels
        (lambda: principal(draw(20, 5)), {1}),
        (lambda: frechet.distance(moments(32), moments(32)), {1}),
        (lambda: relative_distance(draw(70, 32), draw(80, 32)), {1}),
        (lambda: frechet.distance(moments(300), moments(300)), {2}),
    ],
)
def test_who_takes_how_many(monkeypatch, work, expected):
    seen = []

    def spy(function):
        def call(*arguments, **options):
            seen.append(threads())
            return function(*arguments, **options)

        return call

    for module, name in ((np.linalg, "eigh"), (np.linalg, "svd"), (scipy.linalg, "eigh")):
        monkeypatch.setattr(module, name, spy(getattr(module, name)))
    with threadpool_limits(2):
        work()
    assert seen
    assert all(each == expected for each in seen)
