"""Does the model copy its training data? Authenticity and the C_T test; both want planted copies as a control."""

from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.threads import one_thread
from gen_jax.metrics.neighbours import nearest, radii


def authentic_percent(train, generated, block: int = 1_000) -> float:
    """AuthPct (Alaa et al. 2022, arXiv:2102.08921): features train [N, D], generated [M, D].

    A generated sample is a copy if it lies closer to its nearest training point than that point does to its own nearest
    training neighbour. 50 % is *not* the null value: compare with that of as many held-out real examples.
    """
    distances, rows = map(np.asarray, nearest(generated, train, 1, block))
    own = np.asarray(radii(train, 1, block))
    return float(100 * np.mean(distances[:, 0] > own[rows[:, 0]]))


class CopyTest(NamedTuple):
    """C_T << 0: generated samples are closer to the training set than held-out data are, so it copies; >> 0: underfits.

    Under the null each cell's z is standard normal; C_T averages them weighted by held-out mass.
    """

    statistic: float
    z: np.ndarray  # [cells], NaN where a cell was left out
    cells: np.ndarray  # [cells, 2] held-out and generated counts


def mann_whitney_z(held_out_distances, generated_distances) -> float:
    """z-score of U = #{generated > held-out}, ties half, by the normal approximation (without tie correction)."""
    from scipy.stats import rankdata

    m, n = len(held_out_distances), len(generated_distances)
    ranks = rankdata(np.concatenate([generated_distances, held_out_distances]))
    u = ranks[:n].sum() - n * (n + 1) / 2
    return float((u - m * n / 2) / np.sqrt(m * n * (m + n + 1) / 12))


def copy_test(
    train, held_out, generated, cells: int = 3, seed: int = 0, minimum_share: float = 0.0, same_cell: bool = False
) -> CopyTest:
    """C_T of Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675: features [N, D], [P, D], [M, D].

    Cells are k-means clusters of the training features. A cell without held-out samples is left out, and so is one
    whose share of the generated samples is not above `minimum_share` (the paper's tau; the authors' examples have
    20/M). Distances are to the nearest of all training points; with `same_cell` to the nearest in the sample's own
    cell, as the authors' code measures them. Theirs besides adds 1/2 to U for continuity.
    """
    from sklearn.cluster import KMeans

    train, held_out, generated = (np.asarray(features) for features in (train, held_out, generated))
    with one_thread():
        clusters = KMeans(cells, n_init="auto", random_state=seed).fit(train.astype(np.float64))
    places = [clusters.predict(features.astype(np.float64)) for features in (held_out, generated)]
    distances = [np.array(nearest(features, train)[0])[:, 0] for features in (held_out, generated)]
    if same_cell:
        for features, place, own in zip((held_out, generated), places, distances, strict=True):
            for cell in np.unique(place):
                own[place == cell] = np.asarray(nearest(features[place == cell], train[clusters.labels_ == cell])[0])[
                    :, 0
                ]
    counts = np.stack([np.bincount(place, minlength=cells) for place in places], axis=1)
    z = np.full(cells, np.nan)
    for cell in np.flatnonzero((counts[:, 0] > 0) & (counts[:, 1] > minimum_share * len(generated))):
        z[cell] = mann_whitney_z(*(d[place == cell] for d, place in zip(distances, places, strict=True)))
    kept = ~np.isnan(z)
    if not kept.any():
        raise UserError("C_T is undefined: no cell holds both held-out and generated samples; use fewer cells")
    return CopyTest(float(np.average(z[kept], weights=counts[kept, 0])), z, counts)
