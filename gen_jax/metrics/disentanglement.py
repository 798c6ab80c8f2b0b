"""Disentanglement of latents against known factors of variation: MIG, DCI, SAP, FactorVAE score, modularity.

Definitions as in Locatello et al. 2019, arXiv:1811.12359, so that numbers compare with published ones. Latents are
codes [N, D] (posterior means), factors integers [N, F].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gen_jax.core.errors import UserError


def _checked(codes, factors) -> tuple[np.ndarray, np.ndarray]:
    codes, factors = np.asarray(codes), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise UserError(f"want codes [N, D] and factors [N, F], got {list(codes.shape)} and {list(factors.shape)}")
    if codes.shape[1] < 2:
        raise UserError("these scores compare the two best latents of a factor; the code has only one dimension")
    return codes, factors


def binned(codes: np.ndarray, bins: int = 20) -> np.ndarray:
    """Each latent in `bins` equal-width bins over its own range, [N, D] int."""
    return np.stack([np.digitize(z, np.histogram(z, bins)[1][:-1]) for z in codes.T], axis=1)


def mutual_information_matrix(codes, factors, bins: int = 20) -> np.ndarray:
    """I(binned latent; factor) in nats, [D, F], plug-in estimate."""
    from sklearn.metrics import mutual_info_score

    codes, factors = _checked(codes, factors)
    cells = binned(codes, bins)
    return np.array([[mutual_info_score(factor, cell) for factor in factors.T] for cell in cells.T])


def _entropies(factors: np.ndarray) -> np.ndarray:
    from scipy.stats import entropy

    return np.array([entropy(np.unique(factor, return_counts=True)[1]) for factor in factors.T])


def mutual_information_gap(codes, factors, bins: int = 20) -> float:
    """MIG (Chen et al. 2018, arXiv:1802.04942): mean of (best - second best I) / H(factor); 10,000 points."""
    information = np.sort(mutual_information_matrix(codes, factors, bins), axis=0)
    entropies = _entropies(np.asarray(factors))
    if (entropies <= 0).any():
        raise UserError("MIG is undefined for a factor that never varies")
    return float(np.mean((information[-1] - information[-2]) / entropies))


def modularity(codes, factors, bins: int = 20) -> float:
    """Modularity (Ridgeway & Mozer 2018, arXiv:1802.05312): 1 if each latent informs about one factor only."""
    squared = mutual_information_matrix(codes, factors, bins) ** 2
    largest = squared.max(axis=1)
    spread = (squared.sum(axis=1) - largest) / np.where(largest > 0, largest, 1) / (squared.shape[1] - 1)
    # An inactive latent scores 0, as in disentanglement_lib.
    return float(np.mean(np.where(largest > 0, 1 - spread, 0)))


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness (test accuracy), each in [0, 1]; and importances [D, F]."""

    disentanglement: float
    completeness: float
    informativeness: float
    importances: np.ndarray


def _one_minus_entropy(rows: np.ndarray) -> float:
    """Mean of 1 - normalised entropy of each row, weighted by the row's share of the whole."""
    from scipy.stats import entropy

    scores = 1 - entropy(rows.T + 1e-11, base=rows.shape[1])
    total = rows.sum()
    weights = rows.sum(axis=1) / total if total > 0 else np.full(len(rows), 1 / len(rows))
    return float(np.sum(scores * weights))


def dci(codes, factors, test_codes, test_factors, seed: int = 0) -> DCI:
    """DCI (Eastwood & Williams 2018) with gradient-boosted trees, one classifier a factor; 10,000 train, 5,000 test."""
    from sklearn.ensemble import GradientBoostingClassifier

    codes, factors = _checked(codes, factors)
    test_codes, test_factors = _checked(test_codes, test_factors)
    importances, accuracies = [], []
    for index, factor in enumerate(factors.T):
        trees = GradientBoostingClassifier(random_state=seed).fit(codes, factor)
        importances.append(np.abs(trees.feature_importances_))
        accuracies.append(np.mean(trees.predict(test_codes) == test_factors[:, index]))
    matrix = np.stack(importances, axis=1)
    return DCI(_one_minus_entropy(matrix), _one_minus_entropy(matrix.T), float(np.mean(accuracies)), matrix)


def separated_predictability(codes, factors, test_codes, test_factors, seed: int = 0) -> float:
    """SAP (Kumar et al. 2018, arXiv:1711.00848): gap of the two best single-latent LinearSVC(C=.01) test accuracies."""
    from sklearn.svm import LinearSVC

    codes, factors = _checked(codes, factors)
    test_codes, test_factors = _checked(test_codes, test_factors)
    scores = np.zeros((codes.shape[1], factors.shape[1]))
    for d in range(codes.shape[1]):
        for f in range(factors.shape[1]):
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
            machine.fit(codes[:, d : d + 1], factors[:, f])
            scores[d, f] = np.mean(machine.predict(test_codes[:, d : d + 1]) == test_factors[:, f])
    ordered = np.sort(scores, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


class FactorScore(NamedTuple):
    """Majority-vote accuracy on the training votes and on fresh ones, and how many latents were not pruned."""

    train_accuracy: float
    accuracy: float
    active: int


def factor_vae_score(
    codes_with_fixed: Callable[[np.random.Generator, int, int], np.ndarray],
    factors: int,
    global_codes,
    *,
    train_votes: int = 10_000,
    votes: int = 5_000,
    batch_size: int = 64,
    prune: float = 0.05,
    seed: int = 0,
) -> FactorScore:
    """FactorVAE score (Kim & Mnih 2018, arXiv:1802.05983, section 4).

    `codes_with_fixed(rng, factor, batch_size) -> [batch_size, D]` encodes random data that share that one factor;
    `global_codes` [N, D] give each latent's overall variance. Latents with a standard deviation below `prune` take no
    part; if none is left both accuracies are 0.
    """
    variances = np.var(np.asarray(global_codes, np.float64), axis=0, ddof=1)
    active = np.sqrt(variances) >= prune
    if not active.any():
        return FactorScore(0.0, 0.0, 0)
    rng = np.random.default_rng(seed)

    def table(count: int) -> np.ndarray:
        result = np.zeros((factors, int(active.sum())), int)
        for factor in rng.integers(factors, size=count):
            local = np.var(np.asarray(codes_with_fixed(rng, int(factor), batch_size), np.float64), axis=0, ddof=1)
            result[factor, np.argmin(local[active] / variances[active])] += 1
        return result

    train = table(train_votes)
    majority, latents = train.argmax(axis=0), np.arange(train.shape[1])
    fresh = table(votes)
    old, new = (float(votes[majority, latents].sum() / votes.sum()) for votes in (train, fresh))
    return FactorScore(old, new, int(active.sum()))
