"""Mode-specific normalisation, as arrays: how each column of a table falls into choices (Xu et al. 2019, section 4.2).

A number becomes which mode of its distribution it belongs to and how far from that mode's centre it lies; one of few
values, and a category, which of these it is. What is missing is one more choice. Fitted on train rows alone.

Beyond the paper: a value that many rows share (no gain, 40 hours a week) is a choice of its own, and the mixture is of
the others. A Gaussian about such a value makes its neighbours, and never the value.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gen_jax.core.threads import one_thread
from gen_jax.data.columns import Column

MODES, LEAST = 10, 0.005  # of a mixture; the weight below which a mode is left out
FEW = 20  # values up to which each is a choice of its own
HEAVY = 0.05  # of the rows: a value that so many share is one as well
MOST = 10_000  # values that a mixture is fitted to: quantiles, so that the order of rows plays no part
PRIOR = 0.001  # of the mixture's weights: few modes, unless the data speak for more
NARROW = 1e-3  # deviation of what is no mode but a value, in units of x: categories are 1 apart


class Choices(NamedTuple):
    """Of one column, K each; float32. `spread` is 0 where the choice is the value itself."""

    centre: np.ndarray  # in units of x
    deviation: np.ndarray
    weight: np.ndarray
    spread: np.ndarray  # a value is centre + spread · alpha, alpha in [-1, 1]: four deviations
    missing: bool = False  # whether one more choice, the last, stands for what is missing
    category: bool = False


def fit(x: np.ndarray, columns: Sequence[Column], seed: int = 0) -> tuple[Choices, ...]:
    """The choices of each column of train rows x, float [N, D] with NaN where missing."""
    return tuple(_of(x[:, place], column, seed) for place, column in enumerate(columns))


def _of(x: np.ndarray, column: Column, seed: int) -> Choices:
    values = np.sort(x[~np.isnan(x)].astype(np.float64))
    gaps = len(values) < len(x)
    if column.kind == "category":
        return _single(np.arange(len(column.categories)), NARROW, gaps, True)
    distinct = np.unique(values)
    if len(distinct) <= FEW:
        apart = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
        return _single(distinct, NARROW * apart, gaps, False)
    counts = np.diff(np.append(np.flatnonzero(np.append(True, np.diff(values) > 0)), len(values)))
    points = distinct[counts >= HEAVY * len(values)]
    rest = values[~np.isin(values, points)]
    if len(np.unique(rest)) <= FEW:
        return _single(distinct, NARROW * float(np.diff(distinct).min()), gaps, False)
    weight, centre, deviation = mixture(rest, seed)
    apart = np.array([np.abs(np.delete(distinct, np.searchsorted(distinct, at)) - at).min() for at in points])
    share = np.array([(values == at).mean() for at in points])
    made = _rounded(
        np.append(centre, points), np.append(deviation, NARROW * apart), np.append(weight * (1 - share.sum()), share),
        np.append(4.0 * deviation, 0.0 * points),
    )  # fmt: skip
    return made._replace(missing=gaps)


def _single(centres: np.ndarray, deviation: float, gaps: bool, category: bool) -> Choices:
    each = np.ones(len(centres))
    return _rounded(centres, deviation * each, each / len(each), 0.0 * each)._replace(missing=gaps, category=category)


def _rounded(centre: np.ndarray, deviation: np.ndarray, weight: np.ndarray, spread: np.ndarray) -> Choices:
    """To seven digits: the last ones are the linear algebra's, and other machines have others."""
    parts = (centre, deviation, weight, spread)
    found = [np.array([float(f"{value:.6e}") for value in part], np.float32) for part in parts]
    return Choices(found[0], found[1], found[2], found[3])


@one_thread()
def mixture(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights, centres, deviations) of a variational mixture of Gaussians, those modes that weigh more than LEAST.

    values: float64 [N], sorted. Centres ascend.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    if len(values) > MOST:
        values = values[np.linspace(0, len(values) - 1, MOST).astype(np.int64)]
    mean, scale = values.mean(), values.std()
    model = BayesianGaussianMixture(
        n_components=min(MODES, len(values)), weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=PRIOR, random_state=seed, init_params="k-means++",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(((values - mean) / scale)[:, None])
    kept = np.flatnonzero(model.weights_ > LEAST)
    kept = kept[np.argsort(model.means_[kept, 0], kind="stable")]
    weight = model.weights_[kept] / model.weights_[kept].sum()
    return weight, mean + scale * model.means_[kept, 0], scale * np.sqrt(model.covariances_[kept, 0, 0])
