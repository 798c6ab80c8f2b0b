"""How many threads linear algebra on the host takes."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A block, or as a decorator a function, in which BLAS, LAPACK and scikit-learn's loops take one thread.

    Where cores are busy, the threads of an operation wait for one another: the eigenvalues of a 64×64 matrix took a
    second on two cores with two other programs, and a thousandth of it on one thread. Small fits and small matrices
    gain nothing from threads on idle cores either.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
